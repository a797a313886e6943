#include "neural/foreign/compiled_package.h"

#include "framework/error.h"
#include "framework/files/json_text.h"
#include "framework/out_of_memory.h"
#include "framework/text_list.h"
#include "neural/foreign/foreign_call.h"
#include "neural/foreign/memory_watch.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <ATen/cuda/CUDAContext.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/csrc/inductor/aoti_package/model_package_loader.h>
#include <nlohmann/json.hpp>

#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace stride {
namespace {

using Loader = torch::inductor::AOTIModelPackageLoader;
using Metadata = std::unordered_map<std::string, std::string>;

// Compiled kernels take their inputs to begin at multiples of it.
constexpr std::uintptr_t kAlignment = 16;

[[noreturn]] void no_package(const std::string& where, const std::exception& error) {
  throw InputError(fmt::format("{}: is no AOTInductor package that can be loaded, or a damaged one: {}", where,
                               foreign_message(error)));
}

Metadata metadata_of(const std::string& path, const std::string& where) {
  try {
    return Loader::load_metadata_from_package(path, "model");
  } catch (const std::exception& error) {
    no_package(where, error);
  }
}

// As far as a package says what it is for.
void require_device(const Metadata& metadata, const std::string& where, const at::Device& device) {
  const auto of = [&](const char* key) {
    const auto found = metadata.find(key);
    return found == metadata.end() ? std::string() : found->second;
  };
  const std::string own = of("AOTI_DEVICE_KEY"), here = device.is_cuda() ? "cuda" : "cpu";
  if (!own.empty() && own != here)
    throw InputError(
        fmt::format("{}: was compiled for {}, and this run is on {}: choose that `device`, or export it "
                    "for this one",
                    where, own, here));
  const std::string capability = of("AOTI_COMPUTE_CAPABILITY");
  if (!device.is_cuda() || capability.empty() || capability.find_first_not_of("0123456789") != std::string::npos ||
      capability.size() > 4)
    return;
  const auto* const properties = at::cuda::getDeviceProperties(device.index());
  const int made = std::stoi(capability), now = 10 * properties->major + properties->minor;
  if (made / 10 != now / 10 || made > now)
    throw InputError(
        fmt::format("{}: was compiled for GPUs of compute capability {}.{}, and this is an {} of {}.{}: "
                    "export it on this GPU",
                    where, made / 10, made % 10, properties->name, properties->major, properties->minor));
}

int64_t leaves(const nlohmann::json& tree) {
  if (!tree.is_object()) return 0;
  const auto type = tree.find("type");
  if (type != tree.end() && type->is_null()) return 1;
  int64_t count = 0;
  if (const auto children = tree.find("children_spec"); children != tree.end())
    for (const auto& child : *children) count += leaves(child);
  return count;
}

// The package itself does not count: with fewer it would read what is not there.
void require_inputs(Loader& loader, const std::string& where, std::size_t inputs, const std::string& meant) {
  const std::vector<std::string> spec = loader.get_call_spec();
  if (spec.empty()) return;
  const nlohmann::json tree = nlohmann::json::parse(spec.front(), nullptr, false);
  if (!tree.is_array() || tree.size() != 2) return;
  if (const int64_t found = leaves(tree[1]); found != static_cast<int64_t>(inputs))
    throw InputError(
        fmt::format("{}: the network takes {} tensors, and the card means {}: {}", where, found, inputs, meant));
}

// A package may have been made without them, and reads anything there is in their place.
void require_constants(Loader& loader, const std::string& where) {
  if (loader.get_runner()->getConstantNamesToOriginalFQNs().empty()) return;
  if (loader.get_runner()->extract_constants_map(/*use_inactive=*/false).empty())
    throw InputError(
        fmt::format("{}: the package holds no constants: name the file that does as `weights` of the card", where));
}

void give_constants(Loader& loader, const std::string& where, const CompiledPackage::Constants& constants) {
  std::vector<std::string> missing;
  std::unordered_map<std::string, Tensor> given;
  const auto own = loader.get_runner()->extract_constants_map(/*use_inactive=*/false);
  const auto dtypes = loader.get_runner()->getConstantNamesToDtypes();
  for (const auto& [inner, name] : loader.get_runner()->getConstantNamesToOriginalFQNs()) {
    const auto found = constants.find(name);
    if (found == constants.end()) {
      missing.push_back(name);
      continue;
    }
    const auto dtype = dtypes.find(inner);
    if (dtype != dtypes.end() && static_cast<int32_t>(found->second.scalar_type()) != dtype->second)
      throw InputError(
          fmt::format("{}: the package was compiled for another data type of '{}' than {}, which the "
                      "weights have",
                      where, name, at::toString(found->second.scalar_type())));
    // A package that has none of its own does not say their shapes.
    const auto shape = own.find(name);
    if (shape != own.end() && shape->second.defined() && shape->second.sizes() != found->second.sizes())
      throw InputError(fmt::format("{}: the package has '{}' as [{}], the weights as [{}]", where, name,
                                   fmt::join(shape->second.sizes(), ", "), fmt::join(found->second.sizes(), ", ")));
    given.emplace(name, found->second);
  }
  if (!missing.empty()) throw InputError(fmt::format("{}: the weights lack {}", where, fmt::join(missing, ", ")));
  if (given.size() != constants.size()) {
    std::vector<std::string> unknown;
    for (const auto& [name, tensor] : constants)
      if (!given.contains(name)) unknown.push_back(name);
    throw InputError(
        fmt::format("{}: the package has no constant {}, which the weights hold", where, fmt::join(unknown, ", ")));
  }
  loader.load_constants(given, /*use_inactive=*/false, /*check_full_update=*/true, /*user_managed=*/true);
}

Tensor as_compiled(const Tensor& input) {
  const Tensor whole = input.contiguous();
  return reinterpret_cast<std::uintptr_t>(whole.const_data_ptr()) % kAlignment == 0 ? whole : whole.clone();
}

}  // namespace

