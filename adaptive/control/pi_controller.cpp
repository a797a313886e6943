#include "adaptive/control/pi_controller.h"

#include "adaptive/control/error_control.h"
#include "adaptive/control/pi_kernels.h"
#include "framework/error.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>

namespace stride {
namespace {

// Memory slots, float64 [B] each.
enum Slot : std::size_t { kLogStep, kLastError };

}  // namespace

std::string PiOptions::invalid_reason() const {
  const auto positive = [](double v) { return std::isfinite(v) && v > 0.0; };
  if (!(rtol >= 0.0 && atol >= 0.0 && positive(rtol + atol)))
    return "policy 'pi': rtol and atol must be at least 0, and one of them positive";
  if (!(safety > 0.0 && safety < 1.0)) return "policy 'pi': safety must lie between 0 and 1";
  if (!(factor_min > 0.0 && factor_min < 1.0 && factor_max > 1.0))
    return "policy 'pi': needs 0 < factor_min < 1 < factor_max";
  if (!(integral > 0.0 && proportional >= 0.0))
    return "policy 'pi': integral must be positive and proportional at least 0";
  if (!(first_ratio > 1.0 && std::isfinite(first_ratio))) return "policy 'pi': first_ratio must be above 1";
  if (!positive(min_log_step)) return "policy 'pi': min_log_step must be positive";
  if (!positive(end)) return "policy 'pi': the end must be a positive sigma";
  return {};
}

PiController::PiController(PiOptions options) : options_(options) {
  if (const std::string reason = options_.invalid_reason(); !reason.empty()) throw UsageError(reason);
}

BatchState PiController::init(const RunConstant& /*constant*/, const Tensor& /*x*/, const Times& sigma) const {
  return BatchState({at::full_like(sigma, std::log(options_.first_ratio)), at::ones_like(sigma)});
}

Times PiController::propose(const RunState& state) const {
  const bool plain = !state.sigma.is_cuda() || state.sigma.requires_grad() || state.memory[kLogStep].requires_grad();
  return plain ? propose_plain(state) : cuda::pi_propose(options_, state.sigma, state.memory[kLogStep]);
}

Times PiController::propose_plain(const RunState& state) const {
  const Times to = state.sigma * (-state.memory[kLogStep]).exp();
  const Times remainder = (to / options_.end).log();
  return at::where(remainder > kWorthwhile * state.memory[kLogStep], to, at::full_like(to, options_.end));
}

Decision PiController::decide(const RunState& state, const Step& step, const StepResult& result,
                              const SolverTraits& traits) const {
  const cuda::PiSeen seen{estimate_of(result, traits, "pi"), state.x, result.x, result.denoised, step.from, step.to,
                          state.memory[kLastError]};
  if (!result.x.is_cuda() || !cuda::pi_takes(seen)) return decide_plain(state, step, result, traits);
  cuda::PiDecided decided = cuda::pi_decide(options_, *traits.error_order, seen);
  return {std::move(decided.accept), BatchState({std::move(decided.log_step), std::move(decided.last_error)}),
          std::move(decided.status)};
}

Decision PiController::decide_plain(const RunState& state, const Step& step, const StepResult& result,
                                    const SolverTraits& traits) const {
  const Tensor& estimate = estimate_of(result, traits, "pi");
  // Without rtol one number stands for passes over two images. It is a tensor of their dtype: divided by a number, an
  // estimate has other last bits on CUDA.
  const Tensor scale = options_.rtol == 0.0
                           ? at::full({1}, options_.atol, estimate.options())
                           : options_.atol + options_.rtol * at::maximum(state.x.abs(), result.x.abs());
  const Times error = scaled_error(estimate, scale).clamp(1e-10, std::numeric_limits<double>::max());
  const Tensor accept = error <= 1.0;
  const double order = *traits.error_order;
  // exp and log, not pow: ATen's pow gives a row other last bits in a batch than alone.
  const Times exponent =
      (options_.proportional * state.memory[kLastError].log() - options_.integral * error.log()) / order;
  const Times growth = (options_.safety * exponent.exp()).clamp(options_.factor_min, options_.factor_max);
  // A rejected step never grows, and what was taken, not what was proposed, is what grows.
  const Times factor = at::where(accept, growth, growth.clamp_max(1.0));
  const Times log_step = (step.from / step.to).log() * factor;
  const Times last_error = at::where(accept, error, state.memory[kLastError]);
  return {accept, BatchState({log_step, last_error}),
          status_after(step, result, accept, log_step, options_.min_log_step, options_.end)};
}

}  // namespace stride
