// ER-SDE-Solver-1 … 3: Cui et al. 2023 (arXiv:2309.06169) in the form for σ(t) = t (VE), whose noise function
// φ(σ) scales how much of x a step keeps. Their integrals over a step are Gauss–Legendre sums in ln σ here.
#include "solvers/shared/coefficients.h"
#include "solvers/shared/sde_path.h"

#include <ATen/ATen.h>

#include <array>
#include <cmath>

namespace stride {
namespace {

// Nodes in (0, 1) and weights of the Gauss–Legendre rule of 16 points, one of each symmetric pair.
constexpr std::array<std::array<double, 2>, 8> kGauss{{{0.0950125098376374402, 0.1894506104550684963},
                                                       {0.2816035507792589132, 0.1826034150449235889},
                                                       {0.4580167776572273863, 0.1691565193950025382},
                                                       {0.6178762444026437484, 0.1495959888165767321},
                                                       {0.7554044083550030339, 0.1246289712555338721},
                                                       {0.8656312023878317439, 0.0951585116824927848},
                                                       {0.9445750230732325761, 0.0622535239386478929},
                                                       {0.9894009349916499326, 0.0271524594117540949}}};

struct ErSdeOptions {
  int64_t order;
  bool paper;  // φ(σ)/σ = exp(σ^0.3) + 10, the paper's ER-SDE 5; else σ^η
  double eta;
};

class ErSde final : public Method {
 public:
  ErSde(const SolverTraits& traits, const ErSdeOptions& options, const SdeOptions& sde)
      : Method(claims(traits, sde, options.order == 1 ? 1 : 2, options.order == 1 ? 1 : 2)),
        options_(options),
        sde_(sde) {
    traits_.history = options.order - 1;
  }

  [[nodiscard]] std::optional<Tensor> coefficients(const Tensor& grid) const override {
    return coefficients_of(grid, traits_.history, rule());
  }

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const History past = History::from_state(history, x);
    const Tensor denoised = step.denoise(x, step.from);
    const std::vector<Tensor> factors = coefficients_at(step, x, past, rule());
    Tensor next = factors[0] * x + factors[1] * denoised;
    if (options_.order > 1) next = next + factors[3] * (denoised - past[0].denoised);
    if (options_.order > 2) next = next + factors[4] * (past[0].denoised - past[1].denoised);
    if (sde_.draws()) next = next + factors[2] * step.noise(x);
    const Tensor slope = (x - denoised) / per_sample(step.from, x);
    return {next, past.push({step.from, denoised, slope}).state(), denoised, {}};
  }

 private:
  // What x, D and unit normals count for, and the factors of D_0 − D_1 and D_1 − D_2.
  [[nodiscard]] CoefficientRule rule() const {
    return [this](const StepTimes& times) -> std::vector<Tensor> {
      const Times shrink = shape(times.to) / shape(times.from);
      const Times keep = times.to / times.from * shrink;
      const auto [newest, oldest] = difference_weights(times);
      return {keep, 1.0 - keep, sde_.s_noise * times.to * (1.0 - shrink.square()).sqrt(), newest, oldest};
    };
  }

  // φ(σ)/σ.
  [[nodiscard]] Times shape(const Times& sigma) const {
    if (options_.paper) return (0.3 * sigma.log()).exp().exp() + 10.0;
    return (options_.eta * sigma.log()).exp();
  }

  // Derivatives by backward differences, times ∫ (φ(σ_to)/φ(u) − 1) du and
  // ∫ (φ(σ_to)/φ(u) − 1)(u − σ) du over the step.
  [[nodiscard]] std::pair<Times, Times> difference_weights(const StepTimes& step) const {
    const Times zero = at::zeros_like(step.from);
    if (options_.order == 1) return {zero, zero};
    const Times h = (step.from / step.to).log();
    const Times end = step.to * shape(step.to);
    Times first = zero;
    Times second = zero;
    for (const auto& [node, weight] : kGauss)
      for (const double side : {-1.0, 1.0}) {
        const Times u = step.from * (-(0.5 + 0.5 * side * node) * h).exp();
        const Times part = 0.5 * weight * h * (end / shape(u) - u);
        first = first + part;
        second = second + part * (u - step.from);
      }
    const Times gap0 = step.from - step.past[0];
    const Times one_past = at::where(step.count > 0, first / gap0, zero);
    if (options_.order == 2) return {one_past, zero};
    const Times gap1 = step.past[0] - step.past[1];
    const Times bend = 2.0 * second / (gap0 + gap1);
    return {at::where(step.count > 1, (first + bend) / gap0, one_past), at::where(step.count > 1, -bend / gap1, zero)};
  }

  ErSdeOptions options_;
  SdeOptions sde_;
};

enum class ErSdeType { er_sde, reverse_sde, ode };

struct ErSdeSettings : SdeOptions {
  int64_t order = 3;
  ErSdeType type = ErSdeType::er_sde;
};

}  // namespace

SolverEntry solver_er_sde() {
  return solver_entry(
      {.name = "er_sde",
       .aliases = {"ER-SDE", "ER-SDE-Solver"},
       .family = "stochastic",
       .reference = "Cui et al. 2023, arXiv:2309.06169, eq. 18-20 (ER-SDE-Solver-1, 2 and 3), VE",
       .summary = "extended reverse SDE; backward differences make all orders above 1 second order without noise",
       .variants = {"order=1", "order=2", "solver_type=reverse_sde,eta=0.5,s_noise=1.1", "solver_type=ode",
                    "solver_type=ode,order=2", "solver_type=ode,order=1"},
       .also = {"ComfyUI", "stable-diffusion.cpp"}},
      {.strong_order = 1.0, .nfe = evaluations(1)}, {.history = 2, .stochastic = true},
      options<ErSdeSettings>(
          integer("order", &ErSdeSettings::order, in_range(1, 3), "evaluations in use"),
          choice("solver_type", &ErSdeSettings::type,
                 {{"er_sde", ErSdeType::er_sde}, {"reverse_sde", ErSdeType::reverse_sde}, {"ode", ErSdeType::ode}},
                 "the noise function: the paper's, the reverse SDE's, or none"),
          SdeOptions::declared())
          .check([](const ErSdeSettings& read) { return read.type != ErSdeType::er_sde || read.eta == 1.0; },
                 "eta belongs to solver_type=reverse_sde"),
      [](SolverTraits traits, const ErSdeSettings& options) {
        SdeOptions sde = options;
        if (options.type == ErSdeType::ode) sde.eta = 0.0;
        return std::make_unique<ErSde>(std::move(traits),
                                       ErSdeOptions{options.order, options.type == ErSdeType::er_sde, sde.eta}, sde);
      });
}

}  // namespace stride
