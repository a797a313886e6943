// Who decides where the next step ends, and whether it counts.
#pragma once

#include "framework/run_state.h"

namespace stride {

struct Decision {
  std::optional<Tensor> accept;  ///< bool `[B]`; none: every row accepts
  BatchState memory;             ///< the controller's next memory, for accepted and rejected rows alike
  std::optional<Tensor> status;  ///< int8 `[B]`; none: as before
};

/// A step policy. Implementations are final and immutable: all memory is in the BatchState.
class StepController {
 public:
  virtual ~StepController() = default;

  /// Steps before the last jump, where the host knows them (no look at the device is needed then);
  /// none for adaptive controllers.
  [[nodiscard]] virtual std::optional<int64_t> planned_steps() const noexcept = 0;

  /// True: the rows' levels are those of RunState::constant.grid, one after the other, from the first on. What the
  /// solver needs at each step is worked out in advance then (Solver::coefficients).
  [[nodiscard]] virtual bool on_grid() const noexcept { return false; }

  /// Where the integration ends: the smallest positive σ of the run.
  [[nodiscard]] virtual double end() const noexcept = 0;

  /// True: the run closes with Solver::finish, the jump from end() to 0.
  [[nodiscard]] virtual bool final_zero() const noexcept = 0;

  [[nodiscard]] virtual BatchState init(const RunConstant& constant, const Tensor& x, const Times& sigma) const = 0;

  /// Where the next step of each row ends: float64 `[B]`, below state.sigma and not below end().
  [[nodiscard]] virtual Times propose(const RunState& state) const = 0;

  [[nodiscard]] virtual Decision decide(const RunState& state, const Step& step, const StepResult& result,
                                        const SolverTraits& traits) const = 0;

 protected:
  StepController() = default;
  StepController(const StepController&) = default;
  StepController& operator=(const StepController&) = default;
};

}  // namespace stride
