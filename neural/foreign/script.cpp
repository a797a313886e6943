#include "neural/foreign/script.h"

#include "framework/error.h"
#include "framework/out_of_memory.h"
#include "neural/foreign/foreign_call.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import.h>

#include <sstream>
#include <utility>

namespace stride {
namespace {

// Not Module::to, which would convert whole numbers too.
void convert(torch::jit::Module& module, std::optional<at::ScalarType> dtype) {
  const auto one = [&](at::Tensor tensor) {
    tensor.set_requires_grad(false);
    if (dtype && tensor.is_floating_point()) tensor.set_data(tensor.to(*dtype));
  };
  for (const auto& parameter : module.parameters()) one(parameter);
  for (const auto& buffer : module.buffers()) one(buffer);
}

Tensor first_tensor(const c10::IValue& value) {
  if (value.isTensor()) return value.toTensor();
  if (value.isTuple() && !value.toTupleRef().elements().empty()) return first_tensor(value.toTupleRef().elements()[0]);
  if (value.isTensorList() && !value.toTensorVector().empty()) return value.toTensorVector()[0];
  return {};
}

}  // namespace

struct Script::Impl {
  mutable torch::jit::Module module;  // forward() is not const; it changes nothing
  std::string where;
};

Script::Script(const std::string& bytes, const std::string& where, const at::Device& device,
               std::optional<at::ScalarType> dtype) {
  std::istringstream stream(bytes);
  try {
    impl_ = std::make_unique<Impl>(Impl{torch::jit::load(stream, device), where});
    impl_->module.eval();
    convert(impl_->module, dtype);
  } catch (const std::exception& error) {
    if (is_out_of_memory(error)) throw;
    throw InputError(fmt::format("{}: is no TorchScript module that can be loaded: {}", where, foreign_message(error)));
  }
}

Script::~Script() = default;

Tensor Script::operator()(const std::vector<Tensor>& arguments, const std::vector<std::string>& flags) const {
  torch::jit::Kwargs keywords;
  for (const std::string& flag : flags) keywords[flag] = true;
  try {
    const torch::jit::GraphOptimizerEnabledGuard as_written(false);
    return first_tensor(impl_->module.forward({arguments.begin(), arguments.end()}, keywords));
  } catch (const std::exception& error) {
    rethrow_foreign(error, impl_->where);
  }
}

}  // namespace stride
