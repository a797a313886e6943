#include "datasets/metrics/crossed_interval.h"

#include "datasets/metrics/distributions.h"

#include <cmath>
#include <limits>

namespace stride {

CrossedInterval crossed_interval(double all, const std::vector<double>& training, const std::vector<int64_t>& trainings,
                                 const std::vector<double>& without, double level) {
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  CrossedInterval out = {{all, kNan, kNan}, 0.0, jackknife_variance(without), kNan};
  const double seeds = static_cast<double>(without.size()) - 1.0;
  double share = seeds > 0.0 ? out.sampling * out.sampling / seeds : 0.0;
  bool trained = false;
  for (std::size_t i = 0; i < training.size(); ++i) {
    if (trainings[i] < 2) continue;
    trained = true;
    out.training += training[i];
    share += training[i] * training[i] / static_cast<double>(trainings[i] - 1);
  }
  const double sum = out.training + out.sampling;
  if (!trained || seeds < 1.0 || !std::isfinite(sum)) return out;
  out.degrees = share > 0.0 ? sum * sum / share : seeds;
  const double half = student_t(level, out.degrees) * std::sqrt(sum);
  out.all = {all, all - half, all + half};
  return out;
}

}  // namespace stride
