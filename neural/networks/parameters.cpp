#include "neural/networks/parameters.h"

#include "framework/error.h"
#include "neural/training/random.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

namespace stride {

int64_t TensorSpec::numel() const noexcept {
  int64_t n = 1;
  for (const int64_t size : shape) n *= size;
  return n;
}

int64_t count(const Layout& layout) noexcept {
  int64_t n = 0;
  for (const auto& spec : layout) n += spec.numel();
  return n;
}

Tensor initial_parameters(const Layout& layout, uint64_t seed) {
  auto generator = make_generator(seed, 0, 0);
  std::vector<Tensor> parts;
  parts.reserve(layout.size());
  for (const auto& spec : layout) {
    const int64_t n = spec.numel();
    switch (spec.init) {
      case Init::zero:
        parts.push_back(at::zeros({n}, at::kFloat));
        break;
      case Init::one:
        parts.push_back(at::ones({n}, at::kFloat));
        break;
      case Init::normal:
        parts.push_back(at::randn({n}, generator, at::kFloat));
        break;
      case Init::fan_in:
        parts.push_back(at::randn({n}, generator, at::kFloat) / std::sqrt(static_cast<double>(n / spec.shape.at(0))));
        break;
    }
  }
  return at::cat(parts);
}

Weights unpack(const Layout& layout, const Tensor& flat) {
  if (flat.dim() != 1 || flat.size(0) != count(layout))
    throw UsageError(
        fmt::format("a flat vector of {} parameters does not fit a network of {}", flat.numel(), count(layout)));
  Weights weights;
  int64_t at = 0;
  for (const auto& spec : layout) {
    weights.emplace(spec.name, flat.narrow(0, at, spec.numel()).view(spec.shape));
    at += spec.numel();
  }
  return weights;
}

Tensor pack(const Layout& layout, const Weights& weights) {
  std::vector<Tensor> parts;
  parts.reserve(layout.size());
  for (const auto& spec : layout) {
    const auto found = weights.find(spec.name);
    if (found == weights.end()) throw UsageError(fmt::format("pack: the weights lack '{}'", spec.name));
    parts.push_back(found->second.reshape({-1}));
  }
  return at::cat(parts);
}

void check_weights(const Layout& layout, const Weights& weights, const std::string& where) {
  Weights extra = weights;
  for (const auto& spec : layout) {
    const auto found = weights.find(spec.name);
    if (found == weights.end())
      throw InputError(
          fmt::format("{}: tensor '{}' is missing; the file's own description asks for it", where, spec.name));
    const Tensor& tensor = found->second;
    if (tensor.sizes() != at::IntArrayRef(spec.shape))
      throw InputError(fmt::format("{}: tensor '{}' has shape [{}], the file's own description asks for [{}]", where,
                                   spec.name, fmt::join(tensor.sizes(), ", "), fmt::join(spec.shape, ", ")));
    if (!at::isFloatingType(tensor.scalar_type()))
      throw InputError(fmt::format("{}: tensor '{}' is not of a floating-point type", where, spec.name));
    if (!tensor.isfinite().all().item<bool>())
      throw InputError(fmt::format("{}: tensor '{}' holds values that are not finite", where, spec.name));
    extra.erase(spec.name);
  }
  if (!extra.empty())
    throw InputError(
        fmt::format("{}: tensor '{}' is unknown to the network that the file describes", where, extra.begin()->first));
}

Weights convert(const Weights& weights, const at::Device& device, at::ScalarType dtype) {
  Weights result;
  for (const auto& [name, tensor] : weights) result.emplace(name, tensor.detach().to(device, dtype).contiguous());
  return result;
}

}  // namespace stride
