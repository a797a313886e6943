#include "solvers/shared/stochastic_rk.h"

#include <ATen/ATen.h>

#include <cmath>

namespace stride {
namespace {

class StochasticRk final : public Method {
 public:
  StochasticRk(SolverTraits traits, const SdeOptions& sde, const AdditiveTableau& tableau)
      : Method(std::move(traits)), sde_(sde), tableau_(tableau) {}

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const Times width = (step.from - step.to) * (step.from + step.to);  // −dv
    Tensor increment, average;                                          // η ΔB and η J
    if (sde_.draws()) {
      const Tensor spread = per_sample(sde_.eta * sde_.s_noise * width.sqrt(), x);
      increment = spread * step.noise(x);
      average = 0.5 * increment + spread * std::sqrt(1.0 / 12.0) * step.noise_area(x);
    }
    const auto sum = [&](const std::vector<double>& factors, const std::vector<Tensor>& slopes) {
      Tensor out = x;
      for (std::size_t j = 0; j < factors.size(); ++j)
        if (factors[j] != 0.0) out = out - per_sample(factors[j] * width, x) * slopes[j];
      return out;
    };
    std::vector<Tensor> slopes;
    Tensor first;
    for (std::size_t i = 0; i < tableau_.nodes.size(); ++i) {
      Tensor stage = sum(tableau_.stages[i], slopes);
      if (sde_.draws() && tableau_.noise[i] != 0.0) stage = stage + tableau_.noise[i] * average;
      // The ends as they are: over a long step the clock's difference has lost the small one.
      const double node = tableau_.nodes[i];
      const Times v = node == 1.0 ? step.to.square() : step.from.square() - node * width;
      const Times level = node == 0.0 ? step.from : node == 1.0 ? step.to : v.sqrt();
      const Tensor denoised = step.denoise(stage, level);
      if (i == 0) first = denoised;
      slopes.push_back((stage - denoised) * per_sample(0.5 * (1.0 + sde_.eta * sde_.eta) / v, x));
    }
    const Tensor next = sum(tableau_.weights, slopes);
    return {sde_.draws() ? next + increment : next, history, first, {}};
  }

 private:
  SdeOptions sde_;
  const AdditiveTableau& tableau_;
};

}  // namespace

const AdditiveTableau& sra1_tableau() {
  static const AdditiveTableau tableau{{0.0, 0.75}, {{}, {0.75}}, {1.0 / 3.0, 2.0 / 3.0}, {0.0, 1.5}};
  return tableau;
}

const AdditiveTableau& sra3_tableau() {
  static const AdditiveTableau tableau{
      {0.0, 1.0, 0.5}, {{}, {1.0}, {0.25, 0.25}}, {1.0 / 6.0, 1.0 / 6.0, 2.0 / 3.0}, {0.0, 0.0, 1.5}};
  return tableau;
}

std::unique_ptr<Solver> make_stochastic_rk(SolverTraits traits, const SdeOptions& sde, const AdditiveTableau& tableau) {
  return std::make_unique<StochasticRk>(std::move(traits), sde, tableau);
}

}  // namespace stride
