// A solver whose steps are no sums, for tests.
#pragma once

#include "framework/solver.h"
#include "tests/catch_torch.h"

#include <ATen/ATen.h>

namespace stride::testing {

/// x ← D·|D|: such a run has no program.
class SquaringSolver final : public Solver {
 public:
  [[nodiscard]] const SolverTraits& traits() const noexcept override { return traits_; }
  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const Tensor denoised = step.denoise(x, step.from);
    return {denoised * denoised.abs(), history, denoised, {}};
  }

 private:
  SolverTraits traits_;
};

}  // namespace stride::testing
