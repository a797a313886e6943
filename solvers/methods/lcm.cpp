// LCM: multistep consistency sampling, Luo et al. 2023 (arXiv:2310.04378) alg. 3: x ← f(x) + σ_to z. Where the model is
// not its own boundary condition, `boundary` gives f(x) = c_skip(t)·x_VP + c_out(t)·D with c_skip = σ_d²/(τ² + σ_d²),
// c_out = τ/√(τ² + σ_d²), τ = scaling·t (with diffusers' constants); else f is D.
#include "framework/grids/timestep_table.h"

#include "solvers/solver_list.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

constexpr double kSigmaData = 0.5;

struct LcmOptions {
  bool boundary = false;
  double scaling = 10.0;
};

class Lcm final : public Method {
 public:
  Lcm(SolverTraits traits, std::optional<TimestepTable> axis, double scaling)
      : Method(std::move(traits)), axis_(std::move(axis)), scaling_(scaling) {}

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    StepResult result = finish(step, x, history);
    result.x = result.x + per_sample(step.to, x) * step.noise(x);
    return result;
  }

  [[nodiscard]] StepResult finish(Step& step, const Tensor& x, const BatchState& history) const override {
    const Tensor denoised = step.denoise(x, step.from);
    if (!axis_) return {denoised, history, denoised, {}};
    const Times tau = scaling_ * (*axis_)(step.from);
    const Times total = tau.square() + kSigmaData * kSigmaData;
    const Times skip = kSigmaData * kSigmaData / total * (1.0 + step.from.square()).rsqrt();
    return {per_sample(tau / total.sqrt(), x) * denoised + per_sample(skip, x) * x, history, denoised, {}};
  }

 private:
  std::optional<TimestepTable> axis_;
  double scaling_;
};

}  // namespace

SolverEntry solver_lcm() {
  return solver_entry(
      {.name = "lcm",
       .aliases = {"LCM"},
       .family = "consistency",
       .reference = "Luo et al. 2023, arXiv:2310.04378, alg. 3",
       .summary = "jumps to the clean estimate and diffuses it to the next level",
       .variants = {"boundary=true"},
       .also = {"diffusers", "ComfyUI", "A1111", "InvokeAI", "stable-diffusion.cpp"}},
      {.nfe = evaluations(1)}, {.stochastic = true},
      options<LcmOptions>(
          flag("boundary", &LcmOptions::boundary, "impose the boundary condition, for models that lack it"),
          number("scaling", &LcmOptions::scaling, above(0), "of the timestep in the boundary condition")),
      [](SolverTraits traits, const LcmOptions& options, const SolverContext& context) {
        std::optional<TimestepTable> axis;
        if (options.boundary) axis.emplace(timestep_axis(context, traits), context.device);
        return std::make_unique<Lcm>(std::move(traits), std::move(axis), options.scaling);
      });
}

}  // namespace stride
