#include "solvers/shared/churn.h"

#include <ATen/ATen.h>

#include <cmath>

namespace stride {

Options<Churn> Churn::declared() {
  return options<Churn>(
      number("s_churn", &Churn::s_churn, at_least(0), "how much noise a run adds before its steps; 0: none"),
      number("s_tmin", &Churn::s_tmin, at_least(0), "the smallest noise level that is churned"),
      number("s_tmax", &Churn::s_tmax, at_least(0).or_infinite(), "the largest noise level that is churned"),
      number("s_noise", &Churn::s_noise, at_least(0), "factor on the noise that is added"));
}

SolverTraits Churn::claims(SolverTraits traits) const {
  if (!active()) return traits;
  traits.order = traits.start_order = traits.error_order = std::nullopt;
  traits.strong_order = 1.0;
  traits.stochastic = true;
  traits.integrates_sde = false;
  return traits;
}

Churned Churn::raise(Step& step, const Tensor& x) const {
  if (!active()) return {x, step.from};
  const auto steps = static_cast<double>(step.constant().grid.size(1) - 1);
  const double most = std::min(s_churn / steps, std::sqrt(2.0) - 1.0);
  const Tensor inside = (step.from >= s_tmin).logical_and(step.from <= s_tmax);
  const Times gamma = at::where(inside, at::full_like(step.from, most), at::zeros_like(step.from));
  const Times spread = step.from * (gamma * (2.0 + gamma)).sqrt();  // √(σ̂² − σ²)
  if (s_noise == 0.0) return {x, step.from * (1.0 + gamma)};
  return {x + per_sample(s_noise * spread, x) * step.noise(x), step.from * (1.0 + gamma)};
}

StepResult Churn::finish(Step& step, const Tensor& x, const BatchState& history) const {
  const auto [start, from] = raise(step, x);
  const Tensor denoised = step.denoise(start, from);
  return {denoised, history, denoised, {}};
}

}  // namespace stride
