#include "solvers/shared/runge_kutta.h"

#include "solvers/shared/tangent.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace stride {
namespace {

// The ends exactly, and not up to a rounding: D is asked at `to` by the last stage and by the next step.
Times level(const Step& step, double node) {
  if (node == 0.0) return step.from;
  if (node == 1.0) return step.to;
  return step.from + node * (step.to - step.from);
}

class RungeKutta final : public Method {
 public:
  RungeKutta(SolverTraits traits, ButcherTableau tableau) : Method(std::move(traits)), tableau_(std::move(tableau)) {}

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const Tensor h = per_sample(step.to - step.from, x);
    const Tensor denoised = step.denoise(x, step.from);
    const TangentStages tangent(x, denoised, step.from);
    std::vector<Tensor> bends;  // of the stages after the first
    for (std::size_t i = 1; i < tableau_.nodes.size(); ++i) {
      const Times sigma = level(step, tableau_.nodes[i]);
      const Tensor off = scaled_sum(h, tableau_.stages[i], bends, 1);
      bends.push_back(tangent.bend(sigma, off, step.denoise(tangent.at(sigma, off), sigma)));
    }
    StepResult result{tangent.at(step.to, scaled_sum(h, tableau_.weights, bends, 1)), history, denoised, {}};
    if (!tableau_.error.empty()) result.error = scaled_sum(h, tableau_.error, bends, 1);
    return result;
  }

 private:
  ButcherTableau tableau_;
};

struct RungeKuttaOptions {
  bool error = true;
};

const ButcherTableau& tableau_named(const std::string& name) {
  const auto& all = butcher_tableaux();
  const auto found = std::find_if(all.begin(), all.end(), [&](const ButcherTableau& t) { return t.name == name; });
  TORCH_INTERNAL_ASSERT(found != all.end(), "solvers/shared/butcher_tableaux.cpp has no tableau ", name);
  return *found;
}

}  // namespace

ButcherTableau ButcherTableau::without_error() const {
  ButcherTableau out = *this;
  out.embedded_order = 0;
  out.error.clear();
  while (out.weights.size() < out.nodes.size()) out.weights.push_back(0.0);
  while (out.weights.back() == 0.0) {
    out.nodes.pop_back();
    out.stages.pop_back();
    out.weights.pop_back();
  }
  return out;
}

SolverEntry runge_kutta_entry(SolverCard card) {
  const ButcherTableau& tableau = tableau_named(card.name);
  SolverClaims claims{.order = tableau.order, .start_order = tableau.order, .nfe = evaluations(tableau.evaluations())};
  if (tableau.embedded_order != 0) claims.error_order = tableau.embedded_order + 1;
  card.family = "one-step";
  Options<RungeKuttaOptions> declared;
  if (tableau.without_error().evaluations() < tableau.evaluations()) {
    declared.add(flag("error", &RungeKuttaOptions::error, "estimate the error, at the cost of more evaluations"));
    card.variants = {"error=false"};
  }
  return solver_entry(std::move(card), std::move(claims), {}, declared,
                      [&tableau](SolverTraits traits, const RungeKuttaOptions& options) {
                        ButcherTableau used = options.error ? tableau : tableau.without_error();
                        if (!options.error) {
                          traits.error_order.reset();
                          traits.nfe = evaluations(used.evaluations());
                        }
                        return std::make_unique<RungeKutta>(std::move(traits), std::move(used));
                      });
}

}  // namespace stride
