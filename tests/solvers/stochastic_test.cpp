// Exact limits of the stochastic samplers, the laws they must leave alone, and their tables.
#include "framework/error.h"
#include "solvers/shared/exponential_adams.h"
#include "solvers/shared/stochastic_rk.h"
#include "tests/solvers/fixtures.h"

#include <cmath>
#include <map>

namespace stride {
namespace {

using namespace fixtures;

TimeGrid karras_grid(Final final, int64_t steps = 9) {
  return make_grid(Spec::parse("karras"), {steps, 0.05, 10.0, final, nullptr});
}

Tensor run_of(const std::string& name, const NoiseSource& noise, const TimeGrid& grid, const Term& term) {
  static const auto model = three_components();
  const auto solver = make_solver(name);
  return sample({*model, term, noise}, *solver, FixedGrid(grid), start({*model, *solver, noise, grid}, ids(5))).x;
}

Tensor run_of(const std::string& name, const NoiseSource& noise = PhiloxNoise(), Final final = Final::zero) {
  return run_of(name, noise, karras_grid(final), ProbabilityFlow());
}

double difference(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

// Every normal is the same number.
class Constant final : public NoiseSource {
 public:
  explicit Constant(double value) : value_(value) {}
  [[nodiscard]] Tensor normal(const NoiseDraw& /*draw*/, const Tensor& like) const override {
    return at::full_like(like, value_);
  }

 private:
  double value_;
};

}  // namespace

TEST_CASE("stochastic: without noise a method is its deterministic one, and draws nothing", "[solvers]") {
  const NoNoise none;
  for (const Final final : {Final::zero, Final::sigma_min}) {
    CAPTURE(to_string(final));
    // The same step in another order of its products.
    CHECK(difference(run_of("dpmpp_2m_sde:eta=0", none, final), run_of("dpmpp_2m", none, final)) < 1e-12);
    CHECK(same_bits(run_of("restart:restarts=0", none, final), run_of("heun", none, final)));
    CHECK(difference(run_of("euler_maruyama:eta=0", none, final), run_of("euler", none, final)) < 1e-12);
    CHECK(same_bits(run_of("euler:s_churn=0,s_tmin=1", none, final), run_of("euler", none, final)));
    CHECK(same_bits(run_of("heun:s_churn=0,s_noise=3", none, final), run_of("heun", none, final)));
    CHECK(same_bits(run_of("dpmpp_sde:eta=0,r=0.4", none, final), run_of("seeds_2:eta=0,r=0.4", none, final)));
    CHECK(difference(run_of("er_sde:solver_type=ode,order=1", none, final), run_of("euler", none, final)) < 1e-12);
    CHECK(difference(run_of("sa_solver:tau=0,predictor=1,corrector=0", none, final), run_of("euler", none, final)) <
          1e-12);
  }
}

TEST_CASE("stochastic: equal methods under two names agree under any noise", "[solvers]") {
  const PhiloxNoise philox(2);
  const BrownianTree tree(5, 0.05, 10.0);
  for (const NoiseSource* noise : {static_cast<const NoiseSource*>(&philox), static_cast<const NoiseSource*>(&tree)}) {
    CHECK(difference(run_of("dpmpp_sde", *noise), run_of("seeds_2", *noise)) < 1e-11);
    CHECK(difference(run_of("er_sde:solver_type=reverse_sde,order=1", *noise), run_of("euler_ancestral", *noise)) <
          1e-11);
    CHECK(difference(run_of("sa_solver:predictor=1,corrector=0", *noise), run_of("ddpm", *noise)) < 1e-11);
    const TimeGrid grid = karras_grid(Final::zero);
    CHECK(same_bits(run_of("euler_maruyama:eta=0.7", *noise), run_of("euler", *noise, grid, ReverseSde(0.7))));
  }
}

TEST_CASE("stochastic: a step's noise has the size of the reverse SDE's", "[solvers]") {
  const double from = 3.0, to = 1.2;
  const TimeGrid grid({from, to});
  const ProbabilityFlow term;
  // The step's one evaluation does not see the noise, so the two ends differ by its size alone.
  const double exact = to * std::sqrt(1.0 - (to / from) * (to / from));
  for (const auto& [name, share] : std::map<std::string, double>{{"ddpm", 1.0},
                                                                 {"ddim:eta=1", 1.0},
                                                                 {"ddim:eta=0.5", 0.5},
                                                                 {"euler_ancestral", 1.0},
                                                                 {"dpmpp_2m_sde", 1.0},
                                                                 {"dpmpp_3m_sde", 1.0},
                                                                 {"dpmpp_3m_sde:s_noise=1.1", 1.1},
                                                                 {"sa_solver:predictor=1,corrector=0", 1.0},
                                                                 {"er_sde:solver_type=reverse_sde,order=1", 1.0}}) {
    CAPTURE(name);
    // Both runs start from the same noise.
    const auto end = [&, solver = make_solver(name)](const NoiseSource& noise) {
      const auto model = three_components();
      const RunState begin = start({*model, *solver, PhiloxNoise(), grid}, ids(4));
      return sample({*model, term, noise}, *solver, FixedGrid(grid), begin).x;
    };
    CHECK(difference(end(Constant(1.0)) - end(Constant(0.0)), at::full({}, share * exact, at::kDouble)) < 1e-12);
  }
}

TEST_CASE("stochastic: churn outside its range evaluates where it stands", "[solvers]") {
  CHECK(same_bits(run_of("euler:s_churn=9,s_tmin=50"), run_of("euler")));
  CHECK(same_bits(run_of("heun:s_churn=9,s_tmax=0.01"), run_of("heun")));
  // Without noise the step still starts at the raised level.
  CHECK_FALSE(same_bits(run_of("heun:s_churn=9,s_noise=0"), run_of("heun")));
}

TEST_CASE("stochastic: a Gaussian keeps its mean and its spread, under both kinds of noise", "[solvers]") {
  const GaussianFlow flow;
  const PhiloxNoise philox(9);
  const BrownianTree tree(9, 0.3, 4.0, 14);
  const TimeGrid grid = make_grid(Spec::parse("karras"), {48, 0.3, 4.0, Final::sigma_min, nullptr});
  const ProbabilityFlow term;
  for (const std::string name :
       {"dpmpp_2m_sde", "dpmpp_2m_sde:eta=0.5,solver_type=heun", "dpmpp_3m_sde", "dpmpp_sde", "dpmpp_sde:eta=0.5",
        "seeds_2:eta=2", "seeds_3", "er_sde", "sa_solver", "sa_solver:tau=0.6,pece=true", "dpm2_ancestral", "sra1",
        "sra3:eta=0.7", "restart", "restart:restarts=3", "heun:s_churn=30", "euler_maruyama"})
    for (const NoiseSource* noise :
         {static_cast<const NoiseSource*>(&philox), static_cast<const NoiseSource*>(&tree)}) {
      const auto solver = make_solver(name);
      const Tensor samples = ids(4000);
      RunState begin = start({*flow.denoiser, *solver, *noise, grid}, samples);
      // The law of x at the first level, exactly.
      begin.x = flow.mean + begin.x * std::sqrt(1.0 + flow.std * flow.std / (grid.start() * grid.start()));
      const Tensor end = sample({*flow.denoiser, term, *noise}, *solver, FixedGrid(grid), begin).x;
      const double spread = std::sqrt(flow.std * flow.std + grid.end() * grid.end());
      CAPTURE(name, noise == &tree);
      CHECK(difference(end.mean(0), flow.mean) < 0.05);
      CHECK((end - flow.mean).square().mean().sqrt().item<double>() / spread == Approx(1.0).margin(0.04));
    }
}

TEST_CASE("stochastic: Roessler's tables satisfy the conditions of strong order 1.5", "[solvers]") {
  for (const AdditiveTableau* table : {&sra1_tableau(), &sra3_tableau()}) {
    double sum = 0.0, middle = 0.0, noise = 0.0, noise_squared = 0.0;
    for (std::size_t i = 0; i < table->nodes.size(); ++i) {
      double row = 0.0;
      for (const double a : table->stages[i]) row += a;
      CHECK(row == Approx(table->nodes[i]));
      sum += table->weights[i];
      middle += table->weights[i] * table->nodes[i];
      noise += table->weights[i] * table->noise[i];
      noise_squared += table->weights[i] * table->noise[i] * table->noise[i];
    }
    CHECK(sum == Approx(1.0));
    CHECK(middle == Approx(0.5));
    CHECK(noise == Approx(1.0));
    CHECK(noise_squared == Approx(1.5));
  }
  const AdditiveTableau& three = sra3_tableau();
  CHECK(three.weights[1] * 1.0 + three.weights[2] * 0.25 == Approx(1.0 / 3.0));
  CHECK(three.weights[2] * three.stages[2][1] * three.nodes[1] == Approx(1.0 / 6.0));
}

TEST_CASE("stochastic: exponential Adams weights integrate polynomials in ln sigma exactly", "[solvers]") {
  const auto at_level = [](double value) { return at::full({1}, value, at::kDouble); };
  for (const double eta : {0.0, 0.3, 1.0}) {
    const std::vector<Times> nodes{at_level(1.0), at_level(1.7), at_level(0.6), at_level(2.9)};
    const auto weights = exponential_adams_weights(at_level(1.0), at_level(0.6), at_level(eta), nodes);
    for (int power = 0; power < 4; ++power) {
      double sum = 0.0;
      for (std::size_t j = 0; j < nodes.size(); ++j)
        sum += weights[j].item<double>() * std::pow(-std::log(nodes[j].item<double>()), power);
      // Simpson's rule on the integral itself.
      const double h = std::log(1.0 / 0.6);
      double exact = 0.0;
      constexpr int kParts = 2000;
      for (int k = 0; k <= kParts; ++k) {
        const double u = h * k / kParts;
        const double factor = k == 0 || k == kParts ? 1.0 : k % 2 == 1 ? 4.0 : 2.0;
        exact += factor * (1.0 + eta) * std::exp(-(1.0 + eta) * (h - u)) * std::pow(u, power) * h / kParts / 3.0;
      }
      CAPTURE(eta, power);
      CHECK(sum == Approx(exact).epsilon(1e-10));
    }
  }
}

TEST_CASE("stochastic: options that make no sense are refused by name", "[solvers]") {
  CHECK_THROWS_WITH(make_solver("dpmpp_2m_sde:solver_type=ralston"), contains("midpoint or heun"));
  CHECK_THROWS_WITH(make_solver("dpmpp_2m_sde:eta=-1"), contains("eta must be at least 0"));
  CHECK_THROWS_WITH(make_solver("dpmpp_sde:eta=1.5"), contains("eta must lie in 0"));
  CHECK_THROWS_WITH(make_solver("dpmpp_sde:r=1"), contains("r must be above 0 and below 1"));
  CHECK_THROWS_WITH(make_solver("seeds_3:r_1=0.8"), contains("r_1 must be below r_2"));
  CHECK_THROWS_WITH(make_solver("er_sde:order=4"), contains("order must lie in"));
  CHECK_THROWS_WITH(make_solver("sa_solver:pece=true,corrector=0"), contains("pece needs a corrector"));
  CHECK_THROWS_WITH(make_solver("restart:steps=0"), contains("at least 1"));
  CHECK_THROWS_WITH(make_solver("euler:s_churn=-1"), contains("s_churn"));
}

}  // namespace stride
