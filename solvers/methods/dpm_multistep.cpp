// DPM-Solver multistep, of the noise: Lu et al. 2022 (arXiv:2206.00927), diffusers' algorithm_type="dpmsolver". Its
// third order gives the second difference half its weight, as dpmpp_3m's does, and is of second order; exact=1 mends
// it.
#include "solvers/shared/linear_multistep.h"

#include <algorithm>

namespace stride {
namespace {

struct DpmMultistepOptions : MultistepOptions {
  bool exact = false;
  bool midpoint = true;
};

}  // namespace

SolverEntry solver_dpm_multistep() {
  return solver_entry(
      {.name = "dpm_multistep",
       .aliases = {"dpmsolver"},
       .family = "multistep",
       .reference =
           "Lu et al. 2022, arXiv:2206.00927, in the multistep form of diffusers' algorithm_type=dpmsolver: x' = x + "
           "the "
           "integral over d sigma of a polynomial in ln sigma through the last eps",
       .summary = "the noise as a polynomial in log-SNR, orders 1-3",
       .variants = {"order=1", "order=2", "order=2,solver_type=heun", "lower_order_final=1", "exact=1,start=high"},
       .also = {"diffusers", "diff-sampler"}},
      {.order = 2, .start_order = 2, .nfe = evaluations(1)}, {.history = 2},
      options<DpmMultistepOptions>(
          MultistepOptions::declared(3), MultistepOptions::order_option(3), exact_option(&DpmMultistepOptions::exact),
          midpoint_option(&DpmMultistepOptions::midpoint), start_option(&DpmMultistepOptions::high_start)),
      [](SolverTraits traits, const DpmMultistepOptions& options) {
        const auto order = static_cast<int>(options.order);
        const int reached = options.exact ? order : std::min(order, 2);
        return make_linear_multistep(std::move(traits), exponential_rule(false, options.midpoint, !options.exact),
                                     options, {reached, options.high_start ? reached : std::min(order, 2)});
      });
}

}  // namespace stride
