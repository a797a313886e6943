#include "solvers/shared/multistep_start.h"

#include "solvers/shared/tangent.h"

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

Tensor with_start(const MultistepStart& start, Step& step, const Tensor& x, const Tensor& denoised, const Tensor& count,
                  const Tensor& next) {
  if (step.least_index() >= start.steps) return next;
  const Tensor rows = (step.index < start.steps).logical_and(count < start.steps);
  const Tensor width = per_sample(step.to - step.from, x);
  const StartTableau& tableau = *start.tableau;
  const TangentStages tangent(x, denoised, step.from);
  std::vector<Tensor> bends;
  for (std::size_t i = 1; i < tableau.nodes.size(); ++i) {
    const Times sigma = at::lerp(step.from, step.to, tableau.nodes[i]);
    const Tensor off = scaled_sum(width, tableau.stages[i], bends, 1);
    bends.push_back(tangent.bend(sigma, off, step.denoise_for(rows, tangent.at(sigma, off), sigma)));
  }
  return where_rows(rows, tangent.at(step.to, scaled_sum(width, tableau.weights, bends, 1)), next);
}

}  // namespace stride
