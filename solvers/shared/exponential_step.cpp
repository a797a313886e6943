#include "solvers/shared/exponential_step.h"

#include "solvers/shared/exponential.h"
#include "solvers/shared/tangent.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

ExponentialWeights weights_of(const ExponentialRow& row, Prediction prediction, const Times& from, const Times& to) {
  const bool data = prediction == Prediction::data;
  const Times h = (from / to).log();
  const Times z = row.node * (data ? -h : h);
  const Times sigma = row.node == 1.0 ? to : from * (-row.node * h).exp();
  // y = x/σ and g = −ε, of the noise form, bring a factor −σ_i to every weight.
  const Times scale = data ? h : -sigma * h;
  ExponentialWeights out{sigma, data ? sigma / from : at::ones_like(h), row.node * scale * phi(1, z), {}};
  for (const std::vector<PhiTerm>& weight : row.weights) {
    Times sum = at::zeros_like(h);
    for (const PhiTerm& term : weight) sum = sum + term.factor * phi(term.k, z);
    out.differences.push_back(scale * sum);
  }
  return out;
}

// Row by row the one or the other; a missing difference weighs nothing.
ExponentialWeights where(const Tensor& keep, const ExponentialWeights& a, const ExponentialWeights& b) {
  const auto pick = [&](const Times& left, const Times& right) { return at::where(keep, left, right); };
  const Times zero = at::zeros_like(a.sigma);
  ExponentialWeights out{pick(a.sigma, b.sigma), pick(a.keep, b.keep), pick(a.first, b.first), {}};
  for (std::size_t j = 0; j < std::max(a.differences.size(), b.differences.size()); ++j)
    out.differences.push_back(
        pick(j < a.differences.size() ? a.differences[j] : zero, j < b.differences.size() ? b.differences[j] : zero));
  return out;
}

// Σ_j differences[j]·parts[j]; undefined where there are none.
Tensor off_line(const ExponentialWeights& row, const Tensor& x, const std::vector<Tensor>& parts) {
  Tensor sum;
  for (std::size_t j = 0; j < row.differences.size(); ++j) {
    const Tensor part = per_sample(row.differences[j], x) * parts[j];
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
}

class ExponentialSolver final : public Method {
 public:
  ExponentialSolver(SolverTraits traits, Prediction prediction, ExponentialTableau tableau)
      : Method(std::move(traits)), prediction_(prediction), tableau_(std::move(tableau)) {}
  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    return exponential_step(step, x, history, prediction_, numbers_of(tableau_, prediction_, step.from, step.to));
  }

 private:
  Prediction prediction_;
  ExponentialTableau tableau_;
};

}  // namespace

ExponentialNumbers numbers_of(const ExponentialTableau& tableau, Prediction prediction, const Times& from,
                              const Times& to) {
  ExponentialNumbers out{{}, weights_of(tableau.last, prediction, from, to), {}, {}};
  for (const ExponentialRow& row : tableau.stages) out.stages.push_back(weights_of(row, prediction, from, to));
  for (const ExponentialRow& row : tableau.embedded) out.embedded.push_back(weights_of(row, prediction, from, to));
  return out;
}

ExponentialNumbers choose(const Tensor& choice, const std::vector<ExponentialNumbers>& methods) {
  ExponentialNumbers out = methods.back();
  out.embedded.clear();
  for (std::size_t i = 0; i < out.stages.size(); ++i) out.used.push_back(at::ones_like(choice, at::kBool));
  for (std::size_t m = 0; m + 1 < methods.size(); ++m) {
    const Tensor chosen = choice == static_cast<int64_t>(m);
    out.last = where(chosen, methods[m].last, out.last);
    for (std::size_t i = 0; i < out.stages.size(); ++i) {
      if (i < methods[m].stages.size())
        out.stages[i] = where(chosen, methods[m].stages[i], out.stages[i]);
      else
        out.used[i] = out.used[i].logical_and(chosen.logical_not());
    }
  }
  return out;
}

StepResult exponential_step(Step& step, const Tensor& x, const BatchState& history, Prediction prediction,
                            const ExponentialNumbers& numbers) {
  const Tensor denoised = step.denoise(x, step.from);
  const TangentStages tangent(x, denoised, step.from);
  // Where a constant g leads: for the noise that is its tangent.
  const auto place = [&](const ExponentialWeights& row, const Tensor& off) {
    if (prediction == Prediction::noise) return tangent.at(row.sigma, off);
    const Tensor line = per_sample(row.keep, x) * x + per_sample(row.first, x) * denoised;
    return off.defined() ? line + off : line;
  };
  std::vector<Tensor> differences;  // g_2 − g_1, g_3 − g_1, …
  for (std::size_t i = 0; i < numbers.stages.size(); ++i) {
    const ExponentialWeights& row = numbers.stages[i];
    const Tensor off = off_line(row, x, differences);
    const Tensor there = numbers.used.empty() ? step.denoise(place(row, off), row.sigma)
                                              : step.denoise_for(numbers.used[i], place(row, off), row.sigma);
    differences.push_back(prediction == Prediction::noise ? tangent.bend(row.sigma, off, there) : there - denoised);
  }
  const Tensor off = off_line(numbers.last, x, differences);
  StepResult result{place(numbers.last, off), history, denoised, {}};
  if (!numbers.embedded.empty()) {
    const Tensor embedded = off_line(numbers.embedded[0], x, differences);
    result.error = embedded.defined() ? off - embedded : off;
  }
  return result;
}

std::unique_ptr<Solver> make_exponential_solver(SolverTraits traits, Prediction prediction,
                                                ExponentialTableau tableau) {
  traits.order = traits.start_order = tableau.order;
  traits.error_order = std::nullopt;
  if (!tableau.embedded.empty()) traits.error_order = tableau.order;
  traits.nfe = evaluations(static_cast<int64_t>(tableau.stages.size()) + 1);
  return std::make_unique<ExponentialSolver>(std::move(traits), prediction, std::move(tableau));
}

}  // namespace stride
