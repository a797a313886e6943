// From images to noise and back.
#include "solvers/inversion.h"

#include "framework/error.h"
#include "solvers/checks/orders.h"
#include "tests/solvers/fixtures.h"

namespace stride {
namespace {

using namespace fixtures;

struct Trip {
  Tensor clean, noise, back;
  RunResult up;
};

Trip round_trip(const Denoiser& model, const TimeGrid& grid, int64_t iterations) {
  const NoNoise none;
  const ProbabilityFlow flow;
  const Problem problem{model, flow, none};
  const auto ddim = solver_for("ddim");
  const Tensor clean = run({model, *solver_for("heun"), none, TimeGrid({10.0, 3.0, 1.0, 0.3, 0.1, 0.0})}, ids(4)).x;
  RunState state = start({model, *ddim, none, grid}, ids(4));
  Trip trip{clean, {}, {}, invert(problem, grid, state.constant, clean, {.iterations = iterations})};
  trip.noise = trip.up.x;
  state.x = trip.noise;
  trip.back = sample(problem, *ddim, FixedGrid(grid), state).x;
  return trip;
}

TimeGrid smooth(int64_t steps, Final final) {
  return make_grid(Spec::parse("karras:rho=3"),
                   {.steps = steps, .sigma_min = 0.05, .sigma_max = 10.0, .final = final, .noise_schedule = nullptr});
}

double largest(const Tensor& t) { return t.abs().max().item<double>(); }

}  // namespace

TEST_CASE("inversion: the round trip's error is of first order in the step", "[inversion]") {
  const auto model = three_components();
  const std::vector<int64_t> steps{80, 160, 320, 640};
  std::vector<double> errors;
  for (const int64_t n : steps) {
    const Trip trip = round_trip(*model, smooth(n, Final::sigma_min), 0);
    errors.push_back(largest(trip.back - trip.clean));
    CHECK(trip.up.nfe.eq(n).all().item<bool>());
    CHECK(trip.up.ok());
  }
  CAPTURE(errors);
  CHECK(slope_of(steps, errors) == Approx(1.0).margin(0.15));
}

TEST_CASE("inversion: the noise is the flow's own, to first order", "[inversion]") {
  const GaussianFlow flow;
  std::vector<double> errors;
  const std::vector<int64_t> steps{80, 160, 320, 640};
  for (const int64_t n : steps) {
    const Trip trip = round_trip(*flow.denoiser, smooth(n, Final::sigma_min), 0);
    errors.push_back(largest(trip.noise - flow.exact(trip.clean, 0.05, 10.0)));
  }
  CHECK(slope_of(steps, errors) == Approx(1.0).margin(0.15));
}

TEST_CASE("inversion: fixed-point iterations make it DDIM's exact inverse, the last jump included", "[inversion]") {
  const auto model = three_components();
  for (const Final final : {Final::zero, Final::sigma_min}) {
    const TimeGrid grid = smooth(20, final);
    double before = 1e300;
    for (const int64_t iterations : {1, 3, 9, 80}) {
      const Trip trip = round_trip(*model, grid, iterations);
      const double error = largest(trip.back - trip.clean);
      CAPTURE(to_string(final), iterations, error);
      CHECK(error < before);
      before = error;
      const int64_t explicit_steps = final == Final::zero ? 19 : 20;
      CHECK(trip.up.nfe.eq(explicit_steps + 20 * iterations).all().item<bool>());
    }
    CHECK(before < 1e-9);
  }
}

TEST_CASE("inversion: rows are independent, and what cannot be is refused", "[inversion]") {
  const auto model = three_components();
  const TimeGrid grid = smooth(6, Final::zero);
  const NoNoise none;
  const ProbabilityFlow flow;
  const Problem problem{*model, flow, none};
  const RunState state = start({*model, *solver_for("ddim"), none, grid}, ids(3));
  Tensor clean = at::ones_like(state.x);
  const Tensor whole = invert(problem, grid, state.constant, clean).x;
  const Tensor row = index({1});
  CHECK(same_bits(invert(problem, grid, state.constant.select(row), clean.index_select(0, row)).x,
                  whole.index_select(0, row)));
  clean = clean.clone();
  clean[2].fill_(std::numeric_limits<double>::quiet_NaN());
  const RunResult broken = invert(problem, grid, state.constant, clean);
  CHECK(broken.status.to(at::kLong).equal(index({0, 0, 3})));
  CHECK(same_bits(broken.x.narrow(0, 0, 2), whole.narrow(0, 0, 2)));
  CHECK_THROWS_AS(invert(problem, grid, state.constant, clean, {.iterations = -1}), UsageError);
  CHECK(invert(problem, grid, state.constant, clean, {.iterations = 0, .stop = [] { return true; }}).stopped);
}

}  // namespace stride
