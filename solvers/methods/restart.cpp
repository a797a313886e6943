// Restart sampling: Xu et al. 2023 (arXiv:2306.14878) alg. 1 and 2, with every step of the grid that lies inside
// [t_min, t_max] as a restart interval: Heun down, then K times noise from Step::to back up to Step::from and Heun
// down again.
#include "framework/error.h"
#include "solvers/methods/heun.h"
#include "solvers/shared/sde_path.h"

#include <ATen/ATen.h>

#include <fmt/format.h>

#include <limits>

namespace stride {
namespace {

struct RestartOptions {
  int64_t restarts, steps, first_steps;
  double t_min, t_max, rho, s_noise;
};

class Restart final : public Solver {
 public:
  explicit Restart(const RestartOptions& options)
      : traits_(claims(traits_restart(), {.eta = options.restarts == 0 ? 0.0 : 1.0, .s_noise = options.s_noise}, 2, 2)),
        options_(options) {
    traits_.nfe = evaluations(2 * (options.first_steps + options.restarts * options.steps));
  }
  [[nodiscard]] const SolverTraits& traits() const noexcept override { return traits_; }

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
    return {heun.next, heun.euler, denoised};
  }

  SolverTraits traits_;
  RestartOptions options_;
};

}  // namespace

const SolverTraits& traits_restart() {
  static const SolverTraits traits{
      .name = "restart",
      .aliases = {"Restart"},
      .family = "stochastic",
      .strong_order = 1.0,
      .stochastic = true,
      .reference = "Xu et al. 2023, arXiv:2306.14878, alg. 1-2",
      .summary = "Heun, with noise back up and down again over each step",
      .options = "restarts=1,steps=1,first_steps=1,t_min=0,t_max=inf,rho=7,s_noise=1",
      .variants = {"restarts=2,steps=2,first_steps=2,t_min=0.1,t_max=10,s_noise=1.003", "restarts=0"},
      .also = {"A1111"},
      .nfe = evaluations(4)};
  return traits;
}

std::unique_ptr<Solver> make_restart(SolverOptions& options) {
  const RestartOptions read{options.integer("restarts", 1),
                            options.integer("steps", 1),
                            options.integer("first_steps", 1),
                            options.number("t_min", 0.0),
                            options.number("t_max", std::numeric_limits<double>::infinity()),
                            options.number("rho", 7.0),
                            options.number("s_noise", 1.0)};
  if (read.restarts < 0 || read.steps < 1 || read.first_steps < 1)
    throw UsageError(fmt::format("solver 'restart': restarts must be at least 0, steps and first_steps at least 1"));
  if (!(read.t_min >= 0.0 && read.t_max > read.t_min && read.rho > 0.0 && read.s_noise >= 0.0))
    throw UsageError("solver 'restart': needs 0 <= t_min < t_max, rho > 0 and s_noise >= 0");
  return std::make_unique<Restart>(read);
}

}  // namespace stride
