#include "solvers/shared/sde_path.h"

#include <ATen/ATen.h>

namespace stride {

SdeJump sde_jump(const Times& from, const Times& to, const Times& eta, SdeKind kind) {
  const Times ratio = to / from;
  const Times h = (from / to).log();
  if (kind == SdeKind::linear)
    return {ratio * (-eta * h).exp(), -(-(h + eta * h)).expm1(), to * (-(-2.0 * eta * h).expm1()).sqrt()};
  const Times left = (1.0 - eta.square()) + (eta * ratio).square();  // σ_down²/σ_to², without cancellation at η = 1
  return {ratio * left.sqrt(), -(0.5 * left.log() - h).expm1(), to * eta * (1.0 - ratio.square()).sqrt()};
}

Options<SdeOptions> SdeOptions::declared(SdeKind kind) {
  const Bounds eta = kind == SdeKind::linear ? at_least(0) : in_range(0, 1);
  return options<SdeOptions>(number("eta", &SdeOptions::eta, eta, "how much noise goes in: 0 none, 1 the reverse SDE"),
                             number("s_noise", &SdeOptions::s_noise, at_least(0), "factor on the noise that is added"))
      .with({.kind = kind});
}

SolverTraits claims(SolverTraits traits, const SdeOptions& options, int order, int start_order) {
  traits.stochastic = options.draws();
  if (!options.draws()) traits.strong_order.reset();
  if (options.eta == 0.0) {
    traits.order = order;
    traits.start_order = start_order;
  }
  return traits;
}

SdePath::SdePath(Step& step, const Tensor& x, const SdeOptions& options)
    : step_(step), x_(x), options_(options), last_(step.from) {}

Tensor SdePath::at(const Times& to, const Tensor& data) {
  const SdeJump jump = sde_jump(step_.from, to, at::full_like(to, options_.eta), options_.kind);
  const Tensor next = per_sample(jump.keep, x_) * x_ + per_sample(jump.gain, x_) * data;
  if (!options_.draws()) return next;
  const bool linear = options_.kind == SdeKind::linear;
  const double exponent = linear ? options_.eta : 1.0;
  const Times h = (last_ / to).log();
  const Tensor fresh = per_sample((-(-2.0 * exponent * h).expm1()).sqrt(), x_) * step_.noise(x_, last_, to);
  noise_ = noise_.defined() ? per_sample((-exponent * h).exp(), x_) * noise_ + fresh : fresh;
  last_ = to;
  const double amplitude = options_.s_noise * (linear ? 1.0 : options_.eta);
  return next + per_sample(amplitude * to, x_) * noise_;
}

SdeStepSize sde_step_size(const Times& from, const Times& to, double eta) {
  const Times h = (from / to).log();
  return {h, -(1.0 + eta) * h};
}

}  // namespace stride
