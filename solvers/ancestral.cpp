#include "solvers/ancestral.h"

#include "framework/error.h"

#include <ATen/ATen.h>

#include <fmt/format.h>

namespace stride {
namespace {

class Ancestral final : public Solver {
 public:
  Ancestral(SolverTraits traits, double eta, NoiseOf noise_of)
      : traits_(std::move(traits)), eta_(eta), noise_of_(noise_of) {}
  [[nodiscard]] const SolverTraits& traits() const noexcept override { return traits_; }
  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    return ancestral_step(step, x, history, eta_, noise_of_);
  }

 private:
  SolverTraits traits_;
  double eta_;
  NoiseOf noise_of_;
};

}  // namespace

StepResult ancestral_step(Step& step, const Tensor& x, const BatchState& history, double eta, NoiseOf noise_of) {
  const Evaluation seen = step.evaluate(x, step.from);
  const Tensor& denoised = seen.denoised;
  const bool other = noise_of == NoiseOf::unconditional && seen.unconditional.has_value();
  const Times ratio = step.to / step.from;
  const Times share_up = eta * (1.0 - ratio.square()).sqrt();   // σ_up / σ_to
  const Times keep = ratio * (1.0 - share_up.square()).sqrt();  // σ_down / σ
  Tensor next = denoised + per_sample(keep, x) * (x - (other ? *seen.unconditional : denoised));
  if (eta != 0.0) next = next + per_sample(step.to * share_up, x) * step.noise(x);
  return {next, history, denoised, {}};
}

std::unique_ptr<Solver> make_ancestral_solver(SolverTraits traits, double eta, NoiseOf noise_of) {
  if (!(eta >= 0.0 && eta <= 1.0))
    throw UsageError(fmt::format("solver '{}': eta must lie in 0 … 1, not {}", traits.name, eta));
  traits.stochastic = eta != 0.0;
  if (!traits.stochastic)
    traits.strong_order.reset();
  else
    traits.order = traits.start_order = std::nullopt;  // a path's order is the strong order
  return std::make_unique<Ancestral>(std::move(traits), eta, noise_of);
}

}  // namespace stride
