// Euler–Maruyama on the reverse SDE (Kloeden & Platen 1992 §10.2): euler under ReverseSde, as a sampler of its own.
#include "solvers/methods/euler.h"
#include "solvers/shared/sde_path.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

struct EulerMaruyamaOptions {
  double eta = 1.0;
};

class EulerMaruyama final : public Method {
 public:
  EulerMaruyama(const SolverTraits& traits, const SdeOptions& sde)
      : Method(claims(traits, sde, 1, 1)), term_(sde.eta) {}

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    return euler_step(step, term_, x, step.from, history);
  }

 private:
  ReverseSde term_;
};

}  // namespace

SolverEntry solver_euler_maruyama() {
  return solver_entry({.name = "euler_maruyama",
                       .aliases = {"Euler-Maruyama", "em"},
                       .family = "stochastic",
                       .reference = "Kloeden & Platen 1992, sec. 10.2; Song et al. 2021, arXiv:2011.13456, eq. 6",
                       .summary = "Euler's tangent of the reverse SDE and its noise",
                       .variants = {"eta=0.5", "eta=0"},
                       .also = {"score_sde", "torchsde"}},
                      {.strong_order = 1.0, .nfe = evaluations(1)}, {.stochastic = true},
                      options<EulerMaruyamaOptions>(number("eta", &EulerMaruyamaOptions::eta, at_least(0),
                                                           "how much noise goes in: 0 none, 1 the reverse SDE")),
                      [](SolverTraits traits, const EulerMaruyamaOptions& options) {
                        return std::make_unique<EulerMaruyama>(std::move(traits), SdeOptions{.eta = options.eta});
                      });
}

}  // namespace stride
