#include "neural/foreign/image_map.h"

#include "framework/error.h"
#include "neural/foreign/script.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <memory>
#include <utility>

namespace stride {
namespace {

template <class Network>
ImageMap image_map(std::shared_ptr<const Network> network, const std::string& where, at::ScalarType dtype,
                   at::Device device) {
  return [network = std::move(network), where, dtype, device](const Tensor& x) {
    const at::NoGradGuard no_grad;
    const Tensor out = (*network)({x.to(device, dtype).contiguous()});
    if (!out.defined() || out.dim() != 4 || out.size(0) != x.size(0) || !out.is_floating_point())
      throw InputError(fmt::format("{}: the network does not return {} images [B, C, H, W]", where, x.size(0)));
    return out.to(at::kFloat);
  };
}

}  // namespace

ImageMap scripted_images(const std::string& bytes, const std::string& where, at::ScalarType dtype, at::Device device) {
  return image_map(std::make_shared<const Script>(bytes, where, device), where, dtype, device);
}

ImageMap packaged_images(const std::string& path, at::ScalarType dtype, at::Device device,
                         const CompiledPackage::Constants& constants) {
  return image_map(std::make_shared<const CompiledPackage>(path, path, device, 1, "images", constants), path, dtype,
                   device);
}

}  // namespace stride
