// SA-Solver: Xue et al. 2023 (arXiv:2309.05019) alg. 1, data prediction: a stochastic Adams predictor (eq. 14–15) and
// corrector (eq. 17–18). τ² is the η of the reverse SDE.
#include "solvers/shared/coefficients.h"
#include "solvers/shared/exponential_adams.h"
#include "solvers/shared/multistep.h"
#include "solvers/shared/sde_path.h"

#include <ATen/ATen.h>

#include <limits>

namespace stride {
namespace {

struct SaOptions {
  int64_t predictor = 3, corrector = 4;
  double tau = 1.0;
  double tau_start = std::numeric_limits<double>::infinity();
  double tau_end = 0.0, s_noise = 1.0;
  bool simple_order_2 = false, pece = false;
};

constexpr int64_t kExtras = 3;  // x where the last predictor started, the noise that it added, whether there are any

class SaSolver final : public Method {
 public:
  SaSolver(const SolverTraits& traits, const SaOptions& options)
      : Method(claims(traits, {.eta = options.tau, .s_noise = options.s_noise}, 1, 1)), options_(options) {
    // The corrector's order, as far as the predictor's point carries it.
    const int64_t order =
        options.corrector == 0 ? options.predictor : std::min(options.corrector, options.predictor + 1);
    if (options.tau == 0.0) {
      traits_.order = static_cast<int>(order);
      traits_.start_order = static_cast<int>(std::min<int64_t>(order, options.corrector > 1 ? 3 : 2));
    }
    traits_.history = std::max<int64_t>({options.predictor - 1, options.corrector - 1, 1});
    if (options.pece) traits_.nfe = [](int64_t steps, bool /*final_zero*/) { return 2 * steps; };
  }

  [[nodiscard]] BatchState init(const Tensor& x) const override {
    return History::empty(traits_.history, x)
        .state({at::zeros_like(x), at::zeros_like(x), at::zeros({x.size(0)}, x.options().dtype(at::kLong))});
  }

  [[nodiscard]] std::optional<Tensor> coefficients(const Tensor& grid) const override {
    return coefficients_of(grid, traits_.history, rule());
  }

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const History past = History::from_state(history, x, kExtras);
    Tensor denoised = step.denoise(x, step.from);
    const std::vector<Tensor> factors = coefficients_at(step, x, past, rule());
    const Tensor start = corrected(factors, x, denoised, past, history);
    if (options_.pece) denoised = step.denoise(start, step.from);
    const auto own = factors.end() - (2 + options_.predictor);
    Tensor noise = at::zeros_like(x);
    if (traits_.stochastic) noise = own[1] * step.noise(x);
    const Tensor next = own[0] * start + mix(denoised, past, {own + 2, factors.end()}) + noise;
    const Tensor slope = (start - denoised) / per_sample(step.from, x);
    return {
        next, past.push({step.from, denoised, slope}).state({start, noise, at::ones_like(past.count())}), denoised, {}};
  }

  [[nodiscard]] StepResult finish(Step& step, const Tensor& x, const BatchState& history) const override {
    const Tensor first = step.denoise(x, step.from);
    if (!options_.pece) return {first, history, first, {}};
    const History past = History::from_state(history, x, kExtras);
    const std::vector<Tensor> factors = coefficients_at(step, x, past, rule());
    const Tensor last = step.denoise(corrected(factors, x, first, past, history), step.from);
    return {last, history, last, {}};
  }

 private:
  [[nodiscard]] CoefficientRule rule() const {
    return [this](const StepTimes& times) {
      std::vector<Tensor> all;
      if (options_.corrector > 0) all = corrector(times);
      const std::vector<Tensor> last = predictor(times);
      all.insert(all.end(), last.begin(), last.end());
      return all;
    };
  }

  // What x and unit normals count for, then the weights of the values at times.from and before.
  [[nodiscard]] std::vector<Tensor> predictor(const StepTimes& times) const {
    const Times eta = strength(times.to);
    std::vector<std::vector<Times>> orders = weights(times, times.from, times.to, eta, options_.predictor);
    const SdeJump jump = sde_jump(times.from, times.to, eta);
    if (options_.simple_order_2 && options_.predictor > 1) {
      const Times h = (times.from / times.to).log();
      const Times older = -0.5 * (1.0 + eta) * h.square() / (times.past[0] / times.from).log();
      orders[1] = {jump.gain - older, older};
    }
    const Tensor order = at::minimum(times.count, steps_left(times) - 1).clamp_min(0);
    std::vector<Tensor> all{jump.keep, options_.s_noise * jump.noise_std};
    const std::vector<Times> mixed = weights_by_count(order, orders);
    all.insert(all.end(), mixed.begin(), mixed.end());
    return all;
  }

