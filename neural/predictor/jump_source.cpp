#include "neural/predictor/jump_source.h"

#include "neural/predictor/step_examples.h"
#include "neural/predictor/trajectory_features.h"

#include <ATen/ATen.h>

#include <utility>

namespace stride {
namespace {

Tensor known_at(const JumpPlaces& places, int64_t n) {
  return at::full({n}, (places.last >= 0 ? 1 : 0) + (places.before >= 0 ? 1 : 0), at::kLong);
}

class StateJumps final : public JumpSource {
 public:
  StateJumps(TrajectoryBatch batch, int64_t points) : batch_(std::move(batch)), points_(points) {
    // Where σ is large, differences of directions are all rounding in float32.
    batch_.x = batch_.x.to(at::kDouble);
    batch_.denoised = batch_.denoised.to(at::kDouble);
  }

  [[nodiscard]] const Tensor& sigma() const noexcept override { return batch_.sigma; }
  [[nodiscard]] const Tensor& seed() const noexcept override { return batch_.seed; }

  [[nodiscard]] StepStatistics statistics(const JumpPlaces& places) const override {
    const bool one = places.last >= 0;
    const bool two = places.before >= 0;
    const Tensor nothing = at::zeros_like(state(0));
    StepKnowledge knowledge;
    knowledge.sigma = level(places.at);
    knowledge.x = state(places.at);
    knowledge.last_sigma = one ? level(places.last) : level(places.at);
    knowledge.denoised = one ? said(places.last) : nothing;
    knowledge.slope = one ? slope(places.last) : nothing;
    knowledge.previous_sigma = two ? level(places.before) : knowledge.last_sigma;
    knowledge.previous_denoised = two ? said(places.before) : nothing;
    knowledge.previous_slope = two ? slope(places.before) : nothing;
    knowledge.known = known_at(places, batch_.size());
    knowledge.start = start_statistics(state(0), level(0));
    return step_statistics(knowledge);
  }

  [[nodiscard]] Tensor errors(const JumpPlaces& places) const override {
    Jumps jumps;
    jumps.x = state(places.at);
    jumps.denoised = said(places.at);
    jumps.sigma = level(places.at);
    if (places.last >= 0) {
      jumps.last_denoised = said(places.last);
      jumps.last_sigma = level(places.last);
    }
    const int64_t later = points_ - places.at - 1;
    jumps.target = batch_.x.narrow(1, places.at + 1, later);
    jumps.target_sigma = batch_.sigma.narrow(1, places.at + 1, later);
    return jump_errors(jumps);
  }

 private:
  [[nodiscard]] Tensor level(int64_t point) const { return batch_.sigma.select(1, point); }
  [[nodiscard]] Tensor state(int64_t point) const { return batch_.x.select(1, point); }
  [[nodiscard]] Tensor said(int64_t point) const { return batch_.denoised.select(1, point); }
  [[nodiscard]] Tensor slope(int64_t point) const {
    return (state(point) - said(point)) / per_sample(level(point), state(point));
  }

  TrajectoryBatch batch_;
  int64_t points_;
};

/// Every vector is a row of coefficients in the basis of the Gram matrix, `[n, V]`; its mean square is a quadratic
/// form.
class GramJumps final : public JumpSource {
 public:
  GramJumps(TrajectoryBatch batch, int64_t points)
      : batch_(std::move(batch)), points_(points), in_basis_(gram_coefficients(batch_.sigma)) {}

  [[nodiscard]] const Tensor& sigma() const noexcept override { return batch_.sigma; }
  [[nodiscard]] const Tensor& seed() const noexcept override { return batch_.seed; }

