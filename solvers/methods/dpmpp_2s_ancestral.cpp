// DPM++ 2S a: the two-evaluation step of DPM-Solver++ down to σ_down, then noise up to the next level.
#include "framework/error.h"
#include "solvers/shared/ancestral.h"
#include "solvers/shared/exponential_tableaux.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

namespace stride {
namespace {

class Dpmpp2sAncestral final : public Solver {
 public:
  Dpmpp2sAncestral(double eta, double s_noise) : traits_(traits_dpmpp_2s_ancestral()), eta_(eta), s_noise_(s_noise) {
    if (noise_free()) {
      traits_.stochastic = false;
      traits_.strong_order.reset();
      traits_.order = traits_.start_order = eta_ == 0.0 ? std::optional<int>(2) : std::nullopt;
    }
  }

  [[nodiscard]] const SolverTraits& traits() const noexcept override { return traits_; }

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

  SolverTraits traits_;
  double eta_, s_noise_;
  ExponentialTableau tableau_ = exponential_second(0.5, ExponentialWeighting::dpm_solver);
};

}  // namespace

const SolverTraits& traits_dpmpp_2s_ancestral() {
  static const SolverTraits traits{.name = "dpmpp_2s_ancestral",
                                   .aliases = {"DPM++ 2S a", "dpm++2s_a", "dpmpp_2s_a"},
                                   .family = "stochastic",
                                   .strong_order = 1.0,
                                   .stochastic = true,
                                   .reference = "k-diffusion, after Lu et al. 2022, arXiv:2211.01095, alg. 1",
                                   .summary = "two evaluations down to σ_down, then noise up to the next level",
                                   .options = "eta=1,s_noise=1",
                                   .variants = {"eta=0", "eta=0.5"},
                                   .also = {"k-diffusion", "ComfyUI", "A1111", "stable-diffusion.cpp"},
                                   .nfe = evaluations(2)};
  return traits;
}

std::unique_ptr<Solver> make_dpmpp_2s_ancestral(SolverOptions& options) {
  const double eta = options.number("eta", 1.0);
  const double s_noise = options.number("s_noise", 1.0);
  if (!(eta >= 0.0 && eta <= 1.0))
    throw UsageError(fmt::format("solver 'dpmpp_2s_ancestral': eta must lie in 0 … 1, not {}", eta));
  if (!(s_noise >= 0.0))
    throw UsageError(fmt::format("solver 'dpmpp_2s_ancestral': s_noise must not be negative, but is {}", s_noise));
  return std::make_unique<Dpmpp2sAncestral>(eta, s_noise);
}

}  // namespace stride
