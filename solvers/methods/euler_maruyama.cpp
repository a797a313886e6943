// Euler–Maruyama on the reverse SDE (Kloeden & Platen 1992 §10.2): euler under ReverseSde, as a sampler of its own.
#include "solvers/methods/euler.h"
#include "solvers/shared/sde_path.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

class EulerMaruyama final : public Solver {
 public:
  explicit EulerMaruyama(const SdeOptions& sde) : traits_(claims(traits_euler_maruyama(), sde, 1, 1)), term_(sde.eta) {}
  [[nodiscard]] const SolverTraits& traits() const noexcept override { return traits_; }

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    return euler_step(step, term_, x, step.from, history);
  }

 private:
  SolverTraits traits_;
  ReverseSde term_;
};

}  // namespace

const SolverTraits& traits_euler_maruyama() {
  static const SolverTraits traits{
      .name = "euler_maruyama",
      .aliases = {"Euler-Maruyama", "em"},
      .family = "stochastic",
      .strong_order = 1.0,
      .stochastic = true,
      .reference = "Kloeden & Platen 1992, sec. 10.2; Song et al. 2021, arXiv:2011.13456, eq. 6",
      .summary = "Euler's tangent of the reverse SDE and its noise",
      .options = "eta=1",
      .variants = {"eta=0.5", "eta=0"},
      .also = {"score_sde", "torchsde"},
      .nfe = evaluations(1)};
  return traits;
}

std::unique_ptr<Solver> make_euler_maruyama(SolverOptions& options) {
  return std::make_unique<EulerMaruyama>(SdeOptions{.eta = options.number("eta", 1.0)});
}

}  // namespace stride
