// Curves between σ_max and σ_min, whatever the model's timesteps.
#include "framework/error.h"
#include "framework/grids/grid_builders.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace stride {
namespace {

// σ(u) for u = 0 … 1, with the range's own numbers at its ends: a power and its root do not give them back.
std::vector<double> on_range(const GridRequest& request, const std::function<double(double)>& level) {
  std::vector<double> sigmas = unit_points(positive_levels(request));
  std::transform(sigmas.begin(), sigmas.end(), sigmas.begin(), level);
  sigmas.front() = request.sigma_max;
  if (sigmas.size() > 1) sigmas.back() = request.sigma_min;
  return with_end(std::move(sigmas), request);
}

double positive_option(OptionReader& options, const std::string& grid, const std::string& key, double fallback) {
  const double value = options.number(key, fallback);
  if (!(value > 0.0)) throw UsageError(fmt::format("schedule '{}': {} must be positive, not {}", grid, key, value));
  return value;
}

// Karras et al. 2022 (arXiv:2206.00364) eq. 5.
std::vector<double> karras(OptionReader& options, const GridRequest& request) {
  const double rho = positive_option(options, "karras", "rho", 7.0);
  const double high = std::pow(request.sigma_max, 1.0 / rho);
  const double low = std::pow(request.sigma_min, 1.0 / rho);
  return on_range(request, [&](double u) { return std::pow(high + u * (low - high), rho); });
}

// Evenly spaced in ln σ, which is evenly spaced in log-SNR.
std::vector<double> exponential(OptionReader& /*options*/, const GridRequest& request) {
  const double ratio = std::log(request.sigma_min / request.sigma_max);
  return on_range(request, [&](double u) { return request.sigma_max * std::exp(u * ratio); });
}

// k-diffusion's get_sigmas_polyexponential: ln σ falls with (1 − u)^ρ.
std::vector<double> polyexponential(OptionReader& options, const GridRequest& request) {
  const double rho = positive_option(options, "polyexponential", "rho", 1.0);
  const double ratio = std::log(request.sigma_max / request.sigma_min);
  return on_range(request, [&](double u) { return request.sigma_min * std::exp(std::pow(1.0 - u, rho) * ratio); });
}

// Evenly spaced in arctan σ: what minimises the KL divergence of Euler's (DDIM's) result from the exact one for
// isotropic Gaussian data of unit variance (Sabour et al. 2024, arXiv:2404.14507, theorem 3.1).
std::vector<double> kl_optimal(OptionReader& options, const GridRequest& request) {
  const std::string variant = read_variant(options, "kl_optimal", {"comfyui", "a1111"});
  const double high = std::atan(request.sigma_max);
  const double low = std::atan(request.sigma_min);
  GridRequest wanted = request;
  if (variant == "a1111") wanted.final = Final::sigma_min;
  return on_range(wanted, [&](double u) { return std::tan(u * low + (1.0 - u) * high); });
}

// Song et al. 2021 (arXiv:2011.13456) eq. 33 with time evenly spaced from 1 to eps_s: σ² = exp(½·β_d·t² + β_min·t) − 1.
std::vector<double> vp(OptionReader& options, const GridRequest& request) {
  const std::string variant = read_variant(options, "vp", {"kdiffusion", "edm"});
  const double last = positive_option(options, "vp", "eps_s", 1e-3);
  if (!(last < 1.0)) throw UsageError(fmt::format("schedule 'vp': eps_s must lie between 0 and 1, not {}", last));
  double slope = 0.0, start = 0.0;
  if (variant == "edm") {
    // Karras et al. 2022, appendix C.1, σ(t) of VP; the betas for which σ(1) = σ_max and σ(eps_s) = σ_min, as in their
    // code.
    const double high = std::log1p(request.sigma_max * request.sigma_max);
    const double low = std::log1p(request.sigma_min * request.sigma_min);
    slope = 2.0 * (low / last - high) / (last - 1.0);
    start = high - 0.5 * slope;
  } else {
    slope = options.number("beta_d", 19.9);
    start = options.number("beta_min", 0.1);
  }
  std::vector<double> sigmas;
  for (const double u : unit_points(positive_levels(request))) {
    const double t = 1.0 + u * (last - 1.0);
    sigmas.push_back(std::sqrt(std::expm1(0.5 * slope * t * t + start * t)));
  }
  return with_end(std::move(sigmas), request);
}

}  // namespace

std::vector<GridRow> range_grids() {
  return {
      {{.name = "exponential",
        .aliases = {"logsnr", "lu_lambdas", "Exponential"},
        .summary = "evenly spaced in ln σ (log-SNR)",
        .reference = "Lu et al. 2022, arXiv:2206.00927 §3"},
       exponential},
      {{.name = "karras",
        .aliases = {"Karras"},
        .summary = "evenly spaced in σ^(1/ρ)",
        .options = "rho=7",
        .differs = "diffusers' Euler, Heun and LMS take the ends from the timestep spacing: `sigma_min`, `sigma_max`",
        .reference = "Karras et al. 2022, arXiv:2206.00364 eq. 5",
        .variants = {"rho=3"}},
       karras},
      {{.name = "kl_optimal",
        .aliases = {"KL Optimal"},
        .summary = "evenly spaced in arctan σ",
        .options = "variant=comfyui|a1111",
        .differs = "variant=a1111 ends at σ_min with N + 1 levels, whatever `final` says",
        .reference = "Sabour et al. 2024, arXiv:2404.14507, theorem 3.1",
        .variants = {"variant=a1111"}},
       kl_optimal},
      {{.name = "polyexponential",
        .aliases = {"Polyexponential"},
        .summary = "ln σ falls with (1 − u)^ρ",
        .options = "rho=1",
        .reference = "k-diffusion get_sigmas_polyexponential",
        .variants = {"rho=0.5", "rho=2"}},
       polyexponential},
      {{.name = "vp",
        .summary = "times of the VP SDE, evenly spaced; has a range of its own",
        .options = "beta_d=19.9, beta_min=0.1, eps_s=0.001, variant=kdiffusion|edm",
        .differs = "variant=edm takes the betas from σ_min and σ_max",
        .reference = "Song et al. 2021, arXiv:2011.13456 eq. 33",
        .variants = {"variant=edm"}},
       vp},
  };
}

}  // namespace stride
