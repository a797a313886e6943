#include "solvers/shared/linear_multistep.h"

#include "solvers/plan.h"
#include "solvers/shared/coefficients.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

constexpr int64_t kShortRun = 15;  // diffusers' bound for lower_order_final

class LinearMultistep final : public Solver {
 public:
  LinearMultistep(SolverTraits traits, MultistepRule rule, const MultistepOptions& options)
      : traits_(std::move(traits)), rule_(std::move(rule)), options_(options) {}

  [[nodiscard]] const SolverTraits& traits() const noexcept override { return traits_; }

  [[nodiscard]] std::optional<Tensor> coefficients(const Tensor& grid) const override {
    return coefficients_of(grid, traits_.history, rule());
  }

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const Memory memory = look(step, x, history);
    const Tensor next =
        with_start(options_.start, step, x, memory.newest.denoised, memory.past.count(), extrapolated(step, x, memory));
    return {next, memory.past.push(memory.newest).state(), memory.newest.denoised, {}};
  }

  [[nodiscard]] StepResult finish(Step& step, const Tensor& x, const BatchState& history) const override {
    if (!rule_.integrates_end) return Solver::finish(step, x, history);
    const Memory memory = look(step, x, history);
    return {extrapolated(step, x, memory), memory.past.push(memory.newest).state(), memory.newest.denoised, {}};
  }

 private:
  struct Memory {
    History past;
    HistoryEntry newest;
  };

  [[nodiscard]] static Memory look(Step& step, const Tensor& x, const BatchState& history) {
    const Tensor denoised = step.denoise(x, step.from);
    return {History::from_state(history, x), {step.from, denoised, (x - denoised) / per_sample(step.from, x)}};
  }

  [[nodiscard]] CoefficientRule rule() const {
    return [this](const StepTimes& times) { return keep_and_weights(times); };
  }

  // What x keeps, then the weights of the values, newest first.
  [[nodiscard]] std::vector<Tensor> keep_and_weights(const StepTimes& times) const {
    std::vector<std::vector<Times>> orders;
    std::vector<Times> past;
    for (std::size_t k = 0; k < static_cast<std::size_t>(options_.order); ++k) {
      orders.push_back(rule_.weights(times.from, times.to, past));
      if (k < times.past.size()) past.push_back(times.past[k]);
    }
    Tensor count = times.count;
    if (options_.lower_order_final && times.steps < kShortRun) count = at::minimum(count, times.left() - 1);
    std::vector<Tensor> all = weights_by_count(count, orders);
    all.insert(all.begin(), times.to / times.from);
    return all;
  }

  [[nodiscard]] Tensor extrapolated(const Step& step, const Tensor& x, const Memory& memory) const {
    std::vector<Tensor> weights = coefficients_at(step, x, memory.past, rule());
    const Tensor keep = weights.front();
    weights.erase(weights.begin());
    if (rule_.of_denoised)
      return combine(keep * x, memory.newest.denoised, memory.past, weights, &HistoryEntry::denoised);
    // The weights sum to the step, and the newest slope over all of it is the tangent.
    const Tensor& newest = memory.newest.slope;
    Tensor sum = memory.newest.denoised + keep * (x - memory.newest.denoised);
    for (std::size_t j = 1; j < weights.size(); ++j)
      sum = sum + weights[j] * (memory.past[static_cast<int64_t>(j) - 1].slope - newest);
    return sum;
  }

  SolverTraits traits_;
  MultistepRule rule_;
  MultistepOptions options_;
};

}  // namespace

Options<MultistepOptions> MultistepOptions::declared(int64_t order) {
  return options<MultistepOptions>(flag("lower_order_final", &MultistepOptions::lower_order_final,
                                        "lower orders in the last steps of runs of fewer than 15"))
      .with({.order = order});
}

OptionRow<MultistepOptions> MultistepOptions::order_option(int64_t most) {
  return integer("order", &MultistepOptions::order, in_range(1, static_cast<double>(most)), "values in use");
}

MultistepRule fixed_step_rule() {
  return {.weights = [](const Times& from, const Times& to, const std::vector<Times>& past) {
    std::vector<Times> weights;
    for (const double weight : adams_bashforth(static_cast<int>(past.size()) + 1))
      weights.push_back(weight * (to - from));
    return weights;
  }};
}

MultistepRule exponential_rule(bool of_denoised, bool midpoint, bool halved) {
  const auto weights = [=](const Times& from, const Times& to, const std::vector<Times>& past) {
    const auto count = static_cast<int64_t>(past.size()) + 1;
    std::vector<Times> moments = of_denoised ? denoised_moments(from, to, count) : slope_moments(from, to, count);
    if (midpoint && count == 2) moments[1] = 0.5 * moments[0];
    if (halved && count == 3) moments[2] = 0.5 * moments[2];
    return moment_weights(moments, log_nodes(from, to, past));
  };
  return {.weights = weights, .of_denoised = of_denoised};
}

std::unique_ptr<Solver> make_linear_multistep(SolverTraits traits, MultistepRule rule, const MultistepOptions& options,
                                              MultistepClaims claims) {
  traits.order = claims.order;
  traits.start_order = claims.start_order;
  traits.history = options.order - 1;
  MultistepOptions used = options;
  if (options.high_start) used.start = MultistepStart::high(options.order);
  used.start.claim_cost(traits);
  return std::make_unique<LinearMultistep>(std::move(traits), std::move(rule), used);
}

}  // namespace stride
