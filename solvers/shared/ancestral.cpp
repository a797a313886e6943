#include "solvers/shared/ancestral.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

class JumpSolver final : public Method {
 public:
  JumpSolver(SolverTraits traits, JumpRule rule) : Method(std::move(traits)), rule_(std::move(rule)) {}

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
  JumpRule rule_;
};

}  // namespace

AncestralLevels ancestral_levels(const Times& from, const Times& to, double eta) {
  const Times left = (to / from).square();
  // 1 − η²(1 − left) without its cancellation where a step spans decades. Above η = 1 a long step ends at 0.
  return {to * (1.0 - eta * eta + eta * eta * left).clamp_min(0.0).sqrt(),
          to * (eta * (1.0 - left).sqrt()).clamp_max(1.0)};
}

Options<AncestralOptions> AncestralOptions::declared(double eta) {
  return options<AncestralOptions>(number("eta", &AncestralOptions::eta, in_range(0, 1),
                                          "how much of the noise is new: 0 none, 1 as ancestral sampling has it"))
      .with({.eta = eta});
}

Options<AncestralOptions> AncestralOptions::of_any_size() {
  using Read = AncestralOptions;
  return options<Read>(number("eta", &Read::eta, at_least(0),
                              "how much of the noise is new: 0 none, 1 as ancestral sampling has it; above it, more"),
                       number("s_noise", &Read::s_noise, at_least(0), "factor on the noise that is added"));
}

std::unique_ptr<Solver> make_jump_solver(SolverTraits traits, JumpRule rule) {
  return std::make_unique<JumpSolver>(std::move(traits), std::move(rule));
}

std::unique_ptr<Solver> make_ancestral_solver(SolverTraits traits, const AncestralOptions& options, NoiseOf noise_of) {
  traits.stochastic = options.draws();
  if (!options.draws()) traits.strong_order.reset();
  if (options.eta != 0.0) traits.order = traits.start_order = std::nullopt;  // a path's order is the strong order
  return make_jump_solver(std::move(traits),
                          [options, noise_of](const Step& step, const Evaluation& evaluation) -> Jump {
                            const Tensor& like = evaluation.denoised;
                            const AncestralLevels levels = ancestral_levels(step.from, step.to, options.eta);
                            const Tensor keep = per_sample(levels.down / step.from, like);
                            if (!options.draws()) return {keep, {}, noise_of};
                            return {keep, per_sample(options.s_noise * levels.up, like), noise_of};
                          });
}

}  // namespace stride
