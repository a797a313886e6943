// The reversible Heun method, Kidger et al. 2021 (arXiv:2105.13493) alg. 1, of the probability flow as dy/ds = D(y/s)
// with y = x/σ and the clock s = 1/σ, which has no linear part. The algorithm is begun half a step later: x is the
// prediction ẑ, which is what the network sees, so that a step makes its one evaluation where it begins; z follows when
// that is known. Everything is a mean of images, since in σ itself the difference of z and ẑ, a mode of its own, grows
// where the image does not bend: as much as σ falls.
#include "solvers/methods/reversible_heun.h"

#include "solvers/solver_list.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

constexpr int64_t kExtras = 3;  // z, D and σ of the step before; σ = 0: there is none

class ReversibleHeun final : public Method {
 public:
  using Method::Method;

  [[nodiscard]] BatchState init(const Tensor& x) const override {
    return BatchState({at::zeros_like(x), at::zeros_like(x), at::zeros({x.size(0)}, x.options().dtype(at::kDouble))});
  }

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const Tensor denoised = step.denoise(x, step.from);
    const ReversiblePair pair = reversible_pair(x, history, denoised, step.from);
    return {reversible_predicted(pair, step.to), BatchState({pair.x, denoised, step.from}), denoised, {}};
  }
};

}  // namespace

Tensor reversible_corrected(const ReversiblePair& before, const Tensor& denoised, const Times& level) {
  const Times keep = level / before.level;
  return per_sample(keep, before.x) * before.x +
         per_sample(0.5 * (1.0 - keep), before.x) * (before.denoised + denoised);
}

Tensor reversible_predicted(const ReversiblePair& before, const Times& level) {
  const Times keep = level / before.level;
  return before.denoised + per_sample(keep, before.x) * (2.0 * before.x - before.hat - before.denoised);
}

Tensor reversible_prediction_before(const ReversiblePair& after, const Times& level) {
  const Times grow = level / after.level;
  return after.denoised + per_sample(grow, after.x) * (2.0 * after.x - after.hat - after.denoised);
}

Tensor reversible_before(const ReversiblePair& after, const Tensor& denoised, const Times& level) {
  const Tensor mean = 0.5 * (after.denoised + denoised);
  return mean + per_sample(level / after.level, after.x) * (after.x - mean);
}

ReversiblePair reversible_pair(const Tensor& x, const BatchState& memory, const Tensor& denoised, const Times& from) {
  const Tensor known = memory[2] > 0.0;
  // Rows without a step before this one divide by something harmless.
  const Times before = at::where(known, memory[2], from);
  const Tensor corrected = reversible_corrected({memory[0], {}, memory[1], before}, denoised, from);
  return {where_rows(known, corrected, x), x, denoised, from};
}

SolverEntry solver_reversible_heun() {
  return solver_entry(
      {.name = "reversible_heun",
       .aliases = {"ReversibleHeun"},
       .family = "multistep",
       .reference = "Kidger et al. 2021, arXiv:2105.13493, alg. 1, for y = x/sigma over s = 1/sigma: y^' = 2y - y^ + "
                    "D(y^) ds; y' = y + (D(y^) + D(y^')) ds/2",
       .summary = "one evaluation per step; can be run backwards, so that gradients need no memory for the steps",
       .also = {"torchsde", "diffrax"}},
      {.order = 2, .start_order = 2, .nfe = evaluations(1)}, {.extras = kExtras},
      [](SolverTraits traits) { return std::make_unique<ReversibleHeun>(std::move(traits)); });
}

}  // namespace stride