  [[nodiscard]] StepStatistics statistics(const JumpPlaces& places) const override {
    const bool one = places.last >= 0;
    const bool two = places.before >= 0;
    const Tensor nothing = at::zeros_like(state(0));
    const Tensor slope_last = one ? slope(places.last) : nothing;
    const Tensor slope_before = two ? slope(places.before) : nothing;
    const Tensor denoised_last = one ? said(places.last) : nothing;
    const Tensor denoised_before = two ? said(places.before) : nothing;
    const Tensor last_sigma = one ? level(places.last) : level(places.at);
    return {level(places.at),
            last_sigma,
            two ? level(places.before) : last_sigma,
            known_at(places, batch_.size()),
            rms(state(places.at)),
            rms(slope_last),
            rms(slope_before),
            product(slope_last, slope_before),
            rms(slope_last - slope_before),
            rms(denoised_last - denoised_before),
            one ? batch_.pooled.select(1, places.last) : at::zeros_like(batch_.pooled.select(1, 0)),
            batch_.start};
  }

  [[nodiscard]] Tensor errors(const JumpPlaces& places) const override {
    Tensor denoised = said(places.at).unsqueeze(1);
    const int64_t later = points_ - places.at - 1;
    const Tensor ratio = (batch_.sigma.narrow(1, places.at + 1, later) / level(places.at).unsqueeze(1)).unsqueeze(2);
    if (places.last >= 0) {
      const Tensor last_step = (level(places.last) / level(places.at)).log().view({-1, 1, 1});
      denoised = denoised - ratio.log() / (2.0 * last_step) * (said(places.at) - said(places.last)).unsqueeze(1);
    }
    const Tensor jump = ratio * state(places.at).unsqueeze(1) + (1.0 - ratio) * denoised;
    const Tensor error = jump - in_basis_.x.narrow(1, places.at + 1, later);
    return (at::matmul(error, batch_.gram) * error).sum(2).clamp_min(0.0).sqrt();
  }

 private:
  [[nodiscard]] Tensor level(int64_t point) const { return batch_.sigma.select(1, point); }
  [[nodiscard]] Tensor state(int64_t point) const { return in_basis_.x.select(1, point); }
  [[nodiscard]] Tensor said(int64_t point) const { return in_basis_.denoised.select(1, point); }
  [[nodiscard]] Tensor slope(int64_t point) const { return (state(point) - said(point)) / level(point).unsqueeze(1); }
  [[nodiscard]] Tensor product(const Tensor& a, const Tensor& b) const {
    return (at::matmul(a.unsqueeze(1), batch_.gram).squeeze(1) * b).sum(1);
  }
  [[nodiscard]] Tensor rms(const Tensor& a) const { return product(a, a).clamp_min(0.0).sqrt(); }

  TrajectoryBatch batch_;
  int64_t points_;
  GramCoefficients in_basis_;
};

}  // namespace

std::unique_ptr<JumpSource> make_jump_source(TrajectoryBatch batch, int64_t points) {
  if (batch.gram.defined()) return std::make_unique<GramJumps>(std::move(batch), points);
  return std::make_unique<StateJumps>(std::move(batch), points);
}

Tensor jump_errors(const Jumps& jumps) {
  const auto wide = [](const Tensor& t) { return t.to(at::kDouble); };
  const Tensor like = wide(jumps.target);         // [n, M, …]
  const auto spread = [&](const Tensor& value) {  // [n, M] over the sample
    auto shape = value.sizes().vec();
    shape.resize(static_cast<std::size_t>(like.dim()), 1);
    return value.view(shape);
  };
  const Tensor ratio = jumps.target_sigma / jumps.sigma.unsqueeze(1);
  Tensor denoised = wide(jumps.denoised).unsqueeze(1);
  if (jumps.last_denoised.defined()) {
    const Tensor last_step = (jumps.last_sigma / jumps.sigma).log().unsqueeze(1);
    const Tensor factor = -ratio.log() / (2.0 * last_step);
    denoised = denoised + spread(factor) * (wide(jumps.denoised) - wide(jumps.last_denoised)).unsqueeze(1);
  }
  const Tensor jump = spread(ratio) * wide(jumps.x).unsqueeze(1) + spread(1.0 - ratio) * denoised;
  return (jump - like).flatten(2).square().mean(2).sqrt();
}

}  // namespace stride
