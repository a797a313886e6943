#include "adaptive/control/pid_controller.h"

#include "adaptive/control/error_control.h"
#include "framework/error.h"

#include <ATen/ATen.h>

#include <cmath>

namespace stride {
namespace {

// Memory slots: float64 [B] each, then the embedded solution of the last accepted step [B, …].
enum Slot : std::size_t { kLogStep, kLast, kSecondLast, kLowOrder };

constexpr double kErrorFloor = 1e-8;
// A step that would leave less than this of ln σ goes to the end, as k-diffusion's stops there.
constexpr double kRemainder = 1e-5;

}  // namespace

std::string PidOptions::invalid_reason() const {
  const auto positive = [](double v) { return std::isfinite(v) && v > 0.0; };
  if (!(rtol >= 0.0 && positive(atol) && std::isfinite(rtol)))
    return "policy 'pid': rtol must be at least 0, and atol positive";
  if (!(std::isfinite(pcoeff) && std::isfinite(icoeff) && std::isfinite(dcoeff) && pcoeff + icoeff + dcoeff > 0.0))
    return "policy 'pid': pcoeff + icoeff + dcoeff must be positive, or a large error would not shorten the step";
  if (!(accept_safety > 1.0 - std::atan(1.0) && accept_safety < 1.0))
    return "policy 'pid': accept_safety must lie between 0.215, the smallest factor, and 1";
  if (!positive(h_init)) return "policy 'pid': h_init must be positive";
  if (!positive(min_log_step)) return "policy 'pid': min_log_step must be positive";
  if (!positive(end)) return "policy 'pid': the end must be a positive sigma";
  return {};
}

PidController::PidController(PidOptions options) : options_(options) {
  if (const std::string reason = options_.invalid_reason(); !reason.empty()) throw UsageError(reason);
}

BatchState PidController::init(const RunConstant& /*constant*/, const Tensor& x, const Times& sigma) const {
  // No error seen yet is 0 in place of its inverse.
  return BatchState({at::full_like(sigma, options_.h_init), at::zeros_like(sigma), at::zeros_like(sigma), x});
}

Times PidController::propose(const RunState& state) const {
  const Times to = state.sigma * (-state.memory[kLogStep]).exp();
  return at::where((to / options_.end).log() > kRemainder, to, at::full_like(to, options_.end));
}

Decision PidController::decide(const RunState& state, const Step& step, const StepResult& result,
                               const SolverTraits& traits) const {
  const Tensor& estimate = estimate_of(result, traits, "pid");
  const Tensor low = result.x - estimate;
  const Tensor size = at::maximum(low.abs(), state.memory[kLowOrder].abs());
  const Times error = scaled_error(estimate, (options_.rtol * size).clamp_min(options_.atol));
  const Tensor known = at::isfinite(error);
  const Times inverse = 1.0 / (error + kErrorFloor);
  // The first error that is known stands for the two before it.
  const auto before = [&](Slot slot) {
    const Times& value = state.memory[slot];
    return at::where((value == 0.0).logical_and(known), inverse, value);
  };
  const Times last = before(kLast);
  const Times second_last = before(kSecondLast);
  const double order = *traits.error_order;
  // exp and log, not pow: ATen's pow gives a row other last bits in a batch than alone.
  const Times gain =
      ((options_.pcoeff + options_.icoeff + options_.dcoeff) / order * inverse.log() -
       (options_.pcoeff + 2.0 * options_.dcoeff) / order * last.log() + options_.dcoeff / order * second_last.log())
          .exp();
  const Times factor = 1.0 + (at::where(known, gain, at::zeros_like(gain)) - 1.0).atan();
  const Tensor accept = factor >= options_.accept_safety;
  const Times log_step = state.memory[kLogStep] * factor;
  BatchState memory({log_step, at::where(accept, inverse, last), at::where(accept, last, second_last),
                     where_rows(accept, low, state.memory[kLowOrder])});
  return {accept, std::move(memory), status_after(step, result, accept, log_step, options_.min_log_step, options_.end)};
}

}  // namespace stride
