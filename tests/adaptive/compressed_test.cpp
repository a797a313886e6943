// The compressed problem is the full problem: design §3.
#include "adaptive/plan/compressed.h"
#include "adaptive/plan/ceres_solver.h"
#include "adaptive/plan/plan_memory.h"
#include "framework/error.h"
#include "tests/catch_torch.h"

#include <cmath>
#include <limits>

using namespace stride;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Tensor deterministic(std::vector<int64_t> shape, double phase) {
  int64_t count = 1;
  for (const int64_t n : shape) count *= n;
  const Tensor i = at::arange(count, at::kDouble);
  return (at::sin(i * 1.37 + phase) + 0.3 * at::cos(i * i * 0.0173 + phase)).view(shape);
}

struct Full {
  Tensor residual;  // [s, D]
  Tensor jacobian;  // [P, s, D]
};

/// 40 samples of 6 entries, 5 parameters of very different scales; optionally one that repeats another and one
/// that changes nothing.
Full problem(bool deficient) {
  Full full{deterministic({40, 6}, 0.2), deterministic({5, 40, 6}, 1.1)};
  full.jacobian = full.jacobian * at::tensor({1.0, 1e-3, 30.0, 0.2, 5.0}, at::kDouble).view({5, 1, 1});
  if (deficient) {
    full.jacobian[3] = full.jacobian[0] * -2.0;
    full.jacobian[4].zero_();
  }
  return full;
}

NormalEquations compressed(const Full& full) {
  NormalAccumulator sum(full.jacobian.size(0), at::kCPU);
  sum.add(full.residual.slice(0, 0, 13), full.jacobian.slice(1, 0, 13));
  sum.add(full.residual.slice(0, 13, 40), full.jacobian.slice(1, 13, 40));
  return sum.normal_equations();
}

Tensor tensor(const std::vector<double>& values) { return at::tensor(values, at::kDouble); }

double relative(const Tensor& a, const Tensor& b) { return ((a - b).norm() / b.norm()).item<double>(); }

/// A nonlinear problem: y = a·exp(−b t) + c·t at 30 times, with a fourth parameter that does nothing.
struct Curve {
  Tensor t = at::linspace(0.0, 3.0, 30, at::kDouble);
  Tensor y = 2.0 * at::exp(t * -1.3) + 0.4 * t + 0.05 * at::sin(t * 9.0);

  [[nodiscard]] Full full(const std::vector<double>& p) const {
    const Tensor e = at::exp(t * -p[1]);
    return {(p[0] * e + p[2] * t - y).view({30, 1}),
            at::stack({e, -p[0] * t * e, t, at::zeros_like(t)}).view({4, 30, 1})};
  }
  [[nodiscard]] NormalEquations operator()(const std::vector<double>& p, bool want_jacobian) const {
    const Full f = full(p);
    if (!want_jacobian) return {f.residual.square().sum().item<double>(), {}, {}};
    NormalAccumulator sum(4, at::kCPU);
    sum.add(f.residual, f.jacobian);
    return sum.normal_equations();
  }
};

/// Gauss–Newton with the full Jacobian and torch's own least squares: no Ceres, no compression.
std::vector<double> full_optimum(const Curve& curve, std::vector<double> p) {
  for (int i = 0; i < 60; ++i) {
    const Full f = curve.full(p);
    const Tensor j = f.jacobian.slice(0, 0, 3).flatten(1).t();
    const Tensor step = std::get<0>(at::linalg_lstsq(j, -f.residual));
    for (std::size_t k = 0; k < 3; ++k) p[k] += 0.7 * step[static_cast<int64_t>(k)][0].item<double>();
  }
  return p;
}

}  // namespace

TEST_CASE("compressed least squares has the cost, gradient and Gauss-Newton matrix of the full problem",
          "[compressed]") {
  const bool deficient = GENERATE(false, true);
  CAPTURE(deficient);
  const Full full = problem(deficient);
  const Tensor j = full.jacobian.flatten(1);  // [P, M]
  const Tensor r = full.residual.flatten();   // [M]
  const SquareRoot root = square_root(compressed(full));

  const Tensor small_r = tensor(root.r).view({5, 5});
  const Tensor head = tensor(root.head);
  const double cost = head.square().sum().item<double>() + root.tail * root.tail;
  CHECK(std::abs(cost / r.square().sum().item<double>() - 1.0) <= 1e-9);
  CHECK(relative(small_r.t().mv(head), j.mv(r)) <= 1e-9);
  CHECK(relative(small_r.t().mm(small_r), j.mm(j.t())) <= 1e-9);
  CHECK(root.rank == (deficient ? 3 : 5));
  // Entry by entry too: the parameter whose column is a thousand times smaller is not lost in the norm.
  const Tensor gradient = j.mv(r);
  for (int64_t k = 0; k < (deficient ? 4 : 5); ++k)
    CHECK(small_r.t().mv(head)[k].item<double>() == Approx(gradient[k].item<double>()).epsilon(1e-9));
}

