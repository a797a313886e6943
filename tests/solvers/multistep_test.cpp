// The coefficients of multistep methods against the conditions that define them, and their start.
#include "solvers/shared/multistep.h"
#include "solvers/plan.h"
#include "solvers/shared/multistep_start.h"
#include "tests/solvers/fixtures.h"

#include <cmath>

namespace stride {
namespace {

using namespace fixtures;

Times level(double sigma) { return at::full({1}, sigma, at::TensorOptions().dtype(at::kDouble).device(device())); }
std::vector<Times> levels(const std::vector<double>& sigmas) {
  std::vector<Times> out;
  for (const double sigma : sigmas) out.push_back(level(sigma));
  return out;
}

// Σ_j weights[j]·nodes[j]^power.
double moment(const std::vector<Times>& weights, const std::vector<double>& nodes, int power) {
  double sum = 0.0;
  for (std::size_t j = 0; j < nodes.size(); ++j) sum += weights[j].item<double>() * std::pow(nodes[j], power);
  return sum;
}

}  // namespace

TEST_CASE("multistep: fixed-step weights meet the Adams-Bashforth order conditions", "[multistep]") {
  for (int order = 1; order <= 4; ++order)
    for (int power = 0; power < order; ++power) {
      double sum = 0.0;
      for (int j = 0; j < order; ++j)
        sum += adams_bashforth(order)[static_cast<std::size_t>(j)] * std::pow(-static_cast<double>(j), power);
      CAPTURE(order, power);
      CHECK(sum == Approx(1.0 / (power + 1)).margin(1e-14));
    }
}

TEST_CASE("multistep: variable-step weights integrate every polynomial of their degree", "[multistep]") {
  const std::vector<double> past{2.0, 3.5, 4.0, 7.0};
  for (std::size_t count = 1; count <= 4; ++count) {
    const std::vector<double> nodes(past.begin(), past.begin() + static_cast<std::ptrdiff_t>(count));
    const auto weights = adams_weights(level(2.0), level(1.2), levels({nodes.begin() + 1, nodes.end()}));
    for (int power = 0; power < static_cast<int>(count); ++power)
      CHECK(moment(weights, nodes, power) ==
            Approx((std::pow(1.2, power + 1) - std::pow(2.0, power + 1)) / (power + 1)).epsilon(1e-12));
  }
}

TEST_CASE("multistep: exponential weights have the moments of the exponential integrals", "[multistep]") {
  const double from = 2.0;
  const double to = 1.2;
  const std::vector<double> nodes{0.0, std::log(from / 3.5) / std::log(from / to),
                                  std::log(from / 4.0) / std::log(from / to)};
  const auto steps = log_nodes(level(from), level(to), levels({3.5, 4.0}));
  const auto image = moment_weights(denoised_moments(level(from), level(to), 3), steps);
  const auto noise = moment_weights(slope_moments(level(from), level(to), 3), steps);
  const double h = std::log(from / to);
  for (int power = 0; power < 3; ++power) {
    double of_image = 0.0;
    double of_noise = 0.0;
    constexpr int kCells = 2000;  // Simpson's rule
    for (int i = 0; i <= kCells; ++i) {
      const double s = static_cast<double>(i) / kCells;
      const double share = (i == 0 || i == kCells ? 1.0 : i % 2 == 1 ? 4.0 : 2.0) / (3.0 * kCells);
      of_image += share * h * std::exp((s - 1.0) * h) * std::pow(s, power);
      of_noise -= share * h * from * std::exp(-s * h) * std::pow(s, power);
    }
    CHECK(moment(image, nodes, power) == Approx(of_image).epsilon(1e-11));
    CHECK(moment(noise, nodes, power) == Approx(of_noise).epsilon(1e-11));
  }
}

TEST_CASE("multistep: the tableaux of the start meet their order conditions", "[multistep]") {
  for (int order = 2; order <= 4; ++order) {
    const StartTableau& t = start_tableau(order);
    CAPTURE(order);
    CHECK(t.order == order);
    const std::size_t stages = t.nodes.size();
    // Hairer, Nørsett & Wanner, Solving ODEs I, table II.2.2: Σ b·condition = value.
    const auto row = [&](std::size_t i, const std::function<double(std::size_t)>& value) {
      double sum = 0.0;
      for (std::size_t j = 0; j < t.stages[i].size(); ++j) sum += t.stages[i][j] * value(j);
      return sum;
    };
    const auto total = [&](const std::function<double(std::size_t)>& value) {
      double sum = 0.0;
      for (std::size_t i = 0; i < stages; ++i) sum += t.weights[i] * value(i);
      return sum;
    };
    const auto one = [](std::size_t /*i*/) { return 1.0; };
    const auto node = [&](std::size_t i) { return t.nodes[i]; };
    const auto square = [&](std::size_t i) { return t.nodes[i] * t.nodes[i]; };
    const auto second = [&](std::size_t i) { return row(i, node); };
    for (std::size_t i = 0; i < stages; ++i) CHECK(row(i, one) == Approx(t.nodes[i]).margin(1e-15));
    CHECK(total(one) == Approx(1.0));
    CHECK(total(node) == Approx(1.0 / 2));
    if (order < 3) continue;
    CHECK(total(square) == Approx(1.0 / 3));
    CHECK(total(second) == Approx(1.0 / 6));
    if (order < 4) continue;
    CHECK(total([&](std::size_t i) { return std::pow(t.nodes[i], 3); }) == Approx(1.0 / 4));
    CHECK(total([&](std::size_t i) { return t.nodes[i] * second(i); }) == Approx(1.0 / 8));
    CHECK(total([&](std::size_t i) { return row(i, square); }) == Approx(1.0 / 12));
    CHECK(total([&](std::size_t i) { return row(i, second); }) == Approx(1.0 / 24));
  }
}

TEST_CASE("multistep: the evaluations of a start are made where a row needs them and nowhere else", "[multistep]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  const auto solver = make_solver("lms:start=high");
  const TimeGrid grid({10.0, 6.0, 3.0, 1.5, 0.7, 0.3, 0.1});
  const FixedGrid controller(grid);
  const RunResult together = run({*model, *solver, noise, grid}, ids(3));
  CHECK(together.nfe.eq(6 + 4).all().item<bool>());
  CHECK(same_bits(together.nfe, together.model_evals));
  // A refilled batch makes them for all its rows, as the host cannot tell; the results and their counts are the same.
  const Problem problem{*model, flow, noise};
  RunState state = start({*model, *solver, noise, grid}, ids(2));
  for (int i = 0; i < 4; ++i) state = advance(problem, *solver, controller, state);
  state = RunState::concat(state, start({*model, *solver, noise, grid}, ids(1, 2)));
  for (int i = 0; i < 6; ++i) state = advance(problem, *solver, controller, state);
  CHECK(same_bits(state.x, together.x));
  CHECK(same_bits(state.nfe, together.nfe));
  CHECK(state.model_evals.gt(state.nfe).all().item<bool>());
}

}  // namespace stride
