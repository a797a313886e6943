// DPM-Solver multistep, of the noise: Lu et al. 2022 (arXiv:2206.00927), diffusers' algorithm_type="dpmsolver". Its
// third order gives the second difference half its weight, as dpmpp_3m's does, and is of second order; exact=1 mends
// it.
#include "solvers/shared/linear_multistep.h"

#include <algorithm>

namespace stride {

const SolverTraits& traits_dpm_multistep() {
  static const SolverTraits traits{
      .name = "dpm_multistep",
      .aliases = {"dpmsolver"},
      .family = "multistep",
      .order = 2,
      .start_order = 2,
      .history = 2,
      .reference =
          "Lu et al. 2022, arXiv:2206.00927, in the multistep form of diffusers' algorithm_type=dpmsolver: x' = x + "
          "the "
          "integral over d sigma of a polynomial in ln sigma through the last eps",
      .summary = "the noise as a polynomial in log-SNR, orders 1-3",
      .options = "order=3, exact=0, solver_type=midpoint, start=own|high, lower_order_final=0",
      .variants = {"order=1", "order=2", "order=2,solver_type=heun", "lower_order_final=1", "exact=1,start=high"},
      .also = {"diffusers", "diff-sampler"},
      .nfe = evaluations(1)};
  return traits;
}

std::unique_ptr<Solver> make_dpm_multistep(SolverOptions& options) {
  const bool exact = options.flag("exact", false);
  const bool midpoint = read_midpoint(options, "dpm_multistep", "midpoint");
  const auto order = static_cast<int>(read_order(options, "dpm_multistep", 3));
  const MultistepOptions read = MultistepOptions::read(options, "dpm_multistep", order, true);
  const int reached = exact ? order : std::min(order, 2);
  return make_linear_multistep(traits_dpm_multistep(), exponential_rule(false, midpoint, !exact), read,
                               {reached, read.start.steps > 0 ? reached : std::min(order, 2)});
}

}  // namespace stride