TEST_CASE("compressed residuals alone never exceed the cost", "[compressed]") {
  // Residuals inside the range of J: the tail is zero up to rounding, and the root of nothing negative.
  Full full = problem(false);
  full.residual = (full.jacobian * at::tensor({1.0, 2.0, -1.0, 0.5, 0.1}, at::kDouble).view({5, 1, 1})).sum(0);
  const SquareRoot root = square_root(compressed(full));
  CHECK(std::isfinite(root.tail));
  CHECK(root.tail * root.tail <= 1e-9 * full.residual.square().sum().item<double>());
}

TEST_CASE("compressed robust loss has the gradient of its cost", "[compressed]") {
  const double delta = 1.9;
  const Full full = problem(false);
  const auto cost = [&](const Tensor& step) {  // of the model that is linear in the parameters
    const Tensor r = full.residual + (full.jacobian * step.view({5, 1, 1})).sum(0);
    return huber(r.square().sum(1), delta).sum().item<double>();
  };
  const Tensor norms = full.residual.square().sum(1).sqrt();
  REQUIRE((norms > delta).any().item<bool>());
  REQUIRE((norms < delta).any().item<bool>());
  NormalAccumulator sum(5, at::kCPU);
  sum.add(full.residual, full.jacobian, delta);
  const NormalEquations normal = sum.normal_equations();
  CHECK(normal.cost2 == Approx(cost(at::zeros({5}, at::kDouble))).epsilon(1e-12));
  for (int64_t k = 0; k < 5; ++k) {
    Tensor step = at::zeros({5}, at::kDouble);
    step[k] = 1e-5 / full.jacobian[k].abs().max().item<double>();
    const double slope = (cost(step) - cost(-step)) / (2.0 * step[k].item<double>());
    CHECK(2.0 * normal.g[static_cast<std::size_t>(k)] == Approx(slope).epsilon(1e-6));
  }
  NormalAccumulator plain(5, at::kCPU);
  plain.add(full.residual, full.jacobian, kInfinity);
  CHECK(plain.normal_equations().cost2 == Approx(full.residual.square().sum().item<double>()).epsilon(1e-12));
}

TEST_CASE("compressed sums over slices are those of the whole, and no more than a slice stands in float64",
          "[compressed]") {
  // More values than a slice: many samples of some, and few samples of many.
  const int64_t samples = GENERATE(700, 2);
  const int64_t values = samples == 2 ? 220'001 : 601;
  CAPTURE(samples, values);
  const double delta = GENERATE(false, true) ? 12.0 : kInfinity;
  CAPTURE(delta);
  const Tensor residual = deterministic({samples, values}, 0.2);
  const Tensor jacobian = deterministic({5, samples, values}, 1.1).to(at::kFloat);
  REQUIRE(jacobian.numel() > 2 * NormalAccumulator::kSliceValues);
  NormalAccumulator sum(5, at::kCPU);
  const int64_t peak = peak_allocation([&] { sum.add(residual, jacobian, delta); });
  CHECK(peak <= (2 * NormalAccumulator::kSliceValues + NormalAccumulator::kSliceValues / 2) * 8);

  const Tensor squared = residual.square().sum(1);
  const Tensor root = huber_weight(squared, delta).sqrt().unsqueeze(1);
  const Tensor j = (jacobian.to(at::kDouble) * root).flatten(1), r = (residual * root).flatten();
  const NormalEquations normal = sum.normal_equations();
  CHECK(relative(tensor(normal.gram).view({5, 5}), j.mm(j.t())) <= 1e-12);
  CHECK((tensor(normal.g) - j.mv(r)).abs().max().item<double>() <= 1e-12 * (j.norm() * r.norm()).item<double>());
  CHECK(normal.cost2 == Approx(huber(squared, delta).sum().item<double>()).epsilon(1e-12));
}

