// The phi functions, and the order conditions of the exponential tableaux.
#include "solvers/shared/exponential.h"

#include "solvers/shared/exponential_tableaux.h"
#include "tests/solvers/fixtures.h"

#include <cmath>

namespace stride {
namespace {

using namespace fixtures;

Times times(const std::vector<double>& values) { return at::tensor(values, at::kDouble).to(device()); }

double phi_of(int k, double z) { return phi(k, times({z}))[0].item<double>(); }

// ∫₀¹ e^((1−s)z) s^(k−1)/(k−1)! ds by 1024 panels of three-point Gauss–Legendre: nothing cancels in it.
double integral(int k, double z) {
  const long double nodes[3] = {-std::sqrt(0.6L), 0.0L, std::sqrt(0.6L)};
  const long double weights[3] = {5.0L / 18.0L, 8.0L / 18.0L, 5.0L / 18.0L};
  const int panels = 1024;
  long double sum = 0.0L;
  for (int p = 0; p < panels; ++p)
    for (int g = 0; g < 3; ++g) {
      const long double s = (p + 0.5L + 0.5L * nodes[g]) / panels;
      sum += weights[g] / panels * std::exp((1.0L - s) * z) * std::pow(s, k - 1) /
             std::tgamma(static_cast<long double>(k));
    }
  return static_cast<double>(sum);
}

// a_ij(z) of g_j − g_1 in row `row`, j counted from 2.
double weight(const ExponentialRow& row, std::size_t j, double z) {
  if (j - 2 >= row.weights.size()) return 0.0;
  double sum = 0.0;
  for (const PhiTerm& term : row.weights[j - 2]) sum += term.factor * phi_of(term.k, row.node * z);
  return sum;
}

// Residuals of the conditions of Hochbruck & Ostermann 2005, table 4.1; the weights of g_1 take care of order 1.
struct Residuals {
  double second;    // Σ b_j c_j − φ_2(z)
  double third;     // Σ b_j c_j²/2 − φ_3(z)
  double coupling;  // Σ b_i (Σ a_ij c_j − c_i² φ_2(c_i z))
};

Residuals residuals(const ExponentialTableau& tableau, const ExponentialRow& last, double z) {
  Residuals out{-phi_of(2, z), -phi_of(3, z), 0.0};
  for (std::size_t i = 0; i < tableau.stages.size(); ++i) {
    const ExponentialRow& row = tableau.stages[i];
    const double b = weight(last, i + 2, z);
    out.second += b * row.node;
    out.third += 0.5 * b * row.node * row.node;
    double inner = -row.node * row.node * phi_of(2, row.node * z);
    for (std::size_t j = 0; j < i; ++j) inner += weight(row, j + 2, z) * tableau.stages[j].node;
    out.coupling += b * inner;
  }
  return out;
}

struct NamedTableau {
  const char* name;
  ExponentialTableau tableau;
  bool exact_second;  // the second-order condition holds for every z, not for small z alone
  bool exact_third;   // the third-order quadrature condition does
};

std::vector<NamedTableau> tableaux() {
  using W = ExponentialWeighting;
  return {{"DPM-Solver-1", exponential_first(), false, false},
          {"DPM-Solver-2", exponential_second(0.5, W::dpm_solver), false, false},
          {"diffusers heun, order 2; RES(2S)", exponential_second(0.5, W::heun), true, false},
          {"RES(2S), c2 = 0.7", exponential_second(0.7, W::heun), true, false},
          {"exponential Heun", exponential_second(1.0, W::heun), true, false},
          {"DPM-Solver-3", exponential_third(W::dpm_solver), true, false},
          {"diffusers midpoint, order 3", exponential_third(W::midpoint), true, false},
          {"diffusers heun, order 3", exponential_third(W::heun), true, true}};
}

}  // namespace

TEST_CASE("exponential: phi functions are their integrals, near 0 and far from it", "[exponential]") {
  for (int k = 1; k <= 4; ++k) {
    double factorial = 1.0;
    for (int j = 2; j <= k; ++j) factorial *= j;
    CHECK(phi_of(k, 0.0) == 1.0 / factorial);
    for (const double size : {1e-300, 1e-12, 1e-7, 1e-3, 0.1, 0.4999999, 0.5, 0.5000001, 1.0, 3.0, 12.0})
      for (const double sign : {-1.0, 1.0}) {
        CAPTURE(k, sign * size);
        CHECK(phi_of(k, sign * size) == Approx(integral(k, sign * size)).epsilon(3e-14));
      }
  }
  CHECK(phi_of(0, 0.7) == std::exp(0.7));
}

TEST_CASE("exponential: a row's functions do not depend on its neighbours", "[exponential]") {
  std::vector<double> values;
  for (int i = 0; i < 37; ++i) values.push_back(-4.0 + 0.2173 * i);
  const Times all = times(values);
  for (int k = 0; k <= 3; ++k)
    for (int64_t i = 0; i < all.size(0); ++i)
      CHECK(same_bits(phi(k, all).narrow(0, i, 1), phi(k, all.narrow(0, i, 1).clone())));
}

TEST_CASE("exponential: every tableau fulfils the order conditions of the order that it claims", "[exponential]") {
  // The classical conditions are the stiff ones for z → 0: the one of order q up to O(z^(p − q + 1)).
  for (const NamedTableau& method : tableaux()) {
    CAPTURE(method.name);
    for (const double z : {-8.0, -1.0, 1.0, 8.0}) {
      const Residuals at = residuals(method.tableau, method.tableau.last, z);
      const double size = phi_of(2, z);
      if (method.exact_second) CHECK(std::abs(at.second) < 1e-13 * size);
      if (method.exact_third) CHECK(std::abs(at.third) < 1e-13 * size);
    }
    for (const double z : {-1e-3, 1e-3}) {
      const Residuals at = residuals(method.tableau, method.tableau.last, z);
      const int p = method.tableau.order;
      if (p >= 2) CHECK(std::abs(at.second) < std::pow(std::abs(z), p - 1));
      if (p >= 3) CHECK(std::abs(at.third) < std::abs(z));
      if (p >= 3) CHECK(std::abs(at.coupling) < std::abs(z));
    }
  }
}

TEST_CASE("exponential: an embedded row is of the order below, and no better", "[exponential]") {
  for (const NamedTableau& method : tableaux()) {
    if (method.tableau.embedded.empty()) continue;
    CAPTURE(method.name);
    const Residuals at = residuals(method.tableau, method.tableau.embedded[0], 1e-3);
    if (method.tableau.order == 2)
      CHECK(std::abs(at.second) > 0.1);
    else {
      CHECK(std::abs(at.second) < 1e-3);
      CHECK(std::abs(at.third) > 0.01);
    }
  }
}

TEST_CASE("exponential: dpm_fast gives every row the method of its place", "[exponential]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  const TimeGrid grid({10.0, 4.0, 1.5, 0.6, 0.2});
  const auto at_place = [&](const std::string& name, const Tensor& place) {
    const auto solver = make_solver(name);
    RunState state = start({*model, *solver, noise, grid}, ids(4));
    const ProbabilityFlow flow;
    const Problem problem{*model, flow, noise};
    Step step(problem, state.constant, state.sigma, state.sigma * 0.4, place, state.draws);
    return solver->step(step, state.x, state.history).x;
  };
  const Tensor mixed = at_place("dpm_fast", index({0, 1, 2, 3}));
  const Tensor first = index({0, 0, 0, 0});
  const char* const methods[] = {"dpm_singlestep", "dpm_singlestep", "dpm_singlestep:order=2",
                                 "dpm_singlestep:order=1"};
  for (int64_t i = 0; i < 4; ++i) CHECK(at::allclose(mixed[i], at_place(methods[i], first)[i], 1e-13, 1e-13));
}

}  // namespace stride
