// The controller that follows RunState.constant.grid.
#pragma once

#include "framework/controller.h"
#include "framework/grids/time_grid.h"

namespace stride {

/// Accepts every step and ends each at the next point of the row's grid. Stateless: the position is
/// RunState.index, so rows at different places share a batch.
class FixedGrid final : public StepController {
 public:
  explicit FixedGrid(const TimeGrid& grid) : steps_(grid.steps()), end_(grid.end()), final_zero_(grid.final_zero()) {}

  [[nodiscard]] std::optional<int64_t> planned_steps() const noexcept override {
    return steps_ - (final_zero_ ? 1 : 0);
  }
  [[nodiscard]] bool on_grid() const noexcept override { return true; }
  [[nodiscard]] double end() const noexcept override { return end_; }
  [[nodiscard]] bool final_zero() const noexcept override { return final_zero_; }
  [[nodiscard]] BatchState init(const RunConstant& constant, const Tensor& x, const Times& sigma) const override;
  [[nodiscard]] Times propose(const RunState& state) const override;
  [[nodiscard]] Decision decide(const RunState& state, const Step& step, const StepResult& result,
                                const SolverTraits& traits) const override;

 private:
  int64_t steps_;
  double end_;
  bool final_zero_;
};

}  // namespace stride
