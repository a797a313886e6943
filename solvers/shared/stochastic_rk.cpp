#include "solvers/shared/stochastic_rk.h"

#include "solvers/shared/tangent.h"

#include <ATen/ATen.h>

#include <cmath>
#include <utility>

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
    // With s_i = D_1 + p_i (x − D_1) + q_i, of the stages s_i, the numbers p_i are the method's on the equation without
    // D and the tensors q_i are small: no two terms of the size of σ are subtracted. The slope is k/v_i times p_i (x −
    // D_1) + r_i with r_i = q_i + D_1 − D_i.
    const double k = 0.5 * (1.0 + sde_.eta * sde_.eta);
    const Tensor first = step.denoise(x, step.from);
    std::vector<Times> shares{at::ones_like(width)}, rates{k * width / step.from.square()};  // p_i, k·width/v_i
    std::vector<Tensor> rests{at::zeros_like(x)};                                            // r_i
    const auto moved = [&](const std::vector<double>& factors) {
      std::pair<Times, Tensor> out{at::ones_like(width), at::zeros_like(x)};
      for (std::size_t j = 0; j < factors.size(); ++j) {
        if (factors[j] == 0.0) continue;
        out.first = out.first - factors[j] * rates[j] * shares[j];
        if (j > 0) out.second = out.second - per_sample(factors[j] * rates[j], x) * rests[j];
      }
      return out;
    };
    for (std::size_t i = 1; i < tableau_.nodes.size(); ++i) {
      auto [share, rest] = moved(tableau_.stages[i]);
      if (sde_.draws() && tableau_.noise[i] != 0.0) rest = rest + tableau_.noise[i] * average;
      // The end as it is: over a long step the clock's difference has lost the small one.
      const double node = tableau_.nodes[i];
      const Times v = node == 1.0 ? step.to.square() : step.from.square() - node * width;
      const Tensor stage = shrunk(x, first, share) + rest;
      const Tensor denoised = step.denoise(stage, node == 1.0 ? step.to : v.sqrt());
      rates.push_back(k * width / v);
      shares.push_back(std::move(share));
      rests.push_back(rest + (first - denoised));
    }
    auto [share, rest] = moved(tableau_.weights);
    if (sde_.draws()) rest = rest + increment;
    return {shrunk(x, first, share) + rest, history, first, {}};
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
