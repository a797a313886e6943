#include "solvers/shared/runge_kutta.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace stride {
namespace {

// Σ_j weights[j]·slopes[j] without the zeros; weights[j] = 0 for all j never occurs in a method.
Tensor weighted(const std::vector<double>& weights, const std::vector<Tensor>& slopes) {
  Tensor sum;
  for (std::size_t j = 0; j < weights.size(); ++j) {
    if (weights[j] == 0.0) continue;
    const Tensor part = weights[j] * slopes[j];
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
}

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
    Tensor first;
    std::vector<Tensor> slopes;
    for (std::size_t i = 0; i < tableau_.nodes.size(); ++i) {
      const Times sigma = level(step, tableau_.nodes[i]);
      const Tensor at_stage = i == 0 ? x : x + h * weighted(tableau_.stages[i], slopes);
      const Tensor denoised = step.denoise(at_stage, sigma);
      if (i == 0) first = denoised;
      slopes.push_back(step.term().drift(at_stage, sigma, denoised));
    }
    StepResult result{x + h * weighted(tableau_.weights, slopes), history, first, {}};
    if (!tableau_.error.empty()) result.error = h * weighted(tableau_.error, slopes);
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
