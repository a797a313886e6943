#include "evaluation/comparison/nfe_curve.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace stride {

CurveNfe nfe_at(std::vector<std::pair<double, double>> points, double error) {
  const auto usable = [](double value) { return std::isfinite(value) && value > 0.0; };
  const bool good = usable(error) && std::all_of(points.begin(), points.end(), [&](const auto& point) {
                      return usable(point.first) && usable(point.second);
                    });
  if (!good || points.empty()) return {std::numeric_limits<double>::quiet_NaN(), 0};
  std::sort(points.begin(), points.end());
  if (error > points.front().second) return {points.front().first, -1};
  double least = points.front().second, from = points.front().first;
  if (error == least) return {from, 0};
  for (const auto& [nfe, value] : points) {
    if (value <= error) {
      const double share = (std::log(least) - std::log(error)) / (std::log(least) - std::log(value));
      return {std::exp((1.0 - share) * std::log(from) + share * std::log(nfe)), 0};
    }
    least = std::min(least, value);
    from = nfe;
  }
  return {points.back().first, 1};
}

}  // namespace stride
