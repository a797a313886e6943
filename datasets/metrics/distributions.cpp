#include "datasets/metrics/distributions.h"

#include "framework/error.h"

#include <fmt/format.h>
#include <boost/math/distributions/students_t.hpp>
#include <boost/math/special_functions/beta.hpp>

namespace stride {

double student_t(double level, double degrees) {
  if (!(level > 0.0 && level < 1.0) || !(degrees >= 1.0))
    throw UsageError(
        fmt::format("Student's t needs 0 < level < 1 and at least one degree of freedom; got level {} and {} degrees",
                    level, degrees));
  return boost::math::quantile(boost::math::students_t(degrees), 0.5 + 0.5 * level);
}

double fair_coin(int64_t k, int64_t n) {
  if (k < 0) return 0.0;
  if (k >= n) return 1.0;
  return boost::math::ibeta(static_cast<double>(n - k), static_cast<double>(k) + 1.0, 0.5);
}

}  // namespace stride
