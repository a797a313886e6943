// The policy that asks a step predictor.
#pragma once

#include "framework/controller.h"
#include "neural/predictor/step_predictor.h"

#include <memory>

namespace stride {

struct PredictorOptions {
  double tolerance = 0.05;     ///< local error, RMS over a sample in the data scale
  double safety = 1.0;         ///< factor on the predicted step in ln σ
  double min_log_step = 0.02;  ///< smallest predicted step in ln σ: a factor of 0.98
  double max_log_step = 3.0;   ///< largest step in ln σ
  double end = 0.002;          ///< smallest positive σ of the run
  bool final_zero = true;      ///< close with the jump to 0

  /// Empty when valid for `info`, else what is wrong and how to fix it.
  [[nodiscard]] std::string invalid_reason(const PredictorInfo& info) const;
};

/// Chooses each row's next σ from what the run knows: no evaluation beyond the solver's, no rejection, no look at the
/// device. The step is the rest of the way to end(), in ln σ, divided by the number of predicted steps that it takes,
/// rounded up: never longer than the prediction. A step that would leave less than the smallest step to end() lands on
/// it exactly. A row whose D(x) is not finite ends as Status::non_finite.
class PredictorController final : public StepController {
 public:
  /// `predictor` on the device of the run. Throws UsageError when the options are invalid.
  PredictorController(std::shared_ptr<const StepPredictor> predictor, PredictorOptions options);

  [[nodiscard]] const StepPredictor& predictor() const noexcept { return *predictor_; }
  [[nodiscard]] std::optional<int64_t> planned_steps() const noexcept override { return std::nullopt; }
  [[nodiscard]] double end() const noexcept override { return options_.end; }
  [[nodiscard]] bool final_zero() const noexcept override { return options_.final_zero; }
  [[nodiscard]] BatchState init(const RunConstant& constant, const Tensor& x, const Times& sigma) const override;
  [[nodiscard]] Times propose(const RunState& state) const override;
  [[nodiscard]] Decision decide(const RunState& state, const Step& step, const StepResult& result,
                                const SolverTraits& traits) const override;

 private:
  [[nodiscard]] Times next_sigma(const Times& sigma, const Tensor& features) const;

  std::shared_ptr<const StepPredictor> predictor_;
  PredictorOptions options_;
};

}  // namespace stride
