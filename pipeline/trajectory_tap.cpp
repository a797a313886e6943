#include "pipeline/trajectory_tap.h"

#include "framework/error.h"
#include "framework/text_list.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <numeric>

namespace stride {

std::vector<int64_t> parse_save_at(const std::string& text, int64_t steps) {
  std::vector<int64_t> points;
  if (text == "all") {
    points.resize(static_cast<std::size_t>(steps) + 1);
    std::iota(points.begin(), points.end(), 0);
    return points;
  }
  for (const int64_t index : parse_integers(text, "`save_at`")) {
    const int64_t point = index < 0 ? index + steps + 1 : index;
    if (point < 0 || point > steps) {
      throw UsageError(fmt::format("`save_at` {}: the grid has the points 0 to {}, or -{} to -1 from the end", text,
                                   steps, steps + 1));
    }
    if (!points.empty() && point <= points.back())
      throw UsageError(fmt::format("`save_at` {}: the points must increase", text));
    points.push_back(point);
  }
  if (points.size() < 2) throw UsageError(fmt::format("`save_at` {}: at least two points make a trajectory", text));
  return points;
}

void TrajectoryTap::see(const Tensor& before, const Tensor& after, const Tensor& denoised) {
  const auto keep = [&](int64_t point, const Tensor& x) {
    if (next_ >= points_.size() || points_[next_] != point) return false;
    x_.push_back(x);
    ++next_;
    return true;
  };
  if (keep(seen_, before) && next_ < points_.size()) denoised_.push_back(denoised);
  ++seen_;
  if (seen_ == steps_) (void)keep(steps_, after);
}

TrajectoryBatch TrajectoryTap::batch(const Tensor& seeds, const RunResult& result) const {
  const int64_t n = seeds.size(0);  // padded rows stay behind
  TrajectoryBatch out;
  out.x = at::stack(x_, 1).narrow(0, 0, n);
  out.denoised = at::stack(denoised_, 1).narrow(0, 0, n);
  out.seed = seeds;
  out.nfe = result.nfe.to(at::kInt);
  out.status = result.status;
  return out;
}

}  // namespace stride
