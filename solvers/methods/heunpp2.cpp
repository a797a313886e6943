// Heun++ 2, a sampler of the WebUI community (sd-webui-samplers-scheduler, ComfyUI's heunpp2): the slopes at this
// level and at Euler's predictions of the next two, weighted by their levels,
//   w2 = σ_{i+1}/(m σ_0), w3 = σ_{i+2}/(m σ_0), w1 = 1 − w2 − w3,
// m = 3; with m = 2 and w3 = 0 where the level after the next ends the grid, and Euler in the grid's last step. The
// weights belong to no consistent quadrature, so the method is of first order.
#include "solvers/shared/tangent.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

class Heunpp2 final : public Method {
 public:
  using Method::Method;

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const Tensor& grid = step.constant().grid;
    const int64_t end = grid.size(1) - 1;
    const Tensor two_more = step.index + 2 < end;
    const Tensor one_more = step.index + 1 < end;
    // Rows whose next levels would lie beyond the grid look somewhere harmless, with weight 0.
    const Times beyond = grid.gather(1, (step.index + 2).clamp_max(end).unsqueeze(1)).squeeze(1);
    const Times after = at::where(two_more, beyond, step.to);
    const Times scale = at::where(two_more, 3.0 * grid.select(1, 0), 2.0 * grid.select(1, 0));
    const Times none = at::zeros_like(scale);
    const Times w2 = at::where(one_more, step.to / scale, none);
    const Times w3 = at::where(two_more, after / scale, none);

    const Tensor h = per_sample(step.to - step.from, x);
    const Tensor denoised = step.denoise(x, step.from);
    const TangentStages tangent(x, denoised, step.from);
    const Tensor second = tangent.bend(step.to, {}, step.denoise(tangent.at(step.to, {}), step.to));
    const Tensor off = per_sample(after - step.to, x) * second;
    const Tensor third = tangent.bend(after, off, step.denoise(tangent.at(after, off), after));
    const Tensor bend = per_sample(w2, x) * second + per_sample(w3, x) * third;
    return {tangent.at(step.to, h * bend), history, denoised, {}};
  }
};

}  // namespace

SolverEntry solver_heunpp2() {
  return solver_entry({.name = "heunpp2",
                       .aliases = {"Heun++ 2", "Heun++"},
                       .family = "one-step",
                       .reference = "ComfyUI sample_heunpp2, after sd-webui-samplers-scheduler; no paper: "
                                    "x' = x + h ((1 - w2 - w3) d1 + w2 d2 + w3 d3), w2 = sigma_(i+1)/(3 sigma_0), "
                                    "w3 = sigma_(i+2)/(3 sigma_0)",
                       .summary = "three slopes weighted by their levels; first order; fixed grids only",
                       .also = {"ComfyUI"}},
                      {.order = 1, .start_order = 1, .nfe = evaluations(3)}, {},
                      [](SolverTraits traits) { return std::make_unique<Heunpp2>(std::move(traits)); });
}

}  // namespace stride
