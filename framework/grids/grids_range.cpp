// Curves between σ_max and σ_min, whatever the model's timesteps.
#include "framework/grids/grid_builders.h"

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

struct KarrasOptions {
  double rho = 7.0;
};

// Karras et al. 2022 (arXiv:2206.00364) eq. 5.
std::vector<double> karras(const KarrasOptions& options, const GridRequest& request) {
  const double rho = options.rho;
  const double high = std::pow(request.sigma_max, 1.0 / rho);
  const double low = std::pow(request.sigma_min, 1.0 / rho);
  return on_range(request, [&](double u) { return std::pow(high + u * (low - high), rho); });
}

// Evenly spaced in ln σ, which is evenly spaced in log-SNR.
std::vector<double> exponential(const GridRequest& request) {
  const double ratio = std::log(request.sigma_min / request.sigma_max);
  return on_range(request, [&](double u) { return request.sigma_max * std::exp(u * ratio); });
}

struct PolyexponentialOptions {
  double rho = 1.0;
};

// k-diffusion's get_sigmas_polyexponential: ln σ falls with (1 − u)^ρ.
std::vector<double> polyexponential(const PolyexponentialOptions& options, const GridRequest& request) {
  const double rho = options.rho;
  const double ratio = std::log(request.sigma_max / request.sigma_min);
  return on_range(request, [&](double u) { return request.sigma_min * std::exp(std::pow(1.0 - u, rho) * ratio); });
}

struct KlOptimalOptions {
  bool a1111 = false;
};

// Evenly spaced in arctan σ: what minimises the KL divergence of Euler's (DDIM's) result from the exact one for
// isotropic Gaussian data of unit variance (Sabour et al. 2024, arXiv:2404.14507, theorem 3.1).
std::vector<double> kl_optimal(const KlOptimalOptions& options, const GridRequest& request) {
  const double high = std::atan(request.sigma_max);
  const double low = std::atan(request.sigma_min);
  GridRequest wanted = request;
  if (options.a1111) wanted.final = Final::sigma_min;
  return on_range(wanted, [&](double u) { return std::tan(u * low + (1.0 - u) * high); });
}

struct VpOptions {
  double beta_d = 19.9, beta_min = 0.1, eps_s = 1e-3;
  bool edm = false;
};

// Song et al. 2021 (arXiv:2011.13456) eq. 33 with time evenly spaced from 1 to eps_s: σ² = exp(½·β_d·t² + β_min·t) − 1.
std::vector<double> vp(const VpOptions& options, const GridRequest& request) {
  const double last = options.eps_s;
  double slope = options.beta_d, start = options.beta_min;
  if (options.edm) {
    // Karras et al. 2022, appendix C.1, σ(t) of VP; the betas for which σ(1) = σ_max and σ(eps_s) = σ_min, as in their
    // code.
    const double high = std::log1p(request.sigma_max * request.sigma_max);
    const double low = std::log1p(request.sigma_min * request.sigma_min);
    slope = 2.0 * (low / last - high) / (last - 1.0);
    start = high - 0.5 * slope;
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
  const auto kdiffusion = [](const VpOptions& read) { return !read.edm; };
  return {
      grid_row({.name = "exponential",
                .aliases = {"logsnr", "lu_lambdas", "Exponential"},
                .summary = "evenly spaced in ln σ (log-SNR)",
                .reference = "Lu et al. 2022, arXiv:2206.00927 §3"},
               exponential),
      grid_row({.name = "karras",
                .aliases = {"Karras"},
                .summary = "evenly spaced in σ^(1/ρ)",
                .differs =
                    "diffusers' Euler, Heun and LMS take the ends from the timestep spacing: `sigma_min`, `sigma_max`",
                .reference = "Karras et al. 2022, arXiv:2206.00364 eq. 5",
                .variants = {"rho=3"}},
               options<KarrasOptions>(
                   number("rho", &KarrasOptions::rho, above(0), "the larger, the more levels near the end")),
               karras),
      grid_row({.name = "kl_optimal",
                .aliases = {"KL Optimal"},
                .summary = "evenly spaced in arctan σ",
                .differs = "variant=a1111 ends at σ_min with N + 1 levels, whatever `final` says",
                .reference = "Sabour et al. 2024, arXiv:2404.14507, theorem 3.1",
                .variants = {"variant=a1111"}},
               options<KlOptimalOptions>(variant_option(&KlOptimalOptions::a1111, "comfyui", "a1111")), kl_optimal),
      grid_row({.name = "polyexponential",
                .aliases = {"Polyexponential"},
                .summary = "ln σ falls with (1 − u)^ρ",
                .reference = "k-diffusion get_sigmas_polyexponential",
                .variants = {"rho=0.5", "rho=2"}},
               options<PolyexponentialOptions>(
                   number("rho", &PolyexponentialOptions::rho, above(0), "the power; 1 is exponential")),
               polyexponential),
      grid_row({.name = "vp",
                .summary = "times of the VP SDE, evenly spaced; has a range of its own",
                .differs = "variant=edm takes the betas from σ_min and σ_max",
                .reference = "Song et al. 2021, arXiv:2011.13456 eq. 33",
                .variants = {"variant=edm"}},
               options<VpOptions>(number("beta_d", &VpOptions::beta_d, any_number(), "slope of beta")
                                      .belongs_to("variant=kdiffusion", kdiffusion),
                                  number("beta_min", &VpOptions::beta_min, any_number(), "beta at time 0")
                                      .belongs_to("variant=kdiffusion", kdiffusion),
                                  number("eps_s", &VpOptions::eps_s, above(0).below(1), "the time of the last level"),
                                  variant_option(&VpOptions::edm, "kdiffusion", "edm")),
               vp),
  };
}

}  // namespace stride
