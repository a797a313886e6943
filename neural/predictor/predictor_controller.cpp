#include "neural/predictor/predictor_controller.h"

#include "framework/error.h"
#include "neural/predictor/step_features.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <cmath>

namespace stride {
namespace {

// The memory's slots.
enum Slot : std::size_t { kNext, kStart, kKnown, kSigma, kDenoised, kSlope, kSlots };

}  // namespace

std::string PredictorOptions::invalid_reason(const PredictorInfo& info) const {
  if (!(tolerance >= info.tolerance_min && tolerance <= info.tolerance_max))
    return fmt::format("tolerance {} lies outside {} to {}, the range that the predictor was trained on", tolerance,
                       info.tolerance_min, info.tolerance_max);
  if (!(safety > 0.0 && std::isfinite(safety))) return "safety must be positive";
  if (!(min_log_step > 0.0 && min_log_step < max_log_step && std::isfinite(max_log_step)))
    return "min_log_step must be positive and below max_log_step";
  if (!(end > 0.0 && std::isfinite(end))) return "end must be a positive noise level";
  return "";
}

PredictorController::PredictorController(std::shared_ptr<const StepPredictor> predictor, PredictorOptions options)
    : predictor_(std::move(predictor)), options_(options) {
  if (predictor_ == nullptr) throw UsageError("policy predictor: there is no predictor");
  const std::string reason = options_.invalid_reason(predictor_->info());
  if (!reason.empty()) throw UsageError("policy predictor: " + reason);
}

Times PredictorController::next_sigma(const Times& sigma, const Tensor& features) const {
  // A NaN of a row that failed must not become a proposal: the smallest step then.
  const Tensor wanted = predictor_->step(features, options_.tolerance) * options_.safety;
  const Tensor step = wanted.nan_to_num(options_.min_log_step).clamp(options_.min_log_step, options_.max_log_step);
  // Equal shares of the rest: as many evaluations as with whole steps, and no stub at the end that wastes one.
  const Times rest = (sigma / options_.end).log();
  const Times next = sigma * (-rest / (rest / step).ceil().clamp_min(1.0)).exp();
  const double last = options_.end * std::exp(options_.min_log_step);
  return at::where(next > last, next, at::full_like(next, options_.end));
}

BatchState PredictorController::init(const RunConstant& /*constant*/, const Tensor& x, const Times& sigma) const {
  const Tensor start = start_statistics(x, sigma);
  const Tensor known = at::zeros_like(sigma, sigma.options().dtype(at::kLong));
  const Tensor nothing = at::zeros_like(x);
  const StepKnowledge knowledge{sigma, x, sigma, nothing, nothing, sigma, nothing, nothing, known, start};
  return BatchState({next_sigma(sigma, step_features(knowledge)), start, known, sigma, nothing, nothing});
}

Times PredictorController::propose(const RunState& state) const { return state.memory[kNext]; }

Decision PredictorController::decide(const RunState& state, const Step& step, const StepResult& result,
                                     const SolverTraits& /*traits*/) const {
  const BatchState& memory = state.memory;
  const Tensor known = memory[kKnown] + 1;
  const Tensor slope = (state.x - result.denoised) / per_sample(step.from, state.x);
  const StepKnowledge knowledge{step.to,        result.x,          step.from,      result.denoised, slope,
                                memory[kSigma], memory[kDenoised], memory[kSlope], known,           memory[kStart]};
  const Times next = next_sigma(step.to, step_features(knowledge));

  Decision decision;
  decision.memory = BatchState({next, memory[kStart], known, step.from, result.denoised, slope});
  const Tensor status =
      at::where(step.to <= options_.end, static_cast<int64_t>(Status::ok), static_cast<int64_t>(Status::running));
  decision.status = at::where(all_finite(result.denoised).logical_and(all_finite(result.x)), status,
                              at::full_like(status, static_cast<int64_t>(Status::non_finite)))
                        .to(at::kChar);
  return decision;
}

}  // namespace stride
