// DPM-Solver++(3M) for the reverse SDE: k-diffusion's sample_dpmpp_3m_sde. Its second difference enters with the
// weight φ₃; the parabola through the last three D has 2φ₃ (exact = true), without which the order is 2.
#include "solvers/shared/coefficients.h"
#include "solvers/shared/exponential.h"
#include "solvers/shared/multistep_start.h"
#include "solvers/shared/sde_path.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

struct Dpmpp3mSdeOptions : SdeOptions {
  bool exact = false;
  bool high_start = false;
};

class Dpmpp3mSde final : public Method {
 public:
  Dpmpp3mSde(const SolverTraits& traits, const SdeOptions& sde, bool exact, const MultistepStart& start)
      : Method(claims(traits, sde, exact ? 3 : 2, exact && start.steps > 0 ? 3 : 2)),
        sde_(sde),
        second_(exact ? 2.0 : 1.0),
        start_(start) {
    start.claim_cost(traits_);
  }

  [[nodiscard]] std::optional<Tensor> coefficients(const Tensor& grid) const override {
    return coefficients_of(grid, traits_.history, rule());
  }

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const History past = History::from_state(history, x);
    const Tensor denoised = step.denoise(x, step.from);
    const std::vector<Tensor> factors = coefficients_at(step, x, past, rule());
    const Tensor data =
        denoised + factors[0] * (denoised - past[0].denoised) - factors[1] * (past[0].denoised - past[1].denoised);
    const Tensor slope = (x - denoised) / per_sample(step.from, x);
    const Tensor next = with_start(start_, step, x, denoised, past.count(), SdePath(step, x, sde_).at(step.to, data));
    return {next, past.push({step.from, denoised, slope}).state(), denoised, {}};
  }

 private:
  // The factors of D_0 − D_1 and of D_1 − D_2.
  [[nodiscard]] CoefficientRule rule() const {
    return [this](const StepTimes& times) -> std::vector<Tensor> {
      const auto [h, z] = sde_step_size(times.from, times.to, sde_.eta);
      const Times slope_share = phi(2, z) / phi(1, z);
      const Times bend_share = second_ * phi(3, z) / phi(1, z);
      const Times r0 = (times.past[0] / times.from).log() / h;
      const Times r1 = (times.past[1] / times.past[0]).log() / h;
      // D′ ≈ δ₀ + (δ₀ − δ₁) r₀/(r₀ + r₁) and D″ ≈ (δ₀ − δ₁)/(r₀ + r₁) of the differences δ₀, δ₁, sorted by difference.
      const Times bend = (slope_share * r0 + bend_share) / (r0 + r1);
      const Times zero = at::zeros_like(h);
      const Times one_past = at::where(times.count > 0, slope_share / r0, zero);
      return {at::where(times.count > 1, (slope_share + bend) / r0, one_past),
              at::where(times.count > 1, bend / r1, zero)};
    };
  }

  SdeOptions sde_;
  double second_;
  MultistepStart start_;
};

}  // namespace

SolverEntry solver_dpmpp_3m_sde() {
  return solver_entry(
      {.name = "dpmpp_3m_sde",
       .aliases = {"dpmpp_3m_sde_gpu"},
       .family = "stochastic",
       .reference =
           "k-diffusion sample_dpmpp_3m_sde: x' = e^-z x - expm1(-z) D + phi_2 d1 - phi_3 d2 + noise, z = (1 + eta) h, "
           "phi_2 = expm1(-z)/z + 1, phi_3 = phi_2/z - 1/2",
       .summary = "3M on the reverse SDE; third order at eta = 0 only with exact=true",
       .variants = {"eta=0.5,s_noise=1.1", "eta=0,exact=true", "exact=true", "eta=0,exact=true,start=high"},
       .also = {"k-diffusion", "diffusers", "ComfyUI", "A1111"}},
      {.strong_order = 1.0, .nfe = evaluations(1)}, {.history = 2, .stochastic = true},
      options<Dpmpp3mSdeOptions>(
          SdeOptions::declared(),
          flag("exact", &Dpmpp3mSdeOptions::exact,
               "the second difference with the polynomial's weight, not the published half of it"),
          start_option(&Dpmpp3mSdeOptions::high_start))
          .check([](const Dpmpp3mSdeOptions& read) { return !read.high_start || read.eta == 0.0; },
                 "start=high is for eta=0; with noise the strong order is 1 however it starts"),
      [](SolverTraits traits, const Dpmpp3mSdeOptions& options) {
        return std::make_unique<Dpmpp3mSde>(std::move(traits), options, options.exact,
                                            options.high_start ? MultistepStart::high(3) : MultistepStart{});
      });
}

}  // namespace stride
