#include "neural/foreign/packaged_images.h"

#include "framework/error.h"
#include "neural/foreign/compiled_package.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <memory>

namespace stride {

ImageMap packaged_images(const std::string& path, at::ScalarType dtype, at::Device device) {
  const auto package = std::make_shared<const CompiledPackage>(path, path, device, 1, "images");
  return [package, path, dtype, device](const Tensor& x) {
    const at::NoGradGuard no_grad;
    Tensor out = (*package)({x.to(device, dtype)});
    if (!out.defined() || out.dim() != 4 || out.size(0) != x.size(0))
      throw InputError(fmt::format("{}: the network must return {} images [B, C, H, W]", path, x.size(0)));
    return out.to(at::kFloat);
  };
}

}  // namespace stride
