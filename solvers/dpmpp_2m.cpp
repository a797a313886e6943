// DPM-Solver++(2M): Lu et al. 2022 (arXiv:2211.01095) alg. 2, in λ = −ln σ.
#include "solvers/solver_list.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

class Dpmpp2m final : public Solver {
 public:
  [[nodiscard]] const SolverTraits& traits() const noexcept override { return traits_dpmpp_2m(); }

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const History past = History::from_state(history, x);
    const Tensor denoised = step.denoise(x, step.from);
    const Times h = (step.from / step.to).log();
    const Times r = (past[0].sigma / step.from).log() / h;
    // Without a past evaluation the row extrapolates nothing: DPM-Solver++(1), which is DDIM.
    const Times gain = at::where(past.count() > 0, 0.5 / r, at::zeros_like(h));
    const Tensor extrapolated = denoised + per_sample(gain, x) * (denoised - past[0].denoised);
    const Tensor next = per_sample(step.to / step.from, x) * x - per_sample((-h).expm1(), x) * extrapolated;
    const Tensor slope = (x - denoised) / per_sample(step.from, x);
    return {next, past.push({step.from, denoised, slope}).state(), denoised, {}};
  }
};

}  // namespace

const SolverTraits& traits_dpmpp_2m() {
  static const SolverTraits traits{
      .name = "dpmpp_2m",
      .aliases = {"DPM++ 2M", "dpm++2m", "DPMSolverMultistepScheduler"},
      .family = "multistep",
      .order = 2,
      .start_order = 2,
      .history = 1,
      .reference = "Lu et al. 2022, arXiv:2211.01095, alg. 2",
      .summary = "second order in log-SNR, one evaluation a step",
      .options = "",
      .also = {"k-diffusion", "diffusers", "ComfyUI", "A1111", "InvokeAI", "diff-sampler", "stable-diffusion.cpp"},
      .nfe = evaluations(1)};
  return traits;
}

std::unique_ptr<Solver> make_dpmpp_2m(SolverOptions& /*options*/) { return std::make_unique<Dpmpp2m>(); }

}  // namespace stride