struct CompiledPackage::Impl {
  std::string where;
  at::Device device;
  Constants constants = {};  // the package refers to their memory
  std::unique_ptr<Loader> loader = {};
  std::mutex mutex = {};  // one run at a time: it has one set of buffers
};

CompiledPackage::CompiledPackage(const std::string& path, const std::string& where, const at::Device& device,
                                 std::size_t inputs, const std::string& meant, const Constants& constants)
    : impl_(new Impl{.where = where, .device = device}) {
  require_device(metadata_of(path, where), where, device);
  const MemoryWatch memory(device);
  try {
    impl_->loader = std::make_unique<Loader>(path, "model", /*run_single_threaded=*/true, /*num_runners=*/1,
                                             device.is_cuda() ? device.index() : static_cast<c10::DeviceIndex>(-1));
  } catch (const std::exception& error) {
    if (memory.ran_out() || is_out_of_memory(error)) rethrow_foreign(error, where, /*ran_out=*/true);
    no_package(where, error);
  }
  require_inputs(*impl_->loader, where, inputs, meant);
  for (const auto& [name, tensor] : constants) impl_->constants[name] = tensor.detach().contiguous();
  try {
    constants.empty() ? require_constants(*impl_->loader, where)
                      : give_constants(*impl_->loader, where, impl_->constants);
  } catch (const std::exception& error) {
    rethrow_foreign(error, where, memory.ran_out());
  }
}

CompiledPackage::~CompiledPackage() = default;

Tensor CompiledPackage::operator()(std::vector<Tensor> inputs) const {
  for (Tensor& input : inputs) {
    if (at::GradMode::is_enabled() && input.requires_grad())
      throw UsageError(
          fmt::format("{}: a compiled package has no gradients: take the network as TorchScript", impl_->where));
    input = as_compiled(input);
  }
  const MemoryWatch memory(impl_->device);
  try {
    const std::lock_guard lock(impl_->mutex);
    std::vector<Tensor> answers = impl_->loader->boxed_run(std::move(inputs));
    return answers.empty() ? Tensor() : std::move(answers.front());
  } catch (const std::exception& error) {
    rethrow_foreign(error, impl_->where, memory.ran_out());
  }
}

}  // namespace stride
