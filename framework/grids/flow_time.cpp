#include "framework/grids/flow_time.h"

#include "framework/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace stride {

double flow_sigma(double s) { return s / (1.0 - s); }

double flow_start(double below) { return 1.0 - std::min(kFlowTerminal, 0.25 * (1.0 - below)); }

Options<FlowShiftOptions> FlowShiftOptions::declared() {
  using Read = FlowShiftOptions;
  return options<Read>(
             number("shift", &Read::shift, above(0), "the shift itself").listed_as("1"),
             number("mu", &Read::mu, any_number(), "the shift by its logarithm"),
             number("seq_len", &Read::seq_len, any_number(), "the shift by the length of the model's sequence"),
             number("base_shift", &Read::base_shift, any_number(), "mu of the shorter sequence"),
             number("max_shift", &Read::max_shift, any_number(), "mu of the longer sequence"),
             number("base_seq_len", &Read::base_seq_len, any_number(), "the shorter sequence"),
             number("max_seq_len", &Read::max_seq_len, any_number(), "the longer sequence"),
             choice("time_shift", &Read::linear, {{"exponential", false}, {"linear", true}},
                    "whether mu is the shift's logarithm or the shift itself"))
      .check(
          [](const Read& read) {
            return int{read.shift.has_value()} + int{read.mu.has_value()} + int{read.seq_len.has_value()} <= 1;
          },
          "give one of shift, mu and seq_len")
      .check([](const Read& read) { return !read.seq_len || read.max_seq_len > read.base_seq_len; },
             "max_seq_len must be above base_seq_len");
}

FlowShift FlowShiftOptions::made(const std::string& what) const {
  std::optional<double> dynamic = mu;
  if (seq_len)
    dynamic = base_shift + (max_shift - base_shift) / (max_seq_len - base_seq_len) * (*seq_len - base_seq_len);
  FlowShift out;
  out.dynamic = dynamic.has_value();
  if (shift) out.multiplier = *shift;
  if (dynamic) out.multiplier = linear ? *dynamic : std::exp(*dynamic);
  if (!(out.multiplier > 0.0 && std::isfinite(out.multiplier)))
    throw UsageError(fmt::format("{}: the shift must be positive and finite, not {}", what, out.multiplier));
  return out;
}

}  // namespace stride
