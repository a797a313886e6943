#include "framework/program/stepped_run.h"

#include "framework/close_run.h"
#include "framework/error.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

namespace stride {
namespace {

class PlainRun final : public SteppedRun {
 public:
  PlainRun(const Problem& problem, const Solver& solver, const StepController& controller, RunConstant constant,
           Tensor x, int64_t planned)
      : problem_(problem),
        solver_(solver),
        controller_(controller),
        planned_(planned),
        start_(start_run(solver, controller, constant, x, constant.grid.select(1, 0).contiguous())),
        state_(start_) {}

  [[nodiscard]] int64_t steps() const noexcept override { return planned_ + (controller_.final_zero() ? 1 : 0); }
  // As far as the steps that were made say it.
  [[nodiscard]] int64_t evaluations() const noexcept override { return evaluations_; }
  void begin() override {
    state_ = start_;
    next_ = 0;
  }
  void step() override {
    StepResult seen;
    state_ = next_++ < planned_ ? advance(problem_, solver_, controller_, state_, &seen)
                                : finish(problem_, solver_, state_, &seen);
    denoised_ = std::move(seen.denoised);
    evaluations_ = std::max(steps(), state_.shared.nfe.value_or(next_) * steps() / next_);
  }
  [[nodiscard]] const Tensor& x() const override { return state_.x; }
  [[nodiscard]] Tensor denoised() const override { return denoised_; }
  [[nodiscard]] RunResult result() const override { return close_run(state_); }

 private:
  const Problem problem_;
  const Solver& solver_;
  const StepController& controller_;
  const int64_t planned_;
  const RunState start_;
  RunState state_;
  Tensor denoised_;
  int64_t next_ = 0;
  int64_t evaluations_ = steps();
};

}  // namespace

std::unique_ptr<SteppedRun> plain_run(const Problem& problem, const Solver& solver, const StepController& controller,
                                      RunConstant constant, Tensor x) {
  const auto planned = controller.planned_steps();
  if (!planned) throw UsageError("the controller does not know its number of steps: use sample, or a fixed grid");
  return std::make_unique<PlainRun>(problem, solver, controller, std::move(constant), std::move(x), *planned);
}

}  // namespace stride
