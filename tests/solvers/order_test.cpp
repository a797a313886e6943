// Claimed orders against measured ones: every solver of the registry, on flows whose answer is known. With
// STRIDE_MEASURED_ORDERS=FILE what was measured is kept there; docs/results/orders.json is such a file.
#include "tests/solvers/fixtures.h"

#include "solvers/checks/orders.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <fstream>

namespace stride {
namespace {

using namespace fixtures;

nlohmann::json orders_in(const std::string& path) {
  std::ifstream file(path);
  return file ? nlohmann::json::parse(file) : nlohmann::json::object();
}

// To two decimals: more would differ from machine to machine.
void keep(const std::string& name, const std::string& claim, double order) {
  const char* path = std::getenv("STRIDE_MEASURED_ORDERS");
  if (path == nullptr) return;
  nlohmann::json all = orders_in(path);
  all[name][claim] = std::round(100.0 * order) / 100.0;
  std::ofstream(path) << all.dump(1) << '\n';
}

// The claims of a solver that the suites measure.
std::map<std::string, double> claims(const SolverTraits& traits) {
  std::map<std::string, double> out;
  if (traits.order) out["order"] = *traits.order;
  if (traits.start_order) out["start_order"] = *traits.start_order;
  if (traits.strong_order) out["strong_order"] = *traits.strong_order;
  return out;
}

}  // namespace

TEST_CASE("order: every deterministic solver has the order it claims, history primed exactly", "[order]") {
  each_solver([&](const std::string& name, const Solver& solver) {
    if (!solver.traits().order) return;
    CAPTURE(*solver.traits().order);
    const double order = measured_order(solver, true, device());
    keep(name, "order", order);
    CAPTURE(order);
    CHECK(meets(order, *solver.traits().order));
  });
}

TEST_CASE("order: every solver has the order it claims with its own start", "[order]") {
  each_solver([&](const std::string& name, const Solver& solver) {
    if (!solver.traits().start_order) return;
    CAPTURE(*solver.traits().start_order);
    const double order = measured_order(solver, false, device());
    keep(name, "start_order", order);
    CHECK(order == Approx(*solver.traits().start_order).margin(kOrderTolerance));
  });
}

TEST_CASE("order: a solver without an order is stochastic, learned, or for consistency models", "[order]") {
  each_solver([](const std::string&, const Solver& solver) {
    const SolverTraits& traits = solver.traits();
    // A consistency sampler noises each step afresh, however short the step: it converges to no path.
    if (traits.family == "consistency" && traits.stochastic) return;
    CHECK((traits.order.has_value() || traits.strong_order.has_value() || traits.family == "learned"));
    CHECK(traits.stochastic == (traits.strong_order.has_value() && !traits.integrates_sde));
  });
}

TEST_CASE("order: stochastic solvers and SDE terms have the strong order they claim, on one Brownian tree", "[order]") {
  each_solver([&](const std::string& name, const Solver& solver) {
    if (!solver.traits().strong_order) return;
    const double order = measured_strong_order(solver, device());
    CAPTURE(order);
    keep(name, "strong_order", order);
    CHECK(meets(order, *solver.traits().strong_order));
  });
}

TEST_CASE("order: docs/results/orders.json has every claim measured, and no more", "[order]") {
  const nlohmann::json kept = orders_in(STRIDE_SOURCE_DIR "/docs/results/orders.json");
  INFO(
      "run: echo '{}' > docs/results/orders.json; STRIDE_MEASURED_ORDERS=docs/results/orders.json test_solvers "
      "'order*'");
  std::map<std::string, std::map<std::string, double>> left = kept;
  for (const std::string& name : all_solvers()) {
    for (const auto& [claim, order] : claims(solver_for(name)->traits())) {
      CAPTURE(name, claim);
      REQUIRE(left[name].contains(claim));
      CHECK(meets(left[name][claim], order));
      left[name].erase(claim);
    }
  }
  for (const auto& [name, measurements] : left) {
    CAPTURE(name);
    CHECK(measurements.empty());
  }
}

}  // namespace stride
