#include "framework/grids/flow_time.h"

#include "framework/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace stride {

const char* const kFlowShiftOptions =
    "shift=1 | mu=… | seq_len=…,base_shift=0.5,max_shift=1.15,base_seq_len=256,max_seq_len=4096; "
    "time_shift=exponential|linear";

double flow_sigma(double s) { return s / (1.0 - s); }

double flow_start(double below) { return 1.0 - std::min(kFlowTerminal, 0.25 * (1.0 - below)); }

FlowShift read_flow_shift(OptionReader& options, const std::string& what) {
  constexpr double kNotGiven = std::numeric_limits<double>::quiet_NaN();
  const double shift = options.number("shift", kNotGiven);
  double mu = options.number("mu", kNotGiven);
  const double length = options.number("seq_len", kNotGiven);
  const double base = options.number("base_shift", 0.5);
  const double most = options.number("max_shift", 1.15);
  const double base_length = options.number("base_seq_len", 256.0);
  const double most_length = options.number("max_seq_len", 4096.0);
  const std::string rule = options.word("time_shift", "exponential");
  if (rule != "exponential" && rule != "linear")
    throw UsageError(fmt::format("{}: time_shift must be exponential or linear, not '{}'", what, rule));
  if (int{!std::isnan(shift)} + int{!std::isnan(mu)} + int{!std::isnan(length)} > 1)
    throw UsageError(fmt::format("{}: give one of shift, mu and seq_len", what));
  if (!std::isnan(length)) {
    if (!(most_length > base_length)) throw UsageError(fmt::format("{}: max_seq_len must be above base_seq_len", what));
    mu = base + (most - base) / (most_length - base_length) * (length - base_length);
  }
  FlowShift out;
  out.dynamic = !std::isnan(mu);
  if (!std::isnan(shift)) out.multiplier = shift;
  if (out.dynamic) out.multiplier = rule == "exponential" ? std::exp(mu) : mu;
  if (!(out.multiplier > 0.0 && std::isfinite(out.multiplier)))
    throw UsageError(fmt::format("{}: the shift must be positive and finite, not {}", what, out.multiplier));
  return out;
}

}  // namespace stride
