// DPM-Solver-fast: third-order steps and a tail of lower orders, Lu et al. 2022 (arXiv:2206.00927).
#include "solvers/shared/exponential_tableaux.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

// Orders of the last two steps: the tail that spends NFE mod 3 evaluations beyond the third-order steps.
struct Tail {
  int64_t second_last, last;
};
constexpr Tail kTails[] = {{2, 1}, {3, 1}, {3, 2}};

struct FastOptions {
  int64_t rest = 0;
};

class DpmFast final : public Method {
 public:
  DpmFast(SolverTraits traits, int64_t rest) : Method(std::move(traits)), tail_(kTails[rest]) {
    traits_.order = traits_.start_order = tail_.last == 2 ? 3 : 2;
    traits_.nfe = [tail = tail_](int64_t steps, bool final_zero) {
      const int64_t last = final_zero ? 1 : tail.last;
      return steps == 1 ? last : 3 * (steps - 2) + tail.second_last + last;
    };
  }

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const auto numbers = [&](const ExponentialTableau& tableau) {
      return numbers_of(tableau, Prediction::noise, step.from, step.to);
    };
    const auto dpm_solver = ExponentialWeighting::dpm_solver;
    // Rows of one batch may stand at different steps: every row has its own order.
    const int64_t steps = step.constant().grid.size(1) - 1;
    const Tensor left = steps - 1 - step.index;
    const Tensor order =
        at::full_like(left, 3).masked_fill(left == 1, tail_.second_last).masked_fill(left <= 0, tail_.last);
    return exponential_step(
        step, x, history, Prediction::noise,
        choose(order - 1, {numbers(exponential_first()), numbers(exponential_second(0.5, dpm_solver)),
                           numbers(exponential_third(dpm_solver))}));
  }

 private:
  Tail tail_;
};

}  // namespace

SolverEntry solver_dpm_fast() {
  return solver_entry(
      {.name = "dpm_fast",
       .aliases = {"DPM fast"},
       .family = "one-step",
       .reference = "Lu et al. 2022, arXiv:2206.00927, alg. 1 and 2 in the orders of DPM-Solver-fast; k-diffusion",
       .summary = "third-order steps, then a tail of orders 2 and 1 (rest=0), 1 (rest=1) or 2 (rest=2)",
       .variants = {"rest=1", "rest=2"},
       .also = {"k-diffusion", "ComfyUI", "A1111"}},
      {.order = 2, .start_order = 2, .nfe = [](int64_t steps, bool) { return steps == 1 ? 1 : 3 * (steps - 1); }},
      {.masked = true},
      options<FastOptions>(
          integer("rest", &FastOptions::rest, in_range(0, 2), "evaluations modulo 3: orders of the last steps")),
      [](SolverTraits traits, const FastOptions& options) {
        return std::make_unique<DpmFast>(std::move(traits), options.rest);
      });
}

}  // namespace stride