TEST_CASE("compressed distances are those of the differences in float64", "[compressed]") {
  const Tensor x = deterministic({300, 4001}, 0.2).to(at::kFloat), target = deterministic({300, 4001}, 0.9);
  Tensor found;
  const int64_t peak = peak_allocation([&] { found = squared_distances(x, target); });
  CHECK(peak <= NormalAccumulator::kSliceValues * 9);
  CHECK(relative(found, (x.to(at::kDouble) - target).square().sum(1)) <= 1e-14);
  CHECK(found.sizes() == at::IntArrayRef({300}));
}

TEST_CASE("compressed accumulator refuses shapes that disagree", "[compressed]") {
  NormalAccumulator sum(5, at::kCPU);
  CHECK_THROWS_AS(sum.add(at::zeros({3, 2}), at::zeros({4, 3, 2})), UsageError);
  CHECK_THROWS_AS(square_root({1.0, {1.0, 2.0}, {1.0}}), UsageError);
}

TEST_CASE("least squares on the compressed problem lands on the full problem's optimum", "[compressed]") {
  const Curve curve;
  LeastSquaresOptions options;
  options.max_iterations = 60;
  options.function_tolerance = 0.0;
  const LeastSquaresSummary fit = solve_least_squares(curve, {1.0, 0.5, 0.0, 7.0}, options);
  const std::vector<double> expected = full_optimum(curve, {2.0, 1.2, 0.3});
  for (std::size_t k = 0; k < 3; ++k) CHECK(fit.parameters[k] == Approx(expected[k]).epsilon(1e-6));
  CHECK(fit.parameters[3] == 7.0);  // nothing depends on it, so nothing moves it
  CHECK(fit.final_cost2 < fit.initial_cost2);
  CHECK(fit.final_cost2 == Approx(curve(fit.parameters, false).cost2).epsilon(1e-12));
  CHECK(fit.accepted <= fit.iterations);
  // One call for the cost a tried step, one for the normal equations an accepted one.
  CHECK(fit.jacobian_evaluations == fit.accepted + 1);
}

TEST_CASE("least squares honours bounds without asking for more Jacobians", "[compressed]") {
  LeastSquaresOptions options;
  options.max_iterations = 40;
  options.lower = {-10.0, 0.0, -10.0, -10.0};
  options.upper = {10.0, 1.0, 10.0, 10.0};  // the optimum has b near 1.3
  const LeastSquaresSummary fit = solve_least_squares(Curve(), {1.0, 0.5, 0.0, 0.0}, options);
  CHECK(fit.parameters[1] == Approx(1.0).epsilon(1e-9));
  CHECK(fit.jacobian_evaluations <= fit.accepted + 1);
}

TEST_CASE("least squares stops when told to, passes errors through and refuses a broken start", "[compressed]") {
  LeastSquaresOptions options;
  int64_t seen = 0;
  options.observer = [&](const LeastSquaresIteration& iteration) {
    ++seen;
    return iteration.iteration < 2;
  };
  const LeastSquaresSummary fit = solve_least_squares(Curve(), {1.0, 0.5, 0.0, 0.0}, options);
  CHECK(fit.end == LeastSquaresEnd::stopped);
  CHECK(fit.iterations == 2);
  CHECK(seen == 3);
  CHECK(fit.final_cost2 < fit.initial_cost2);

  const auto breaks = [](const std::vector<double>&, bool) -> NormalEquations { throw InputError("from inside"); };
  CHECK_THROWS_AS(solve_least_squares(breaks, {1.0}), InputError);
  const auto infinite = [](const std::vector<double>&, bool) { return NormalEquations{kInfinity, {0.0}, {0.0}}; };
  CHECK_THROWS_AS(solve_least_squares(infinite, {1.0}), QualityError);
  CHECK_THROWS_AS(solve_least_squares(Curve(), {}), UsageError);
  options.lower = {0.0};
  CHECK_THROWS_AS(solve_least_squares(Curve(), {1.0, 0.5, 0.0, 0.0}, options), UsageError);
}

TEST_CASE("least squares refuses steps to where the cost is not finite", "[compressed]") {
  // (x − 2)², but nothing beyond 1.5 can be evaluated.
  const auto walled = [](const std::vector<double>& p, bool) {
    if (p[0] > 1.5) return NormalEquations{kInfinity, {0.0}, {0.0}};
    return NormalEquations{(p[0] - 2.0) * (p[0] - 2.0), {p[0] - 2.0}, {1.0}};
  };
  LeastSquaresOptions options;
  options.max_iterations = 60;
  const LeastSquaresSummary fit = solve_least_squares(walled, {0.0}, options);
  CHECK(fit.parameters[0] <= 1.5);
  CHECK(fit.parameters[0] > 0.1);
}
