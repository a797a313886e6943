// DEIS: the noise as a polynomial, integrated exactly; Zhang & Chen 2023 (arXiv:2204.13902), tAB and ρAB. The types
// differ in the variable of the polynomial: tab the VP time t, rhoab ρ = σ, log_rho ln ρ (diffusers).
#include "solvers/shared/linear_multistep.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace stride {
namespace {

constexpr double kBetaMin = 0.1;  // the continuous linear VP of Song et al. 2021 (arXiv:2011.13456) eq. 32
constexpr double kBetaRange = 19.9;
constexpr int kPoints = 24;

// t with σ² = exp(β_min t + (β_max − β_min) t²/2) − 1.
Times vp_time(const Times& sigma) {
  return ((kBetaMin * kBetaMin + 2.0 * kBetaRange * sigma.square().log1p()).sqrt() - kBetaMin) / kBetaRange;
}

struct GaussPoint {
  double place;
  double weight;
};

// Gauss–Legendre points on [−1, 1]: Newton's method on the Legendre polynomial.
std::vector<GaussPoint> gauss_legendre() {
  std::vector<GaussPoint> points;
  for (int i = 0; i < kPoints; ++i) {
    double x = std::cos(M_PI * (i + 0.75) / (kPoints + 0.5));
    double slope = 0.0;
    for (int iteration = 0; iteration < 20; ++iteration) {
      double last = 1.0;
      double value = x;
      for (int n = 2; n <= kPoints; ++n) last = std::exchange(value, ((2 * n - 1) * x * value - (n - 1) * last) / n);
      slope = kPoints * (x * value - last) / (x * x - 1.0);
      x -= value / slope;
    }
    points.push_back({x, 2.0 / ((1.0 - x * x) * slope * slope)});
  }
  return points;
}

// ∫ dσ of the polynomial in t, by quadrature in ln σ, where the integrand is smooth. The points reach the device as
// scalars: a captured step may copy nothing from the host.
MultistepRule tab_rule() {
  const auto weights = [points = gauss_legendre()](const Times& from, const Times& to, const std::vector<Times>& past) {
    const Times half = 0.5 * (to / from).log();
    const Times middle = (from * to).sqrt();
    std::vector<Times> sigmas;
    std::vector<Times> measures;
    for (const GaussPoint& point : points) {
      sigmas.push_back(middle * (half * point.place).exp());
      measures.push_back(sigmas.back() * half * point.weight);
    }
    std::vector<Times> nodes{vp_time(from)};
    for (const Times& level : past) nodes.push_back(vp_time(level));
    return quadrature_weights(vp_time(at::stack(sigmas)), at::stack(measures), nodes);
  };
  return {.weights = weights};
}

enum class DeisType { log_rho, rhoab, tab };

struct DeisOptions : MultistepOptions {
  DeisType type = DeisType::log_rho;
};

}  // namespace

SolverEntry solver_deis() {
  return solver_entry(
      {.name = "deis",
       .aliases = {"DEIS"},
       .family = "multistep",
       .reference = "Zhang & Chen 2023, arXiv:2204.13902, tAB- and rhoAB-DEIS: x' = x + sum_j C_j eps_j, C_j the "
                    "integral over d sigma of the Lagrange polynomial in t, rho or ln rho",
       .summary = "the noise as a polynomial in log-SNR, sigma or VP time, orders 1-3",
       .variants = {"order=2", "lower_order_final=1", "type=rhoab", "type=tab", "type=tab,order=2",
                    "type=tab,start=high"},
       .also = {"diffusers", "ComfyUI", "InvokeAI", "diff-sampler"}},
      {.order = 3, .start_order = 2, .nfe = evaluations(1)}, {.history = 2},
      options<DeisOptions>(MultistepOptions::declared(3),
                           choice("type", &DeisOptions::type,
                                  {{"log_rho", DeisType::log_rho}, {"rhoab", DeisType::rhoab}, {"tab", DeisType::tab}},
                                  "the variable in which the noise is a polynomial: ln sigma, sigma or VP time"),
                           MultistepOptions::order_option(3), start_option(&DeisOptions::high_start)),
      [](SolverTraits traits, const DeisOptions& options) {
        MultistepRule rule;
        if (options.type == DeisType::log_rho) rule = exponential_rule(false, false, false);
        if (options.type == DeisType::rhoab) rule.weights = adams_weights;
        if (options.type == DeisType::tab) rule = tab_rule();
        const auto order = static_cast<int>(options.order);
        return make_linear_multistep(std::move(traits), rule, options,
                                     {order, options.high_start ? order : std::min(order, 2)});
      });
}

}  // namespace stride
