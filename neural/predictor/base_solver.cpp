#include "neural/predictor/base_solver.h"

#include "framework/error.h"
#include "framework/models/recorded_denoiser.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

/// One step of `solver` from a place, on a grid that says how many steps there are.
StepResult step_from(const Solver& solver, const Denoiser& denoiser, const RecordedPlace& place, const Times& to,
                     int64_t index, const BatchState& memory, const Tensor& grid) {
  const ProbabilityFlow term;
  const NoNoise noise;
  const Problem problem{denoiser, term, noise};
  const Tensor count = at::full({place.x.size(0)}, index, place.x.options().dtype(at::kLong));
  const RunConstant constant{at::arange(place.x.size(0), count.options()), {}, grid, {}};
  Step step(problem, constant, place.sigma, to, count, at::zeros_like(count), index, true);
  return solver.step(step, place.x, memory);
}

StepResult replayed_step(const Solver& solver, const RecordedPlace& place, const Times& to, int64_t index,
                         const BatchState& memory) {
  const ModelInfo nobody;
  return step_from(solver, RecordedDenoiser(nobody, place.denoised), place, to, index, memory,
                   at::stack({place.sigma, to}, 1));
}

/// Answers as a recording does, and looks at the questions.
class Listening final : public Denoiser {
 public:
  Listening(const RecordedPlace& place, Tensor unconditional)
      : place_(place), unconditional_(std::move(unconditional)) {}

  [[nodiscard]] const ModelInfo& info() const noexcept override { return info_; }
  [[nodiscard]] Evaluation evaluate(const Tensor& x, const Times& sigma,
                                    const BatchState& /*condition*/) const override {
    ++asked_;
    elsewhere_ = elsewhere_ || !at::equal(x, place_.x) || !at::equal(sigma, place_.sigma);
    return {place_.denoised, unconditional_, {}};
  }
  [[nodiscard]] bool asked_once_at_the_start() const noexcept { return asked_ == 1 && !elsewhere_; }

 private:
  ModelInfo info_;
  const RecordedPlace& place_;
  Tensor unconditional_;
  mutable int64_t asked_ = 0;
  mutable bool elsewhere_ = false;
};

/// The results of a few steps on uneven levels: what a solver makes of numbers that mean nothing.
struct Trial {
  std::vector<Tensor> x;
  bool asked_once = true;
};

Trial trial(const Solver& solver, int64_t steps, int64_t grid_steps, bool other_unconditional) {
  const auto wave = [](double phase) { return (at::arange(6, at::kDouble) * 1.7 + phase).sin().view({2, 3}); };
  const auto level = [&](int64_t i) { return at::full({2}, 8.0 / (1.0 + static_cast<double>(i * i)), at::kDouble); };
  const Tensor grid = at::linspace(8.0, 0.0, grid_steps + 1, at::kDouble).repeat({2, 1});
  Trial out;
  BatchState memory = solver.init(wave(0.0));
  for (int64_t i = 0; i < steps; ++i) {
    const auto phase = static_cast<double>(i);
    const RecordedPlace place{level(i), 3.0 * wave(phase), wave(2.0 * phase + 0.3)};
    const Listening denoiser(place, other_unconditional ? wave(5.0 * phase) : place.denoised);
    StepResult result = step_from(solver, denoiser, place, level(i + 1), i, memory, grid);
    out.x.push_back(result.x);
    out.asked_once = out.asked_once && denoiser.asked_once_at_the_start();
    memory = std::move(result.history);
  }
  return out;
}

bool equal(const Trial& a, const Trial& b) { return at::equal(at::stack(a.x), at::stack(b.x)); }

}  // namespace

std::string base_refusal(const Solver& solver, bool guided) {
  const SolverTraits& traits = solver.traits();
  if (traits.stochastic) return "it draws noise, which a recording does not hold";
  const int64_t steps = traits.history + 3;
  // What a solver throws here is a limit of its own: a plan runs on its own grid alone.
  try {
    const Trial plain = trial(solver, steps, 1000, false);
    if (!plain.asked_once)
      return "its steps need evaluations other than the one where they start, and a recording holds that one alone";
    if (!equal(plain, trial(solver, steps, steps, false)))
      return "its steps depend on how many are left, which nobody knows while steps are chosen";
    if (guided && !equal(plain, trial(solver, steps, 1000, true)))
      return "it looks at the prediction without the condition, which a recording does not hold";
  } catch (const UsageError& error) {
    return error.what();
  }
  return {};
}

Replay::Replay(const Solver& solver, const std::vector<RecordedPlace>& path)
    : solver_(solver),
      place_(path.back()),
      index_(static_cast<int64_t>(path.size()) - 1),
      memory_(solver.init(path.front().x)) {
  for (std::size_t i = 0; i + 1 < path.size(); ++i)
    memory_ = replayed_step(solver, path[i], path[i + 1].sigma, static_cast<int64_t>(i), memory_).history;
}

Tensor Replay::jumps(const Tensor& targets) const {
  const int64_t n = targets.size(0), each = targets.size(1);
  const Tensor rows = at::arange(n, targets.options().dtype(at::kLong)).repeat_interleave(each);
  const auto spread = [&](const Tensor& of) { return of.index_select(0, rows); };
  const RecordedPlace from{spread(place_.sigma), spread(place_.x), spread(place_.denoised)};
  return replayed_step(solver_, from, targets.flatten(), index_, memory_.select(rows)).x.unflatten(0, {n, each});
}

}  // namespace stride
