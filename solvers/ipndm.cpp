// iPNDM: Adams–Bashforth weights of a fixed step on whatever grid; Zhang & Chen 2023 (arXiv:2204.13902) §3.2.
#include "framework/error.h"
#include "solvers/multistep.h"
#include "solvers/plan.h"

#include <ATen/ATen.h>

#include <fmt/format.h>

namespace stride {
namespace {

class Ipndm final : public Solver {
 public:
  explicit Ipndm(int64_t order) : traits_(traits_ipndm()), order_(order) {
    traits_.order = traits_.start_order = order == 1 ? 1 : 2;
    traits_.history = order - 1;
  }

  [[nodiscard]] const SolverTraits& traits() const noexcept override { return traits_; }

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const History past = History::from_state(history, x);
    const Tensor denoised = step.denoise(x, step.from);
    const Tensor slope = (x - denoised) / per_sample(step.from, x);
    std::vector<std::vector<Times>> orders;
    for (int k = 1; k <= order_; ++k) {
      std::vector<Times> weights;
      for (const double weight : adams_bashforth(k)) weights.push_back(weight * (step.to - step.from));
      orders.push_back(std::move(weights));
    }
    return {combine(x, slope, past, weights_by_count(past.count(), orders)),
            past.push({step.from, denoised, slope}).state(),
            denoised,
            {}};
  }

 private:
  SolverTraits traits_;
  int64_t order_;
};

}  // namespace

const SolverTraits& traits_ipndm() {
  static const SolverTraits traits{
      .name = "ipndm",
      .aliases = {"iPNDM"},
      .family = "multistep",
      .order = 2,
      .start_order = 2,
      .history = 3,
      .reference = "Zhang & Chen 2023, arXiv:2204.13902, sec. 3.2",
      .summary = "fixed-step Adams-Bashforth weights; second order on a stretched grid, strong at few steps",
      .options = "order=4",
      .variants = {"order=2"},
      .also = {"ComfyUI", "diff-sampler", "stable-diffusion.cpp"},
      .nfe = evaluations(1)};
  return traits;
}

std::unique_ptr<Solver> make_ipndm(SolverOptions& options) {
  const int64_t order = options.integer("order", 4);
  if (order < 1 || order > 4) throw UsageError(fmt::format("solver 'ipndm': order must lie in 1 … 4, not {}", order));
  return std::make_unique<Ipndm>(order);
}

}  // namespace stride
