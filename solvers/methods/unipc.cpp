// UniPC: Zhao et al. 2023 (arXiv:2302.04867) alg. 1 and 2, of the denoised image. The corrector mends the last step
// with the evaluation that the next one makes anyway; its result is where the next step starts.
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

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const History past = History::from_state(history, x);
    const Tensor denoised = step.denoise(x, step.from);
    const Tensor left = steps_left(step);
    const Tensor begin = options_.corrector ? corrected(step, x, denoised, past, left) : x;
    std::vector<std::vector<Times>> orders;
    std::vector<Times> times;
    for (int64_t k = 0; k < options_.order; ++k) {
      orders.push_back(weights(step.from, step.to, log_nodes(step.from, step.to, times), k == 1));
      if (k + 1 < options_.order) times.push_back(past[k].sigma);
    }
    const std::vector<Times> mixed = weights_by_count(at::minimum(past.count(), limit(left) - 1), orders);
    const Tensor predicted =
        combine(per_sample(step.to / step.from, x) * begin, denoised, past, mixed, &HistoryEntry::denoised);
    // The slope is the one of the corrected state, so that D + σ·slope is where this step started.
    const Tensor slope = (begin - denoised) / per_sample(step.from, x);
    const Tensor next = with_start(options_.start, step, begin, slope, past.count(), predicted);
    return {next, past.push({step.from, denoised, slope}).state(), denoised, {}};
  }

 private:
  // The state at step.from again, from the level before and with D at step.from as one more value: UniC of the order
  // that the last step had. Rows without a last step keep x, and so do those whose last step belonged to a high start.
  [[nodiscard]] Tensor corrected(const Step& step, const Tensor& x, const Tensor& denoised, const History& past,
                                 const Tensor& left) const {
    const Times before = past[0].sigma;
    const Tensor begin = past[0].denoised + per_sample(before, x) * past[0].slope;
    std::vector<std::vector<Times>> orders{{at::zeros_like(before)}};
    std::vector<Times> times;
    for (int64_t k = 1; k <= options_.order; ++k) {
      std::vector<Times> nodes = log_nodes(before, step.from, times);
      nodes.insert(nodes.begin(), at::ones_like(before));
      orders.push_back(weights(before, step.from, nodes, k == 1));
      if (k < options_.order) times.push_back(past[k].sigma);
    }
    const std::vector<Times> mixed = weights_by_count(at::minimum(past.count(), limit(left + 1)), orders);
    const Tensor mended =
        combine(per_sample(step.from / before, x) * begin, denoised, past, mixed, &HistoryEntry::denoised);
    const Tensor started = at::logical_or(step.index > options_.start.steps, past.count() > options_.start.steps);
    return where_rows(started.logical_and(past.count() > 0), mended, x);
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
       .aliases = {"UniPC", "uni_pc_bh2", "UniPCMultistepScheduler"},
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
