// DPM-Solver++(2M) for the reverse SDE: Lu et al. 2022 (arXiv:2211.01095), SDE-DPM-Solver++(2M), for η = 1;
// k-diffusion's sample_dpmpp_2m_sde for any η. η = 0 with solver_type = midpoint is dpmpp_2m.
#include "solvers/shared/coefficients.h"
#include "solvers/shared/exponential.h"
#include "solvers/shared/sde_path.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

struct Dpmpp2mSdeOptions : SdeOptions {
  bool heun = false;
};

class Dpmpp2mSde final : public Method {
 public:
  Dpmpp2mSde(const SolverTraits& traits, const SdeOptions& sde, bool heun)
      : Method(claims(traits, sde, 2, 2)), sde_(sde), heun_(heun) {}

  [[nodiscard]] std::optional<Tensor> coefficients(const Tensor& grid) const override {
    return coefficients_of(grid, traits_.history, rule());
  }

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const History past = History::from_state(history, x);
    const Tensor denoised = step.denoise(x, step.from);
    const Tensor weight = coefficients_at(step, x, past, rule()).front();
    const Tensor data = denoised + weight * (denoised - past[0].denoised);
    const Tensor slope = (x - denoised) / per_sample(step.from, x);
    return {SdePath(step, x, sde_).at(step.to, data), past.push({step.from, denoised, slope}).state(), denoised, {}};
  }

 private:
  // The factor of the difference of the last two D.
  [[nodiscard]] CoefficientRule rule() const {
    return [this](const StepTimes& times) -> std::vector<Tensor> {
      const auto [h, z] = sde_step_size(times.from, times.to, sde_.eta);
      const Times r = (times.past[0] / times.from).log() / h;
      const Times gain = heun_ ? phi(2, z) / phi(1, z) / r : 0.5 / r;
      return {at::where(times.count > 0, gain, at::zeros_like(h))};
    };
  }

  SdeOptions sde_;
  bool heun_;
};

}  // namespace

SolverEntry solver_dpmpp_2m_sde() {
  return solver_entry(
      {.name = "dpmpp_2m_sde",
       .aliases = {"DPM++ 2M SDE", "dpmpp_2m_sde_gpu", "dpm++2m_sde", "dpm++2m_sde_bt", "dpmpp_2m_sde_k"},
       .family = "stochastic",
       .reference = "Lu et al. 2022, arXiv:2211.01095, SDE-DPM-Solver++(2M): x' = e^-z x - expm1(-z) "
                    "(D_i + h/h_(i-1) (D_i - D_(i-1))/2) + noise, z = (1 + eta) h; k-diffusion",
       .summary = "2M on the reverse SDE; second order at eta = 0, where midpoint is dpmpp_2m",
       .variants = {"solver_type=heun", "eta=0.5,s_noise=1.1", "eta=0"},
       .also = {"k-diffusion", "diffusers", "ComfyUI", "A1111", "InvokeAI", "stable-diffusion.cpp"}},
      {.strong_order = 1.0, .nfe = evaluations(1)}, {.history = 1, .stochastic = true},
      options<Dpmpp2mSdeOptions>(SdeOptions::declared(),
                                 choice("solver_type", &Dpmpp2mSdeOptions::heun, {{"midpoint", false}, {"heun", true}},
                                        "the second-order step: DPM-Solver's shortcut, or the polynomial exactly")),
      [](SolverTraits traits, const Dpmpp2mSdeOptions& options) {
        return std::make_unique<Dpmpp2mSde>(std::move(traits), options, options.heun);
      });
}

}  // namespace stride
