// How a hybrid is written, and the grid that it means.
#include "framework/error.h"
#include "solvers/hybrid.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <regex>

namespace stride {
namespace {

// STEPS[:HIGH-LOW] after an '@', up to the comma of the next leg or the end.
const std::regex& tail_pattern() {
  static const std::regex pattern(R"(@([0-9]+)(:([0-9.]+(?:e[+-]?[0-9]+)?)-([0-9.]+(?:e[+-]?[0-9]+)?))?(?=,|$))");
  return pattern;
}

}  // namespace

bool is_hybrid(const std::string& text) {
  std::string::const_iterator end = text.begin();
  for (std::sregex_iterator found(text.begin(), text.end(), tail_pattern()), none; found != none; ++found)
    end = (*found)[0].second;
  return end == text.end() && !text.empty();
}

std::vector<HybridLeg> parse_hybrid(const std::string& text) {
  if (!is_hybrid(text))
    throw UsageError(fmt::format(
        "hybrid '{}': write SOLVER@STEPS[:HIGH-LOW] for each leg, with commas between, e.g. ddim@10,heun@5:1.0-0.002",
        text));
  std::vector<HybridLeg> legs;
  auto begin = text.begin();
  for (std::sregex_iterator found(text.begin(), text.end(), tail_pattern()), none; found != none; ++found) {
    const std::smatch& tail = *found;
    HybridLeg leg{std::string(begin, tail[0].first), parse_integer(tail[1], "hybrid: the steps of a leg"), {}, {}};
    if (leg.solver.empty() || leg.solver.find('@') != std::string::npos)
      throw UsageError(fmt::format("hybrid '{}': '{}' is no solver", text, leg.solver));
    if (tail[2].matched) {
      leg.high = parse_number(tail[3], fmt::format("hybrid: the range of '{}'", leg.solver));
      leg.low = parse_number(tail[4], fmt::format("hybrid: the range of '{}'", leg.solver));
      if (!(*leg.low > 0.0 && *leg.low < *leg.high))
        throw UsageError(
            fmt::format("hybrid: the range of '{}' falls from a higher level to a lower one above 0, not {} to {}",
                        leg.solver, *leg.high, *leg.low));
    }
    legs.push_back(std::move(leg));
    begin = tail[0].second;
    if (begin != text.end()) ++begin;  // the comma
  }
  return legs;
}

int64_t hybrid_steps(const std::vector<HybridLeg>& legs) {
  return std::accumulate(legs.begin(), legs.end(), int64_t{0}, [](int64_t sum, const HybridLeg& leg) {
    constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
    return leg.steps > kMost - sum ? kMost : sum + leg.steps;  // a grid will refuse it
  });
}

std::vector<HybridLeg> last_steps(const std::vector<HybridLeg>& legs, int64_t steps) {
  int64_t skipped = hybrid_steps(legs) - steps;
  if (steps < 1 || skipped < 0)
    throw UsageError(fmt::format("hybrid: {} steps have no last {}", hybrid_steps(legs), steps));
  std::vector<HybridLeg> left;
  for (HybridLeg leg : legs) {
    const int64_t less = std::min(skipped, leg.steps);
    skipped -= less;
    leg.steps -= less;
    if (leg.steps > 0) left.push_back(std::move(leg));
  }
  return left;
}

TimeGrid hybrid_grid(const std::vector<HybridLeg>& legs, const Spec& schedule, GridRequest request) {
  std::vector<double> levels;
  const Final end = request.final;
  const double lowest = request.sigma_min;
  double high = request.sigma_max;
  for (std::size_t at = 0; at < legs.size();) {
    // One leg with a range, or all neighbours without one.
    std::size_t next = at + 1;
    while (!legs[at].high && next < legs.size() && !legs[next].high) ++next;
    if (legs[at].high && at == 0) high = *legs[at].high;
    if (legs[at].high && *legs[at].high != high)
      throw UsageError(fmt::format("hybrid: the leg '{}' begins at {}, but the one before ends at {}; ranges must meet",
                                   legs[at].solver, *legs[at].high, high));
    const double low = legs[at].low ? *legs[at].low : next < legs.size() ? *legs[next].high : lowest;
    const std::vector<HybridLeg> part(legs.begin() + static_cast<std::ptrdiff_t>(at),
                                      legs.begin() + static_cast<std::ptrdiff_t>(next));
    request.steps = hybrid_steps(part);
    request.sigma_max = high;
    request.sigma_min = low;
    request.final = next == legs.size() ? end : Final::sigma_min;
    const TimeGrid grid = make_grid(schedule, request);
    const bool ranged = at > 0 || next < legs.size() || legs[at].high;
    const bool one_jump = request.final == Final::zero && request.steps == 1;
    if (ranged && (grid.start() != high || (grid.end() != low && !one_jump)))
      throw UsageError(
          fmt::format("hybrid: the schedule '{}' has levels of its own and takes no range; use karras or "
                      "exponential",
                      schedule.name));
    if (!levels.empty()) levels.pop_back();
    levels.insert(levels.end(), grid.sigmas().begin(), grid.sigmas().end());
    high = low;
    at = next;
  }
  return TimeGrid(std::move(levels));
}

}  // namespace stride
