// RES(2S), the second-order exponential method that fulfils its stiff order conditions exactly, at c2 = 1/2.
#include "solvers/shared/exponential_tableaux.h"

namespace stride {
namespace {

struct Res2sOptions {
  double c2 = 0.5;
};

}  // namespace

SolverEntry solver_res_2s() {
  return solver_entry({.name = "res_2s",
                       .aliases = {"RES 2S", "RES singlestep"},
                       .family = "one-step",
                       .reference = "Zhang et al. 2023, arXiv:2308.02157, alg. 1 with c2 = 1/2",
                       .summary = "dpmpp_singlestep:order=2,solver_type=heun under its own name; c2 anywhere in (0, 1]",
                       .variants = {"c2=0.7"},
                       .also = {"RES4LYF", "stable-diffusion.cpp"}},
                      {.order = 2, .start_order = 2, .error_order = 2, .nfe = evaluations(2)}, {},
                      options<Res2sOptions>(number("c2", &Res2sOptions::c2, above(0).at_most(1),
                                                   "where the second evaluation lies in the step, in ln sigma")),
                      [](SolverTraits traits, const Res2sOptions& options) {
                        return make_exponential_solver(std::move(traits), Prediction::data,
                                                       exponential_second(options.c2, ExponentialWeighting::heun));
                      });
}

}  // namespace stride