  // Of the last step, from the level before to times.from: what its x counts for, then the weights.
  [[nodiscard]] std::vector<Tensor> corrector(const StepTimes& times) const {
    const Times& before = times.past[0];
    const Times eta = strength(times.from);
    std::vector<std::vector<Times>> orders = weights(times, before, times.from, eta, options_.corrector);
    const SdeJump jump = sde_jump(before, times.from, eta);
    if (options_.simple_order_2 && options_.corrector > 1) {
      const Times newest = 0.5 * (1.0 + eta) * (before / times.from).log();
      orders[1] = {newest, jump.gain - newest};
    }
    const Tensor order = at::minimum(times.count, steps_left(times)).clamp_min(0);
    std::vector<Tensor> all = weights_by_count(order, orders);
    all.insert(all.begin(), jump.keep);
    return all;
  }

  // Of each order up to `most`, over [to, from], with values at times.from and before.
  [[nodiscard]] static std::vector<std::vector<Times>> weights(const StepTimes& times, const Times& from,
                                                               const Times& to, const Times& eta, int64_t most) {
    std::vector<std::vector<Times>> orders;
    std::vector<Times> nodes{times.from};
    for (std::size_t k = 0; k < static_cast<std::size_t>(most); ++k) {
      orders.push_back(exponential_adams_weights(from, to, eta, nodes));
      if (k < times.past.size()) nodes.push_back(times.past[k]);
    }
    return orders;
  }

  // x at Step::from by the corrector, which knows D there; x itself where no step of this method came before.
  [[nodiscard]] Tensor corrected(const std::vector<Tensor>& factors, const Tensor& x, const Tensor& denoised,
                                 const History& past, const BatchState& history) const {
    if (options_.corrector == 0) return x;
    const std::size_t own = history.size() - kExtras;
    const auto begin = factors.begin() + 1;
    const Tensor better =
        factors[0] * history[own] + mix(denoised, past, {begin, begin + options_.corrector}) + history[own + 1];
    return where_rows(history[own + 2] > 0, better, x);
  }

  // Σ_j weights[j]·D_j with D_0 = `denoised`.
  [[nodiscard]] static Tensor mix(const Tensor& denoised, const History& past, const std::vector<Times>& weights) {
    Tensor sum = per_sample(weights[0], denoised) * denoised;
    for (std::size_t j = 1; j < weights.size(); ++j)
      sum = sum + per_sample(weights[j], denoised) * past[static_cast<int64_t>(j) - 1].denoised;
    return sum;
  }

  // τ² of the step that ends at `level`.
  [[nodiscard]] Times strength(const Times& level) const {
    const Tensor inside = (level <= options_.tau_start).logical_and(level >= options_.tau_end);
    return at::where(inside, at::full_like(level, options_.tau * options_.tau), at::zeros_like(level));
  }

  // Steps before the last jump, this one included: the order comes down towards it, as in the authors' code. Many,
  // where the grid has no last jump.
  [[nodiscard]] static Tensor steps_left(const StepTimes& times) {
    return at::where(times.end == 0.0, times.left() - 1, at::full_like(times.index, times.steps));
  }

  SaOptions options_;
};

}  // namespace

SolverEntry solver_sa_solver() {
  return solver_entry(
      {.name = "sa_solver",
       .aliases = {"SA-Solver"},
       .family = "stochastic",
       .reference = "Xue et al. 2023, arXiv:2309.05019, alg. 1, eq. 14-18",
       .summary = "stochastic Adams predictor and corrector; order 4 at tau = 0",
       .variants = {"tau_start=10,tau_end=0.2,s_noise=1.1", "predictor=2,corrector=2,simple_order_2=true", "pece=true",
                    "corrector=0", "tau=0,corrector=0"},
       .also = {"diffusers", "ComfyUI", "InvokeAI"}},
      {.strong_order = 1.0, .nfe = evaluations(1)}, {.history = 3, .extras = kExtras, .stochastic = true},
      options<SaOptions>(
          integer("predictor", &SaOptions::predictor, in_range(1, 4), "order of the predictor"),
          integer("corrector", &SaOptions::corrector, in_range(0, 4), "order of the corrector; 0: none"),
          number("tau", &SaOptions::tau, at_least(0), "how much noise goes in: 0 none, 1 the reverse SDE"),
          number("tau_start", &SaOptions::tau_start, above(0).or_infinite(),
                 "the largest noise level with noise of its own"),
          number("tau_end", &SaOptions::tau_end, at_least(0), "the smallest noise level with noise of its own"),
          number("s_noise", &SaOptions::s_noise, at_least(0), "factor on the noise that is added"),
          flag("simple_order_2", &SaOptions::simple_order_2, "the simpler second-order predictor of the authors' code"),
          flag("pece", &SaOptions::pece, "evaluate once more after the corrector"))
          .check([](const SaOptions& read) { return read.tau_end < read.tau_start; }, "tau_end must be below tau_start")
          .check([](const SaOptions& read) { return !read.pece || read.corrector > 0; }, "pece needs a corrector"),
      [](SolverTraits traits, const SaOptions& options) {
        return std::make_unique<SaSolver>(std::move(traits), options);
      });
}

}  // namespace stride
