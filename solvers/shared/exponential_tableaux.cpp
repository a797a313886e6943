#include "solvers/shared/exponential_tableaux.h"

namespace stride {
namespace {

// The second row of weights at `node`, of g_2 − g_1 for a first stage at c2.
std::vector<PhiTerm> second_weight(double node, double c2, bool exact) {
  return exact ? std::vector<PhiTerm>{{node * node / c2, 2}} : std::vector<PhiTerm>{{node * node / (2.0 * c2), 1}};
}

}  // namespace

ExponentialTableau exponential_first() { return {.order = 1, .stages = {}, .last = {1.0}}; }

ExponentialTableau exponential_second(double c2, ExponentialWeighting weighting) {
  const bool exact = weighting == ExponentialWeighting::heun;
  return {.order = 2, .stages = {{c2}}, .last = {1.0, {second_weight(1.0, c2, exact)}}, .embedded = {{1.0}}};
}

ExponentialTableau exponential_third(ExponentialWeighting weighting) {
  const double c2 = 1.0 / 3.0;
  const double c3 = 2.0 / 3.0;
  const double gap = c3 - c2;
  const ExponentialRow third{c3, {second_weight(c3, c2, weighting != ExponentialWeighting::midpoint)}};
  // φ_2 times the slope of the parabola through three points, plus φ_3 times its curvature.
  const ExponentialRow parabola{
      1.0, {{{c3 / (c2 * gap), 2}, {-2.0 / (c2 * gap), 3}}, {{-c2 / (c3 * gap), 2}, {2.0 / (c3 * gap), 3}}}};
  const ExponentialRow secant{1.0, {{}, {{1.0 / c3, 2}}}};
  return {.order = 3,
          .stages = {{c2}, third},
          .last = weighting == ExponentialWeighting::heun ? parabola : secant,
          .embedded = {{1.0, {second_weight(1.0, c2, weighting != ExponentialWeighting::dpm_solver)}}}};
}

Options<SinglestepOptions> SinglestepOptions::declared(int64_t order) {
  using Weighting = ExponentialWeighting;
  return options<SinglestepOptions>(
             integer("order", &SinglestepOptions::order, in_range(1, 3), "order, and evaluations in each step"),
             choice(
                 "solver_type", &SinglestepOptions::weighting,
                 {{"dpm_solver", Weighting::dpm_solver}, {"midpoint", Weighting::midpoint}, {"heun", Weighting::heun}},
                 "which of the published weights; they agree to leading order"))
      .with({.order = order});
}

ExponentialTableau SinglestepOptions::tableau() const {
  if (order == 1) return exponential_first();
  if (order == 2) return exponential_second(0.5, weighting);
  return exponential_third(weighting);
}

}  // namespace stride
