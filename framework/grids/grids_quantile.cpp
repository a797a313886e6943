// Quantiles of a distribution. The special functions are Boost.Math's.
#include "framework/grids/grid_builders.h"

#include <boost/math/special_functions/beta.hpp>
#include <boost/math/special_functions/erf.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace stride {
namespace {

// Boost tries its functions at their ends when a program starts, and would throw where long doubles are none of 80
// bits: under valgrind.
using Unthrown =
    boost::math::policies::policy<boost::math::policies::overflow_error<boost::math::policies::ignore_error>>;

struct BetaOptions {
  double alpha = 0.6, beta = 0.6;
  bool on_timesteps = false;
};

// Lee et al. 2024 (arXiv:2407.12173): quantiles of a Beta distribution, dense at both ends. diffusers and A1111 map
// them to σ linearly; ComfyUI rounds them to timesteps and drops the ones that meet.
std::vector<double> beta(const BetaOptions& options, const GridRequest& request) {
  const auto quantile = [&](double p) { return boost::math::ibeta_inv(options.alpha, options.beta, p, Unthrown()); };
  const int64_t count = positive_levels(request);
  std::vector<double> sigmas;
  if (!options.on_timesteps) {
    for (const double u : unit_points(count))
      sigmas.push_back(request.sigma_min + quantile(1.0 - u) * (request.sigma_max - request.sigma_min));
    return with_end(std::move(sigmas), request);
  }
  const NoiseSchedule& schedule = required_schedule(request, "beta:variant=comfyui");
  double before = -1.0;
  for (int64_t i = 0; i < count; ++i) {
    const double p = 1.0 - static_cast<double>(i) / static_cast<double>(count);
    const double t = std::nearbyint(quantile(p) * static_cast<double>(schedule.size() - 1));
    if (t != before) sigmas.push_back(schedule.sigma(t));
    before = t;
  }
  return with_end(std::move(sigmas), request);
}

// Φ⁻¹ and Φ.
double normal_quantile(double p) { return -std::numbers::sqrt2 * boost::math::erfc_inv(2.0 * p, Unthrown()); }
double normal_share(double z) { return 0.5 * std::erfc(-z / std::numbers::sqrt2); }

struct LogitNormalOptions {
  double mu = 0.0, std = 1.0;
  bool fixed_range = false;
  double logsnr_min = -15.0, logsnr_max = 18.0;
};

// A flow time s whose logit is normal is, in EDM coordinates, ln σ ~ N(mu, std²): Esser et al. 2024 (arXiv:2403.03206)
// eq. 19, the training density turned into a grid. The quantiles are those between σ_max and σ_min; diffusers' Ideogram
// pipeline takes all and cuts them at fixed log-SNRs (−2 ln σ).
std::vector<double> logit_normal(const LogitNormalOptions& options, const GridRequest& request) {
  const double mu = options.mu, std = options.std;
  double high = std::log(request.sigma_max), low = std::log(request.sigma_min);
  double share_high = normal_share((high - mu) / std), share_low = normal_share((low - mu) / std);
  if (options.fixed_range) {
    high = 0.5 * options.logsnr_max;
    low = 0.5 * options.logsnr_min;
    share_high = 1.0;
    share_low = 0.0;
  }
  std::vector<double> levels;
  for (const double u : unit_points(request.steps + 1)) {
    const double p = share_high + u * (share_low - share_high);
    const double level = u == 0.0 ? high : u == 1.0 ? low : mu + std * normal_quantile(p);
    levels.push_back(std::exp(std::clamp(level, low, high)));
  }
  return replace_end(std::move(levels), request);
}

}  // namespace

std::vector<GridRow> quantile_grids() {
  const auto fixed_range = [](const LogitNormalOptions& read) { return read.fixed_range; };
  return {
      grid_row(
          {.name = "beta",
           .aliases = {"Beta"},
           .summary = "quantiles of a Beta distribution, dense at both ends",
           .differs = "variant=comfyui lies on whole timesteps and drops the ones that meet (200 steps give 199)",
           .reference = "Lee et al. 2024, arXiv:2407.12173",
           .variants = {"variant=comfyui", "alpha=0.5,beta=0.7"}},
          options<BetaOptions>(number("alpha", &BetaOptions::alpha, above(0), "of the distribution, at the noisy end"),
                               number("beta", &BetaOptions::beta, above(0), "of the distribution, at the clean end"),
                               variant_option(&BetaOptions::on_timesteps, "diffusers", "comfyui")),
          beta),
      grid_row(
          {.name = "logit_normal",
           .summary = "ln σ at the quantiles of a normal distribution",
           .differs = "variant=diffusers takes all quantiles and cuts them at fixed log-SNRs, not at σ_max and σ_min",
           .reference = "Esser et al. 2024, arXiv:2403.03206 eq. 19",
           .variants = {"variant=diffusers", "mu=-1.2,std=1.2"}},
          options<LogitNormalOptions>(
              number("mu", &LogitNormalOptions::mu, any_number(), "mean of ln sigma"),
              number("std", &LogitNormalOptions::std, above(0), "standard deviation of ln sigma"),
              variant_option(&LogitNormalOptions::fixed_range, "range", "diffusers"),
              number("logsnr_min", &LogitNormalOptions::logsnr_min, any_number(), "log-SNR of the first level")
                  .belongs_to("variant=diffusers", fixed_range),
              number("logsnr_max", &LogitNormalOptions::logsnr_max, any_number(), "log-SNR of the last level")
                  .belongs_to("variant=diffusers", fixed_range)),
          logit_normal),
  };
}

}  // namespace stride
