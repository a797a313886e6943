// UniPC: Zhao et al. 2023 (arXiv:2302.04867) alg. 1 and 2, of the denoised image. The corrector mends the last step
// with the evaluation that the next one makes anyway; its result is where the next step starts.
#include "solvers/shared/coefficients.h"
#include "solvers/shared/linear_multistep.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace stride {
namespace {

struct UniPcOptions {
  int64_t order = 3;
  bool bh2 = true;
  bool corrector = true;
  bool lower_order_final = false;
  MultistepStart start = {};
  bool high_start = false;  ///< `start` is the one for this order
};

class UniPc final : public Solver {
 public:
  UniPc(SolverTraits traits, const UniPcOptions& options) : traits_(std::move(traits)), options_(options) {}

  [[nodiscard]] const SolverTraits& traits() const noexcept override { return traits_; }

  [[nodiscard]] std::optional<Tensor> coefficients(const Tensor& grid) const override {
    return coefficients_of(grid, traits_.history, rule());
  }

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const History past = History::from_state(history, x);
    const Tensor denoised = step.denoise(x, step.from);
    const std::vector<Tensor> factors = coefficients_at(step, x, past, rule());
    const auto predictor = factors.end() - (1 + options_.order);
    const Tensor begin = options_.corrector ? corrected({factors.begin(), predictor}, x, denoised, past) : x;
    const Tensor predicted = extrapolated({predictor, factors.end()}, begin, denoised, past);
    // The slope is the one of the corrected state, so that D + σ·slope is where this step started.
    const Tensor slope = (begin - denoised) / per_sample(step.from, x);
    const Tensor next = with_start(options_.start, step, begin, denoised, past.count(), predicted);
    return {next, past.push({step.from, denoised, slope}).state(), denoised, {}};
  }

 private:
  [[nodiscard]] CoefficientRule rule() const {
    return [this](const StepTimes& times) {
      std::vector<Tensor> all;
      if (options_.corrector) all = corrector(times);
      const std::vector<Tensor> last = predictor(times);
      all.insert(all.end(), last.begin(), last.end());
      return all;
    };
  }

  // keep, then the weights of the values at times.from and before.
  [[nodiscard]] std::vector<Tensor> predictor(const StepTimes& times) const {
    std::vector<std::vector<Times>> orders;
    std::vector<Times> past;
    for (std::size_t k = 0; k < static_cast<std::size_t>(options_.order); ++k) {
      orders.push_back(weights(times.from, times.to, log_nodes(times.from, times.to, past), k == 1));
      if (orders.size() < static_cast<std::size_t>(options_.order)) past.push_back(times.past[k]);
    }
    std::vector<Tensor> all = weights_by_count(at::minimum(times.count, limit(times.left()) - 1), orders);
    all.insert(all.begin(), times.to / times.from);
    return all;
  }

  // Of the last step, from the level before to times.from, with D at times.from as one more value: UniC of the order
  // that the step had. Whether there is one to mend (1, else 0), the level before, keep, and the weights. Rows without
  // a last step have none, and so do those whose last step belonged to a high start.
  [[nodiscard]] std::vector<Tensor> corrector(const StepTimes& times) const {
    const Times& before = times.past[0];
    std::vector<std::vector<Times>> orders{{at::zeros_like(before)}};
    std::vector<Times> past;
    for (std::size_t k = 1; k <= static_cast<std::size_t>(options_.order); ++k) {
      std::vector<Times> nodes = log_nodes(before, times.from, past);
      nodes.insert(nodes.begin(), at::ones_like(before));
      orders.push_back(weights(before, times.from, nodes, k == 1));
      if (orders.size() <= static_cast<std::size_t>(options_.order)) past.push_back(times.past[k]);
    }
    const Tensor started = (times.index > options_.start.steps).logical_or(times.count > options_.start.steps);
    std::vector<Tensor> all{started.logical_and(times.count > 0).to(at::kDouble), before, times.from / before};
    const std::vector<Times> mixed = weights_by_count(at::minimum(times.count, limit(times.left() + 1)), orders);
    all.insert(all.end(), mixed.begin(), mixed.end());
    return all;
  }

  // The state at the step's beginning again.
  [[nodiscard]] static Tensor corrected(const std::vector<Tensor>& factors, const Tensor& x, const Tensor& denoised,
                                        const History& past) {
    const Tensor begin = past[0].denoised + factors[1] * past[0].slope;
    const Tensor mended = extrapolated({factors.begin() + 2, factors.end()}, begin, denoised, past);
    return at::where(factors[0] > 0.0, mended, x);
  }

  [[nodiscard]] static Tensor extrapolated(const std::vector<Tensor>& factors, const Tensor& begin,
                                           const Tensor& denoised, const History& past) {
    return combine(factors[0] * begin, denoised, past, {factors.begin() + 1, factors.end()}, &HistoryEntry::denoised);
  }

  // Weights of the polynomial through `nodes`; with two values and `shortcut` the paper's 1/2 of B(h) for the
  // difference, B₁(h) = h or B₂(h) = e^h − 1. With more values B(h) cancels.
  [[nodiscard]] std::vector<Times> weights(const Times& from, const Times& to, const std::vector<Times>& nodes,
                                           bool shortcut) const {
    std::vector<Times> moments = denoised_moments(from, to, static_cast<int64_t>(nodes.size()));
    if (shortcut) moments[1] = 0.5 * (options_.bh2 ? moments[0] : (from / to).log());
    return moment_weights(moments, nodes);
  }

  [[nodiscard]] Tensor limit(const Tensor& left) const {
    return options_.lower_order_final ? left : at::full_like(left, options_.order);
  }

  SolverTraits traits_;
  UniPcOptions options_;
};

}  // namespace

SolverEntry solver_unipc() {
  return solver_entry(
      {.name = "unipc",
       .aliases = {"UniPC"},
       .family = "multistep",
       .reference = "Zhao et al. 2023, arXiv:2302.04867, alg. 1 (UniC), alg. 2 (UniP)",
       .summary = "predictor and corrector in log-SNR with one evaluation per step",
       .variants = {"order=1", "order=2", "order=2,variant=bh1", "variant=bh1", "corrector=0", "start=high",
                    "corrector=0,start=high", "lower_order_final=1"},
       .also = {"diffusers", "ComfyUI", "A1111", "InvokeAI", "diff-sampler"}},
      {.order = 4, .start_order = 3, .nfe = evaluations(1)}, {.history = 3},
      options<UniPcOptions>(
          integer("order", &UniPcOptions::order, in_range(1, 3), "of the predictor"),
          choice("variant", &UniPcOptions::bh2, {{"bh2", true}, {"bh1", false}},
                 "the paper's B(h) for two values: e^h - 1, or h"),
          flag("corrector", &UniPcOptions::corrector, "mend each step with the next one's evaluation"),
          start_option(&UniPcOptions::high_start),
          flag("lower_order_final", &UniPcOptions::lower_order_final, "lower orders in the last steps")),
      [](SolverTraits traits, const UniPcOptions& options) {
        UniPcOptions used = options;
        const auto order = static_cast<int>(options.order);
        traits.history = options.corrector ? order : order - 1;
        traits.order = options.corrector ? order + 1 : order;
        if (options.high_start) used.start = MultistepStart::high(*traits.order);
        traits.start_order = used.start.steps > 0 ? *traits.order : std::min(options.corrector ? 3 : 2, *traits.order);
        used.start.claim_cost(traits);
        if (options.lower_order_final) traits.order = traits.start_order = std::min(2, *traits.order);
        return std::make_unique<UniPc>(std::move(traits), used);
      });
}

}  // namespace stride
