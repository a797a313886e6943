#include "neural/networks/encoder_features.h"

#include "framework/error.h"
#include "framework/models/network_denoiser.h"
#include "neural/networks/unet.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>
#include <utility>

namespace stride {
namespace {

constexpr double kEpsilon = 1e-10;  // on a length: a place where nothing is active has direction 0

// [n, C, H, W] with channels of unit length, as [n, C·H·W].
Tensor directions(const Tensor& active) {
  const Tensor length = active.square().sum(1, /*keepdim=*/true).sqrt() + kEpsilon;
  const double places = static_cast<double>(active.size(2) * active.size(3));
  return (active / (length * std::sqrt(places))).flatten(1);
}

}  // namespace

std::function<Tensor(const Tensor& x)> encoder_features(std::shared_ptr<const Denoiser> denoiser) {
  const auto* wrapped = dynamic_cast<const NetworkDenoiser*>(denoiser.get());
  const auto* unet = wrapped == nullptr ? nullptr : dynamic_cast<const UNet*>(&wrapped->network());
  if (unet == nullptr)
    throw UsageError(
        fmt::format("the model '{}' is no native UNet: it has no encoder to compare images by", denoiser->info().name));
  return [denoiser = std::move(denoiser), unet](const Tensor& x) {
    const double sigma = denoiser->info().sigma_min;
    const Tensor time = at::full({x.size(0)}, std::log(sigma) / 4.0, x.options().dtype(at::kDouble));
    const double scale = 1.0 / std::hypot(sigma, unet->config().sigma_data);
    std::vector<Tensor> parts;
    for (const Tensor& active : unet->encode(x * scale, time)) parts.push_back(directions(active));
    return at::cat(parts, 1);
  };
}

}  // namespace stride
