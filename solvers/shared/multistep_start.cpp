#include "solvers/shared/multistep_start.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>

namespace stride {
namespace {

const std::array<StartTableau, 3> kTableaux{
    {{2, {0.0, 1.0}, {{}, {1.0}}, {1.0 / 2, 1.0 / 2}},
     {3, {0.0, 1.0 / 2, 1.0}, {{}, {1.0 / 2}, {-1.0, 2.0}}, {1.0 / 6, 2.0 / 3, 1.0 / 6}},
     {4,
      {0.0, 1.0 / 2, 1.0 / 2, 1.0},
      {{}, {1.0 / 2}, {0.0, 1.0 / 2}, {0.0, 0.0, 1.0}},
      {1.0 / 6, 1.0 / 3, 1.0 / 3, 1.0 / 6}}}};

// x + (to − from) Σ_j weights[j]·slopes[j].
Tensor moved(const Tensor& x, const Tensor& width, const std::vector<double>& weights,
             const std::vector<Tensor>& slopes) {
  Tensor sum = x;
  for (std::size_t j = 0; j < weights.size(); ++j)
    if (weights[j] != 0.0) sum = sum + width * weights[j] * slopes[j];
  return sum;
}

}  // namespace

const StartTableau& start_tableau(int order) {
  TORCH_INTERNAL_ASSERT(order >= 2 && order <= 4, "a start has order 2, 3 or 4");
  return kTableaux[static_cast<std::size_t>(order - 2)];
}

MultistepStart MultistepStart::high(int64_t order) {
  if (order < 3) return {};
  return {&start_tableau(static_cast<int>(order - 1)), order - 2};
}

int64_t MultistepStart::more_evaluations(int64_t run_steps, bool final_zero) const {
  if (steps == 0) return 0;
  const int64_t made = std::min(steps, final_zero ? run_steps - 1 : run_steps);
  return made * static_cast<int64_t>(tableau->nodes.size() - 1);
}

void MultistepStart::claim_cost(SolverTraits& traits) const {
  traits.masked = steps > 0;
  traits.nfe = [start = *this](int64_t run_steps, bool final_zero) {
    return run_steps + start.more_evaluations(run_steps, final_zero);
  };
}

Tensor with_start(const MultistepStart& start, Step& step, const Tensor& x, const Tensor& slope, const Tensor& count,
                  const Tensor& next) {
  if (step.least_index() >= start.steps) return next;
  const Tensor rows = (step.index < start.steps).logical_and(count < start.steps);
  const Tensor width = per_sample(step.to - step.from, x);
  const StartTableau& tableau = *start.tableau;
  std::vector<Tensor> slopes{slope};
  for (std::size_t i = 1; i < tableau.nodes.size(); ++i) {
    const Tensor at = moved(x, width, tableau.stages[i], slopes);
    const Times sigma = at::lerp(step.from, step.to, tableau.nodes[i]);
    slopes.push_back((at - step.denoise_for(rows, at, sigma)) / per_sample(sigma, x));
  }
  return where_rows(rows, moved(x, width, tableau.weights, slopes), next);
}

}  // namespace stride
