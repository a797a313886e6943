// Error control per sample: every row has its own step.
#pragma once

#include "framework/controller.h"

namespace stride {

struct PiOptions {
  double rtol = 0.0;   ///< of a state that is σ at the start: 0.05 of 80 would allow an error of 4
  double atol = 0.05;  ///< data scale
  double safety = 0.9;
  double integral = 1.0;      ///< β₁·q of Söderlind 2003: exponent of the present error
  double proportional = 0.4;  ///< β₂·q: exponent of the last accepted error
  double factor_min = 0.2;
  double factor_max = 5.0;
  double first_ratio = 1.5;    ///< σ₀/σ₁ of the first attempt
  double min_log_step = 1e-7;  ///< a step in ln σ below this is Status::step_underflow
  double end = 0.002;          ///< smallest positive σ of the run
  bool final_zero = true;      ///< close with the jump to 0

  /// Empty when valid, else what is wrong and how to fix it.
  [[nodiscard]] std::string invalid_reason() const;
};

/// PI step-size control (Gustafsson 1991, ACM TOMS 17(4); Söderlind 2003, ACM TOMS 29(1)) of the step in ln σ, per
/// sample: E = RMS(error / (atol + rtol·max(|x|, |x_next|))), accepted when E ≤ 1, next step = step · safety ·
/// E^(−integral/q) · E_last^(proportional/q), q the order of the error estimate. A non-finite estimate counts as
/// infinite; a non-finite D(x) at an accepted x ends the row as Status::non_finite. Needs a solver with an
/// error estimate: decide() throws UsageError for others.
class PiController final : public StepController {
 public:
  /// Throws UsageError when the options are invalid.
  explicit PiController(PiOptions options);

  [[nodiscard]] std::optional<int64_t> planned_steps() const noexcept override { return std::nullopt; }
  [[nodiscard]] double end() const noexcept override { return options_.end; }
  [[nodiscard]] bool final_zero() const noexcept override { return options_.final_zero; }
  [[nodiscard]] BatchState init(const RunConstant& constant, const Tensor& x, const Times& sigma) const override;
  [[nodiscard]] Times propose(const RunState& state) const override;
  [[nodiscard]] Decision decide(const RunState& state, const Step& step, const StepResult& result,
                                const SolverTraits& traits) const override;

  /// The same by ATen's operations: what the kernels of pi_kernels.h are held to.
  [[nodiscard]] Times propose_plain(const RunState& state) const;
  [[nodiscard]] Decision decide_plain(const RunState& state, const Step& step, const StepResult& result,
                                      const SolverTraits& traits) const;

  /// A remainder shorter than this part of a step is taken along: it is not worth a step of its own.
  static constexpr double kWorthwhile = 0.05;

 private:
  PiOptions options_;
};

}  // namespace stride
