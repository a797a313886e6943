#include "neural/networks/scripted_images.h"

#include "framework/error.h"
#include "framework/out_of_memory.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <memory>
#include <sstream>

namespace stride {
namespace {

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// The first tensor of what a network returned; undefined: there is none.
Tensor first_tensor(c10::IValue value) {
  if (value.isTuple() && !value.toTupleRef().elements().empty()) value = value.toTupleRef().elements()[0];
  if (value.isTensorList() && !value.toTensorVector().empty()) value = value.toTensorVector()[0];
  return value.isTensor() ? value.toTensor() : Tensor();
}

}  // namespace

ImageMap scripted_images(const std::string& bytes, const std::string& where, at::ScalarType dtype, at::Device device) {
  std::istringstream stream(bytes);
  std::shared_ptr<torch::jit::Module> module;
  try {
    module = std::make_shared<torch::jit::Module>(torch::jit::load(stream, device));
    module->eval();
  } catch (const std::exception& error) {
    throw InputError(
        fmt::format("{}: is no TorchScript module that can be loaded: {}", where, first_line(error.what())));
  }
  return [module, where, dtype, device](const Tensor& x) {
    const at::NoGradGuard no_grad;
    Tensor out;
    try {
      out = first_tensor(module->forward({x.to(device, dtype).contiguous()}));
    } catch (const std::exception& error) {
      if (is_out_of_memory(error)) throw;
      throw InputError(fmt::format("{}: the network failed: {}", where, first_line(error.what())));
    }
    if (!out.defined() || out.dim() != 4 || out.size(0) != x.size(0) || !out.is_floating_point())
      throw InputError(fmt::format("{}: the network does not return {} images [B, C, H, W]", where, x.size(0)));
    return out.to(at::kFloat);
  };
}

}  // namespace stride
