// DPM-Solver-fast: third-order steps and a tail of lower orders, Lu et al. 2022 (arXiv:2206.00927).
#include "framework/error.h"
#include "solvers/shared/exponential_tableaux.h"

#include <ATen/ATen.h>

#include <fmt/format.h>

namespace stride {
namespace {

// Orders of the last two steps: the tail that spends NFE mod 3 evaluations beyond the third-order steps.
struct Tail {
  int64_t second_last, last;
};
constexpr Tail kTails[] = {{2, 1}, {3, 1}, {3, 2}};

class DpmFast final : public Solver {
 public:
  explicit DpmFast(int64_t rest) : traits_(traits_dpm_fast()), tail_(kTails[rest]) {
    traits_.order = traits_.start_order = tail_.last == 2 ? 3 : 2;
    traits_.nfe = [tail = tail_](int64_t steps, bool final_zero) {
      const int64_t last = final_zero ? 1 : tail.last;
      return steps == 1 ? last : 3 * (steps - 2) + tail.second_last + last;
    };
  }

  [[nodiscard]] const SolverTraits& traits() const noexcept override { return traits_; }

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
  SolverTraits traits_;
  Tail tail_;
};

}  // namespace

const SolverTraits& traits_dpm_fast() {
  static const SolverTraits traits{
      .name = "dpm_fast",
      .aliases = {"DPM fast"},
      .family = "one-step",
      .order = 2,
      .start_order = 2,
      .masked = true,
      .reference = "Lu et al. 2022, arXiv:2206.00927, alg. 1 and 2 in the orders of DPM-Solver-fast; k-diffusion",
      .summary = "third-order steps, then a tail of orders 2 and 1 (rest=0), 1 (rest=1) or 2 (rest=2)",
      .options = "rest=0",
      .variants = {"rest=1", "rest=2"},
      .also = {"k-diffusion", "ComfyUI", "A1111"},
      .nfe = [](int64_t steps, bool) { return steps == 1 ? 1 : 3 * (steps - 1); }};
  return traits;
}

std::unique_ptr<Solver> make_dpm_fast(SolverOptions& options) {
  const int64_t rest = options.integer("rest", 0);
  if (rest < 0 || rest > 2)
    throw UsageError(fmt::format("solver 'dpm_fast': rest is the number of evaluations modulo 3, 0 … 2, not {}", rest));
  return std::make_unique<DpmFast>(rest);
}

}  // namespace stride
