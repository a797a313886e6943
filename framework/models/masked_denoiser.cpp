#include "framework/models/masked_denoiser.h"

#include "framework/models/refine.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

constexpr std::size_t kKnown = 3;  // image, mask, noise

struct Parts {
  BatchState inner;
  Tensor image, mask, noise;
};

Parts split(const BatchState& condition) {
  TORCH_INTERNAL_ASSERT(condition.size() >= kKnown, "a condition of MaskedDenoiser::condition is needed");
  const auto& slots = condition.slots();
  const std::size_t own = slots.size() - kKnown;
  std::vector<Tensor> inner(slots.begin(), slots.begin() + static_cast<std::ptrdiff_t>(own));
  return {BatchState(std::move(inner)), slots[own], slots[own + 1], slots[own + 2]};
}

// What the network sees.
Tensor seen(const Parts& parts, const Tensor& x, const Times& sigma) {
  return at::lerp(noised(parts.image, parts.noise, sigma), x, parts.mask);
}

}  // namespace

MaskedDenoiser::MaskedDenoiser(const Denoiser& inner) : inner_(inner), info_(inner.info()) {
  for (const char* name : {"image", "mask", "noise"}) info_.conditions.push_back({name, 0, info_.shape});
}

BatchState MaskedDenoiser::condition(const BatchState& inner, const Tensor& image, const Tensor& mask,
                                     const Tensor& noise) {
  std::vector<Tensor> slots = inner.slots();
  slots.insert(slots.end(), {image, mask, noise});
  return BatchState(std::move(slots));
}

Evaluation MaskedDenoiser::evaluate(const Tensor& x, const Times& sigma, const BatchState& condition) const {
  const Parts parts = split(condition);
  return inner_.evaluate(seen(parts, x, sigma), sigma, parts.inner);
}

Evaluation MaskedDenoiser::evaluate_both(const Tensor& x, const Times& sigma, const BatchState& condition) const {
  const Parts parts = split(condition);
  return inner_.evaluate_both(seen(parts, x, sigma), sigma, parts.inner);
}

BatchState MaskedDenoiser::null_condition(const BatchState& condition) const {
  const Parts parts = split(condition);
  return MaskedDenoiser::condition(inner_.null_condition(parts.inner), parts.image, parts.mask, parts.noise);
}

Tensor MaskedDenoiser::constrain(const Tensor& denoised, const BatchState& condition) const {
  const Parts parts = split(condition);
  return at::lerp(parts.image, inner_.constrain(denoised, parts.inner), parts.mask);
}

}  // namespace stride
