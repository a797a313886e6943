// Restart sampling: Xu et al. 2023 (arXiv:2306.14878) alg. 1 and 2, with every step of the grid that lies inside
// [t_min, t_max] as a restart interval: Heun down, then K times noise from Step::to back up to Step::from and Heun
// down again.
#include "solvers/methods/heun.h"
#include "solvers/shared/sde_path.h"

#include <ATen/ATen.h>

#include <limits>

namespace stride {
namespace {

struct RestartOptions {
  int64_t restarts = 1, steps = 1, first_steps = 1;
  double t_min = 0.0;
  double t_max = std::numeric_limits<double>::infinity();
  double rho = 7.0, s_noise = 1.0;
};

class Restart final : public Method {
 public:
  Restart(const SolverTraits& traits, const RestartOptions& options)
      : Method(claims(traits, {.eta = options.restarts == 0 ? 0.0 : 1.0, .s_noise = options.s_noise}, 2, 2)),
        options_(options) {
    traits_.nfe = evaluations(2 * (options.first_steps + options.restarts * options.steps));
  }

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const HeunStep first = down(step, x, options_.first_steps);
    const Tensor inside = (step.to >= options_.t_min).logical_and(step.from <= options_.t_max);
    const Times width = (step.from - step.to) * (step.from + step.to);
    Tensor next = first.next;
    Times upper = step.from;
    for (int64_t k = 1; k <= options_.restarts; ++k) {
      // The k-th restart takes the k-th equal share of the path: its unit normals stand for all of the noise.
      const double left = 1.0 - static_cast<double>(k) / static_cast<double>(options_.restarts);
      const Times lower = k == options_.restarts ? step.to : (step.to.square() + left * width).sqrt();
      Tensor raised = next;
      if (options_.s_noise != 0.0)
        raised = next + per_sample(options_.s_noise * width.sqrt(), x) * step.noise(x, upper, lower);
      next = where_rows(inside, down(step, raised, options_.steps).next, next);
      upper = lower;
    }
    return {next, history, first.denoised, {}};
  }

 private:
  // Heun from Step::from to Step::to in `count` steps, spaced as Karras et al. 2022 eq. 5.
  [[nodiscard]] HeunStep down(Step& step, const Tensor& x, int64_t count) const {
    const Times high = (step.from.log() / options_.rho).exp();
    const Times low = (step.to.log() / options_.rho).exp();
    Times from = step.from;
    HeunStep heun{x, {}, {}};
    Tensor denoised;
    for (int64_t i = 1; i <= count; ++i) {
      const double share = static_cast<double>(i) / static_cast<double>(count);
      const Times to = i == count ? step.to : ((high + share * (low - high)).log() * options_.rho).exp();
      heun = heun_step(step, heun.next, from, to);
      if (i == 1) denoised = heun.denoised;
      from = to;
    }
    return {heun.next, heun.error, denoised};
  }

  RestartOptions options_;
};

}  // namespace

SolverEntry solver_restart() {
  return solver_entry(
      {.name = "restart",
       .aliases = {"Restart"},
       .family = "stochastic",
       .reference = "Xu et al. 2023, arXiv:2306.14878, alg. 1-2",
       .summary = "Heun, with noise back up and down again over each step",
       .variants = {"restarts=2,steps=2,first_steps=2,t_min=0.1,t_max=10,s_noise=1.003", "restarts=0"},
       .also = {"A1111"}},
      {.strong_order = 1.0, .nfe = evaluations(4)}, {.stochastic = true},
      options<RestartOptions>(
          integer("restarts", &RestartOptions::restarts, at_least(0),
                  "how often noise goes back up and Heun down again in each step"),
          integer("steps", &RestartOptions::steps, at_least(1), "Heun steps on the way down after a restart"),
          integer("first_steps", &RestartOptions::first_steps, at_least(1), "Heun steps on the first way down"),
          number("t_min", &RestartOptions::t_min, at_least(0), "the smallest noise level with restarts"),
          number("t_max", &RestartOptions::t_max, above(0).or_infinite(), "the largest noise level with restarts"),
          number("rho", &RestartOptions::rho, above(0), "spacing of the Heun steps, as in karras"),
          number("s_noise", &RestartOptions::s_noise, at_least(0), "factor on the noise that is added"))
          .check([](const RestartOptions& read) { return read.t_min < read.t_max; }, "t_min must be below t_max"),
      [](SolverTraits traits, const RestartOptions& options) {
        return std::make_unique<Restart>(std::move(traits), options);
      });
}

}  // namespace stride
