#include "solvers/ancestral.h"

#include "framework/error.h"

#include <ATen/ATen.h>

#include <fmt/format.h>

namespace stride {
namespace {

class JumpSolver final : public Solver {
 public:
  JumpSolver(SolverTraits traits, JumpRule rule) : traits_(std::move(traits)), rule_(std::move(rule)) {}

  [[nodiscard]] const SolverTraits& traits() const noexcept override { return traits_; }

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const Evaluation evaluation = step.evaluate(x, step.from);
    const Tensor& denoised = evaluation.denoised;
    const Jump jump = rule_(step, evaluation);
    const bool other = jump.noise_of == NoiseOf::unconditional && evaluation.unconditional.has_value();
    Tensor next = denoised + jump.keep * (x - (other ? *evaluation.unconditional : denoised));
    if (jump.spread) next = next + *jump.spread * step.noise(x);
    return {next, history, denoised, {}};
  }

 private:
  SolverTraits traits_;
  JumpRule rule_;
};

}  // namespace

std::unique_ptr<Solver> make_jump_solver(SolverTraits traits, JumpRule rule) {
  return std::make_unique<JumpSolver>(std::move(traits), std::move(rule));
}

std::unique_ptr<Solver> make_ancestral_solver(SolverTraits traits, double eta, NoiseOf noise_of) {
  if (!(eta >= 0.0 && eta <= 1.0))
    throw UsageError(fmt::format("solver '{}': eta must lie in 0 … 1, not {}", traits.name, eta));
  traits.stochastic = eta != 0.0;
  if (!traits.stochastic)
    traits.strong_order.reset();
  else
    traits.order = traits.start_order = std::nullopt;  // a path's order is the strong order
  return make_jump_solver(std::move(traits), [eta, noise_of](const Step& step, const Evaluation& evaluation) -> Jump {
    const Tensor& like = evaluation.denoised;
    const Times ratio = step.to / step.from;
    const Times share_up = eta * (1.0 - ratio.square()).sqrt();   // σ_up / σ_to
    const Times keep = ratio * (1.0 - share_up.square()).sqrt();  // σ_down / σ
    if (eta == 0.0) return {per_sample(keep, like), {}, noise_of};
    return {per_sample(keep, like), per_sample(step.to * share_up, like), noise_of};
  });
}

}  // namespace stride
