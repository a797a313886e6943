#include "neural/networks/scripted_features.h"

#include "framework/error.h"
#include "framework/out_of_memory.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <sstream>
#include <utility>

namespace stride {
namespace {

constexpr int64_t kChunk = 64;

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace

Tensor scripted_input(const Tensor& images, const ScriptedInput& input) {
  if (images.dim() != 4) throw UsageError("a scripted feature network takes images [N, C, H, W]");
  Tensor x = images.to(at::kFloat);
  if (!input.resize.empty()) x = at::upsample_bilinear2d(x, input.resize, /*align_corners=*/false);
  if (input.range == "signed") return x.contiguous();
  if (input.range == "unit") return ((x + 1.0) / 2.0).contiguous();
  if (input.range == "byte") return ((x + 1.0) * 127.5).round().clamp(0, 255).to(at::kByte).contiguous();
  throw UsageError(
      fmt::format("a feature network's input cannot be '{}'; there are signed, unit and byte", input.range));
}

struct ScriptedFeatures::Impl {
  torch::jit::Module module;
  std::string where;
  ScriptedInput input;
  at::Device device;
};

ScriptedFeatures::ScriptedFeatures(const std::string& bytes, const std::string& where, ScriptedInput input,
                                   at::Device device) {
  std::istringstream stream(bytes);
  try {
    impl_ = std::make_unique<Impl>(Impl{torch::jit::load(stream, device), where, std::move(input), device});
    impl_->module.eval();
  } catch (const std::exception& error) {
    throw InputError(
        fmt::format("{}: is no TorchScript module that can be loaded: {}", where, first_line(error.what())));
  }
}
ScriptedFeatures::~ScriptedFeatures() = default;

Tensor ScriptedFeatures::features(const Tensor& images) const {
  const at::NoGradGuard no_grad;
  std::vector<Tensor> parts;
  for (int64_t begin = 0; begin == 0 || begin < images.size(0); begin += kChunk) {
    const Tensor chunk = images.slice(0, begin, begin + kChunk).to(impl_->device);
    c10::IValue value;
    try {
      torch::jit::Kwargs keywords;
      if (impl_->input.return_features) keywords["return_features"] = true;
      value = impl_->module.forward({scripted_input(chunk, impl_->input)}, keywords);
    } catch (const Error&) {
      throw;
    } catch (const std::exception& error) {
      if (is_out_of_memory(error)) throw;
      throw InputError(fmt::format("{}: the network failed: {}", impl_->where, first_line(error.what())));
    }
    if (value.isTuple() && !value.toTupleRef().elements().empty()) value = value.toTupleRef().elements()[0];
    if (value.isTensorList() && !value.toTensorVector().empty()) value = value.toTensorVector()[0];
    Tensor features = value.isTensor() ? value.toTensor() : Tensor();
    if (features.defined() && features.dim() == 4 && features.size(2) == 1 && features.size(3) == 1)
      features = features.flatten(1);
    if (!features.defined() || features.dim() != 2 || features.size(0) != chunk.size(0))
      throw InputError(fmt::format("{}: the network does not return features [N, F]", impl_->where));
    parts.push_back(features.to(at::kCPU, at::kDouble));
  }
  return at::cat(parts);
}

}  // namespace stride
