// Adams–Bashforth with exact variable steps: the polynomial through the last slopes, integrated. Hairer, Nørsett &
// Wanner, Solving ODEs I, §III.5; k-diffusion's LMS. Its last jump integrates to 0 as well, as k-diffusion's does.
#include "framework/error.h"
#include "solvers/multistep.h"

#include <ATen/ATen.h>

#include <fmt/format.h>

namespace stride {
namespace {

class Lms final : public Solver {
 public:
  explicit Lms(int64_t order) : traits_(traits_lms()), order_(order) {
    traits_.order = static_cast<int>(order);
    traits_.start_order = order == 1 ? 1 : 2;
    traits_.history = order - 1;
  }

  [[nodiscard]] const SolverTraits& traits() const noexcept override { return traits_; }

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const History past = History::from_state(history, x);
    const Tensor denoised = step.denoise(x, step.from);
    const Tensor slope = (x - denoised) / per_sample(step.from, x);
    std::vector<std::vector<Times>> orders;
    std::vector<Times> nodes;
    for (int64_t k = 0; k < order_; ++k) {
      orders.push_back(adams_weights(step.from, step.to, nodes));
      if (k < past.capacity()) nodes.push_back(past[k].sigma);
    }
    return {combine(x, slope, past, weights_by_count(past.count(), orders)),
            past.push({step.from, denoised, slope}).state(),
            denoised,
            {}};
  }

  [[nodiscard]] StepResult finish(Step& step, const Tensor& x, const BatchState& history) const override {
    return this->step(step, x, history);
  }

 private:
  SolverTraits traits_;
  int64_t order_;
};

}  // namespace

const SolverTraits& traits_lms() {
  static const SolverTraits traits{.name = "lms",
                                   .aliases = {"LMS", "LMS Discrete", "LMSDiscreteScheduler"},
                                   .family = "multistep",
                                   .order = 4,
                                   .start_order = 2,
                                   .history = 3,
                                   .reference = "Hairer, Noersett & Wanner, Solving ODEs I, sec. III.5; k-diffusion",
                                   .summary = "variable-step Adams-Bashforth in sigma",
                                   .options = "order=4",
                                   .variants = {"order=1", "order=2", "order=3"},
                                   .also = {"k-diffusion", "diffusers", "ComfyUI", "A1111", "InvokeAI"},
                                   .nfe = evaluations(1)};
  return traits;
}

std::unique_ptr<Solver> make_lms(SolverOptions& options) {
  const int64_t order = options.integer("order", 4);
  if (order < 1 || order > 4) throw UsageError(fmt::format("solver 'lms': order must lie in 1 … 4, not {}", order));
  return std::make_unique<Lms>(order);
}

}  // namespace stride
