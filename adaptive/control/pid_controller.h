// Error control per sample with a smooth limiter: DPM-Solver adaptive's.
#pragma once

#include "framework/controller.h"

namespace stride {

/// The defaults are k-diffusion's.
struct PidOptions {
  double rtol = 0.05;
  double atol = 0.0078;  ///< data scale
  double pcoeff = 0.0;
  double icoeff = 1.0;
  double dcoeff = 0.0;
  double accept_safety = 0.81;  ///< a step is accepted when the next one need not shrink below this share
  double h_init = 0.05;         ///< ln(σ₀/σ₁) of the first attempt
  double min_log_step = 1e-7;   ///< a step in ln σ below this is Status::step_underflow
  double end = 0.002;           ///< smallest positive σ of the run
  bool final_zero = true;       ///< close with the jump to 0

  /// Empty when valid, else what is wrong and how to fix it.
  [[nodiscard]] std::string invalid_reason() const;
};

/// PID step-size control (Söderlind 2003, ACM TOMS 29(1)) of the step in ln σ, per sample, with the limiter of
/// Söderlind & Wang 2006 (J. Comput. Appl. Math. 185): with w = 1/(E + 1e-8) and the last two accepted ones,
/// factor = 1 + atan(w^b₁ · w_1^b₂ · w_2^b₃ − 1), b₁ = (p + i + d)/q, b₂ = −(p + 2d)/q, b₃ = d/q, q the order of the
/// error estimate; accepted when the factor is at least accept_safety, and the step always grows by it. E =
/// RMS(error / max(atol, rtol·max(|x_low|, |x_low, the step before|))) with x_low the embedded solution. k-diffusion's
/// sample_dpm_adaptive per sample, not per batch. A non-finite estimate counts as infinite; a non-finite D(x) at an
/// accepted x ends the row as Status::non_finite. Needs a solver with an error estimate: decide() throws UsageError for
/// others.
class PidController final : public StepController {
 public:
  /// Throws UsageError when the options are invalid.
  explicit PidController(PidOptions options);

  [[nodiscard]] std::optional<int64_t> planned_steps() const noexcept override { return std::nullopt; }
  [[nodiscard]] double end() const noexcept override { return options_.end; }
  [[nodiscard]] bool final_zero() const noexcept override { return options_.final_zero; }
  [[nodiscard]] BatchState init(const RunConstant& constant, const Tensor& x, const Times& sigma) const override;
  [[nodiscard]] Times propose(const RunState& state) const override;
  [[nodiscard]] Decision decide(const RunState& state, const Step& step, const StepResult& result,
                                const SolverTraits& traits) const override;

 private:
  PidOptions options_;
};

}  // namespace stride
