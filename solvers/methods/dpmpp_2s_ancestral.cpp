// DPM++ 2S a: the two-evaluation step of DPM-Solver++ down to σ_down, then noise up to the next level.
#include "solvers/shared/ancestral.h"
#include "solvers/shared/exponential_tableaux.h"
#include "solvers/shared/sde_path.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

class Dpmpp2sAncestral final : public Method {
 public:
  Dpmpp2sAncestral(SolverTraits traits, double eta, double s_noise)
      : Method(std::move(traits)), eta_(eta), s_noise_(s_noise) {
    if (noise_free()) {
      traits_.stochastic = false;
      traits_.strong_order.reset();
      traits_.order = traits_.start_order = eta_ == 0.0 ? std::optional<int>(2) : std::nullopt;
    }
  }

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const AncestralLevels levels = ancestral_levels(step.from, step.to, eta_);
    StepResult result = exponential_step(step, x, history, Prediction::data,
                                         numbers_of(tableau_, Prediction::data, step.from, levels.down));
    result.error.reset();  // the estimate says nothing about the noise
    if (!noise_free()) result.x = result.x + per_sample(s_noise_ * levels.up, x) * step.noise(x);
    return result;
  }

 private:
  [[nodiscard]] bool noise_free() const { return eta_ == 0.0 || s_noise_ == 0.0; }

  double eta_, s_noise_;
  ExponentialTableau tableau_ = exponential_second(0.5, ExponentialWeighting::dpm_solver);
};

}  // namespace

SolverEntry solver_dpmpp_2s_ancestral() {
  return solver_entry({.name = "dpmpp_2s_ancestral",
                       .aliases = {"DPM++ 2S a", "dpm++2s_a", "dpmpp_2s_a"},
                       .family = "stochastic",
                       .reference = "k-diffusion, after Lu et al. 2022, arXiv:2211.01095, alg. 1",
                       .summary = "two evaluations down to σ_down, then noise up to the next level",
                       .variants = {"eta=0", "eta=0.5"},
                       .also = {"k-diffusion", "ComfyUI", "A1111", "stable-diffusion.cpp"}},
                      {.strong_order = 1.0, .nfe = evaluations(2)}, {.stochastic = true},
                      SdeOptions::declared(SdeKind::ancestral), [](SolverTraits traits, const SdeOptions& options) {
                        return std::make_unique<Dpmpp2sAncestral>(std::move(traits), options.eta, options.s_noise);
                      });
}

}  // namespace stride
