#include "solvers/shared/coefficients.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace stride {

Tensor StepTimes::left() const { return steps - index; }

Tensor coefficients_of(const Tensor& grid, int64_t capacity, const CoefficientRule& rule) {
  const int64_t batch = grid.size(0);
  const bool alike = batch > 0 && grid.stride(0) == 0;  // one grid for all rows, as TimeGrid::rows makes it
  const Tensor levels = alike ? grid.narrow(0, 0, 1) : grid;
  const int64_t steps = grid.size(1) - 1;
  StepTimes times;
  times.from = levels.narrow(1, 0, steps).contiguous();
  times.to = levels.narrow(1, 1, steps).contiguous();
  for (int64_t k = 1; k <= capacity; ++k) {
    const int64_t none = std::min(k, steps);
    times.past.push_back(at::cat({at::ones_like(times.from.narrow(1, 0, none)), levels.narrow(1, 0, steps - none)}, 1));
  }
  times.index = at::arange(steps, grid.options().dtype(at::kLong)).expand({levels.size(0), -1}).contiguous();
  times.count = times.index.clamp_max(capacity);
  times.steps = steps;
  times.end = levels.narrow(1, steps, 1).expand({-1, steps}).contiguous();
  return at::stack(rule(times), 2).expand({batch, -1, -1});
}

std::vector<Tensor> coefficients_at(const Step& step, const Tensor& x, const History& past,
                                    const CoefficientRule& rule) {
  std::optional<Tensor> row = step.coefficients();
  if (!row) {
    const Tensor& grid = step.constant().grid;
    const int64_t steps = grid.size(1) - 1;
    StepTimes times{step.from, step.to, {}, past.count(), step.index, steps, grid.select(1, steps)};
    for (int64_t k = 0; k < past.capacity(); ++k) times.past.push_back(past[k].sigma);
    row = at::stack(rule(times), 1);
  }
  std::vector<int64_t> shape(static_cast<std::size_t>(x.dim()), 1);
  shape[0] = x.size(0);
  std::vector<Tensor> factors;
  for (const Tensor& factor : row->to(x.scalar_type()).unbind(1)) factors.push_back(factor.view(shape));
  return factors;
}

}  // namespace stride
