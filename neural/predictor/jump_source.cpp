#include "neural/predictor/jump_source.h"

#include "neural/predictor/trajectory_features.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

namespace stride {
namespace {

constexpr int64_t kValuesAtATime = int64_t{1} << 22;  // of jumps made together: float64, and a few times that in a step

class StateJumps final : public JumpSource {
 public:
  StateJumps(TrajectoryBatch batch, int64_t points, const Solver& base) : JumpSource(std::move(batch), points, base) {
    // Where σ is large, differences of directions are all rounding in float32.
    batch_.x = batch_.x.to(at::kDouble);
    batch_.denoised = batch_.denoised.to(at::kDouble);
  }

  [[nodiscard]] StepStatistics statistics(const JumpPlaces& places) const override {
    const bool one = !places.before.empty();
    const bool two = places.before.size() > 1;
    const int64_t last = one ? places.before[0] : -1, earlier = two ? places.before[1] : -1;
    const Tensor nothing = at::zeros_like(state(0));
    StepKnowledge knowledge;
    knowledge.sigma = level(places.at);
    knowledge.x = state(places.at);
    knowledge.last_sigma = one ? level(last) : level(places.at);
    knowledge.denoised = one ? said(last) : nothing;
    knowledge.slope = one ? slope(last) : nothing;
    knowledge.previous_sigma = two ? level(earlier) : knowledge.last_sigma;
    knowledge.previous_denoised = two ? said(earlier) : nothing;
    knowledge.previous_slope = two ? slope(earlier) : nothing;
    knowledge.known = known(places);
    knowledge.start = start_statistics(state(0), level(0));
    return step_statistics(knowledge);
  }

 private:
  [[nodiscard]] const Tensor& states() const override { return batch_.x; }
  [[nodiscard]] const Tensor& evaluations() const override { return batch_.denoised; }
  [[nodiscard]] Tensor size_of(const Tensor& difference) const override {
    return difference.flatten(2).square().mean(2).sqrt();
  }
};

/// Every vector is a row of coefficients in the basis of the Gram matrix, `[n, V]`; its mean square is a quadratic
/// form.
class GramJumps final : public JumpSource {
 public:
  GramJumps(TrajectoryBatch batch, int64_t points, const Solver& base)
      : JumpSource(std::move(batch), points, base), in_basis_(gram_coefficients(batch_.sigma)) {}

  [[nodiscard]] StepStatistics statistics(const JumpPlaces& places) const override {
    const bool one = !places.before.empty();
    const bool two = places.before.size() > 1;
    const int64_t last = one ? places.before[0] : -1, earlier = two ? places.before[1] : -1;
    const Tensor nothing = at::zeros_like(state(0));
    const Tensor slope_last = one ? slope(last) : nothing;
    const Tensor slope_before = two ? slope(earlier) : nothing;
    const Tensor denoised_last = one ? said(last) : nothing;
    const Tensor denoised_before = two ? said(earlier) : nothing;
    const Tensor last_sigma = one ? level(last) : level(places.at);
    return {level(places.at),
            last_sigma,
            two ? level(earlier) : last_sigma,
            known(places),
            rms(state(places.at)),
            rms(slope_last),
            rms(slope_before),
            product(slope_last, slope_before),
            rms(slope_last - slope_before),
            rms(denoised_last - denoised_before),
            one ? batch_.pooled.select(1, last) : at::zeros_like(batch_.pooled.select(1, 0)),
            batch_.start};
  }

 private:
  [[nodiscard]] const Tensor& states() const override { return in_basis_.x; }
  [[nodiscard]] const Tensor& evaluations() const override { return in_basis_.denoised; }
  [[nodiscard]] Tensor size_of(const Tensor& difference) const override {
    return (at::matmul(difference, batch_.gram) * difference).sum(2).clamp_min(0.0).sqrt();
  }
  [[nodiscard]] Tensor product(const Tensor& a, const Tensor& b) const {
    return (at::matmul(a.unsqueeze(1), batch_.gram).squeeze(1) * b).sum(1);
  }
  [[nodiscard]] Tensor rms(const Tensor& a) const { return product(a, a).clamp_min(0.0).sqrt(); }

  GramCoefficients in_basis_;
};

}  // namespace

Tensor JumpSource::slope(int64_t point) const {
  return (state(point) - said(point)) / per_sample(level(point), state(point));
}

Tensor JumpSource::known(const JumpPlaces& places) const {
  return at::full({batch_.size()}, std::min<int64_t>(2, static_cast<int64_t>(places.before.size())), at::kLong);
}

Tensor JumpSource::errors(const JumpPlaces& places) const {
  const auto place = [&](int64_t point) { return RecordedPlace{level(point), state(point), said(point)}; };
  std::vector<RecordedPlace> path;
  for (auto point = places.before.rbegin(); point != places.before.rend(); ++point) path.push_back(place(*point));
  path.push_back(place(places.at));
  const Replay replay(base_, path);
  const int64_t together = std::max<int64_t>(1, kValuesAtATime / state(places.at).numel());
  std::vector<Tensor> errors;
  for (int64_t from = places.at + 1; from < points_; from += together) {
    const int64_t count = std::min(together, points_ - from);
    errors.push_back(size_of(replay.jumps(sigma().narrow(1, from, count)) - states().narrow(1, from, count)));
  }
  return at::cat(errors, 1);
}

std::unique_ptr<JumpSource> make_jump_source(TrajectoryBatch batch, int64_t points, const Solver& base) {
  if (batch.gram.defined()) return std::make_unique<GramJumps>(std::move(batch), points, base);
  return std::make_unique<StateJumps>(std::move(batch), points, base);
}

}  // namespace stride
