#include "solvers/ancestral.h"

#include "framework/error.h"

#include <ATen/ATen.h>

#include <fmt/format.h>

namespace stride {
namespace {

class Ancestral final : public Solver {
 public:
  Ancestral(SolverTraits traits, double eta) : traits_(std::move(traits)), eta_(eta) {}
  [[nodiscard]] const SolverTraits& traits() const noexcept override { return traits_; }
  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    return ancestral_step(step, x, history, eta_);
  }

 private:
  SolverTraits traits_;
  double eta_;
};

}  // namespace

AncestralLevels ancestral_levels(const Times& from, const Times& to, double eta) {
  const Times left = (to / from).square();
  // 1 − η²(1 − left) without its cancellation where a step spans decades.
  return {to * (1.0 - eta * eta + eta * eta * left).sqrt(), to * (eta * (1.0 - left).sqrt())};
}

StepResult ancestral_step(Step& step, const Tensor& x, const BatchState& history, double eta) {
  const Tensor denoised = step.denoise(x, step.from);
  const AncestralLevels levels = ancestral_levels(step.from, step.to, eta);
  Tensor next = denoised + per_sample(levels.down / step.from, x) * (x - denoised);
  if (eta != 0.0) next = next + per_sample(levels.up, x) * step.noise(x);
  return {next, history, denoised, {}};
}

std::unique_ptr<Solver> make_ancestral_solver(SolverTraits traits, double eta) {
  if (!(eta >= 0.0 && eta <= 1.0))
    throw UsageError(fmt::format("solver '{}': eta must lie in 0 … 1, not {}", traits.name, eta));
  traits.stochastic = eta != 0.0;
  if (!traits.stochastic)
    traits.strong_order.reset();
  else
    traits.order = traits.start_order = std::nullopt;  // a path's order is the strong order
  return std::make_unique<Ancestral>(std::move(traits), eta);
}

}  // namespace stride
