// How runs end that do not end well: never in silence.
#include "adaptive/control/pi_controller.h"
#include "adaptive/control/pid_controller.h"
#include "solvers/hybrid.h"
#include "solvers/inversion.h"
#include "tests/solvers/fixtures.h"

#include <limits>

namespace stride {
namespace {

using namespace fixtures;

// D = −a·x: for a > 0 the slope (1 + a)x/σ is stiffer than any data's.
class Stiff final : public Denoiser {
 public:
  explicit Stiff(double a) : a_(a) {
    info_.name = "stiff";
    info_.kind = "test";
    info_.shape = {2};
  }
  [[nodiscard]] const ModelInfo& info() const noexcept override { return info_; }
  [[nodiscard]] Evaluation evaluate(const Tensor& x, const Times& /*sigma*/, const BatchState& /*c*/) const override {
    return {-a_ * x, {}, {}};
  }

 private:
  double a_;
  ModelInfo info_;
};

const std::vector<std::string>& implicit() {
  static const std::vector<std::string> names{"implicit_euler", "implicit_trapezoid"};
  return names;
}

bool is_implicit(const std::string& name) {
  return std::any_of(implicit().begin(), implicit().end(),
                     [&](const std::string& start) { return name.rfind(start, 0) == 0; });
}

TimeGrid grid_of(int64_t steps) { return make_grid(Spec::parse("karras"), {steps, 0.05, 10.0, Final::zero, nullptr}); }

std::vector<int8_t> statuses(const Tensor& status) {
  const Tensor all = status.cpu().contiguous();
  return {all.const_data_ptr<int8_t>(), all.const_data_ptr<int8_t>() + all.numel()};
}

}  // namespace

TEST_CASE("status: every implicit solver reports steps that it could not solve, and no other solver does", "[status]") {
  const Stiff stiff(40.0);
  const PhiloxNoise noise;
  const auto tame = three_components();
  for (const std::string& name : implicit()) REQUIRE_NOTHROW(solver_for(name));
  each_solver([&](const std::string& name, const Solver& solver) {
    const int64_t steps = name == "plan" ? 5 : 6;
    const RunResult result = run({stiff, solver, noise, grid_of(steps)}, ids(3));
    const bool reported = result.status.eq(static_cast<int8_t>(Status::not_converged)).any().item<bool>();
    CHECK(reported == is_implicit(name));
    // Steps short enough for an iteration to converge are solved.
    if (is_implicit(name)) CHECK(run({*tame, solver, noise, grid_of(80)}, ids(3)).ok());
  });
}

TEST_CASE("status: a step that was not solved marks its row alone, wherever it was and however it is run", "[status]") {
  // Rows of large x are stiff in the middle of the run only.
  const PhiloxNoise noise;
  const auto solver = solver_for("implicit_euler");
  const TimeGrid coarse({10.0, 9.0, 1.0, 0.9, 0.8, 0.0}), fine({10.0, 9.0, 8.2, 7.5, 6.8, 0.0});
  const GaussianFlow flow;
  RunState state = start({*flow.denoiser, *solver, noise, coarse}, ids(4));
  const Tensor levels = at::cat({coarse.rows(2, device()), fine.rows(2, device())});
  state.constant.grid = levels.index_select(0, index({0, 2, 1, 3}));
  state.constant.coefficients.reset();
  const ProbabilityFlow term;
  const Problem problem{*flow.denoiser, term, noise};
  const FixedGrid controller(coarse);
  const std::vector<int8_t> want{4, 0, 4, 0};
  CHECK(statuses(sample(problem, *solver, controller, state).status) == want);
  // Saved and resumed after the step; rows taken out and joined.
  RunState later = state;
  for (int i = 0; i < 3; ++i) later = advance(problem, *solver, controller, later);
  later = RunState::from_tensors(later.tensors());
  const RunState again = RunState::concat(later.select(index({2, 3})), later.select(index({0})));
  RunState end = again;
  end = advance(problem, *solver, controller, end);
  const RunResult joined = sample(problem, *solver, controller, end);
  CHECK(joined.status.size(0) == 3);
  CHECK(end.unsolved.to(at::kLong).equal(index({1, 0, 1})));
  // In a hybrid too, with rows in one leg and apart.
  const auto legs = make_hybrid({{"euler", 1, {}, {}}, {"implicit_euler", 4, {}, {}}});
  CHECK(statuses(sample(problem, *legs, controller,
                        [&] {
                          RunState begin = start({*flow.denoiser, *legs, noise, coarse}, ids(4));
                          begin.constant.grid = state.constant.grid;
                          return begin;
                        }())
                     .status) == want);
}

TEST_CASE("status: what is not a number is non-finite, whether or not its step was solved", "[status]") {
  const PhiloxNoise noise;
  const GaussianFlow flow;
  const auto solver = solver_for("implicit_euler");
  const TimeGrid grid = grid_of(40);
  RunState state = start({*flow.denoiser, *solver, noise, grid}, ids(2));
  state.x = state.x.clone();
  state.x[1].fill_(std::numeric_limits<double>::quiet_NaN());
  const ProbabilityFlow term;
  CHECK(statuses(sample({*flow.denoiser, term, noise}, *solver, FixedGrid(grid), state).status) ==
        std::vector<int8_t>{0, 3});
}

TEST_CASE("status: an inversion whose iteration leads nowhere says so", "[status]") {
  const NoNoise none;
  const ProbabilityFlow term;
  const Tensor clean = at::ones({3, 2}, at::kDouble);
  const TimeGrid grid({8.0, 2.0, 0.5});
  const auto inverted = [&](double a, int64_t iterations) {
    const Stiff model(a);
    const RunConstant constant{ids(3), {}, grid.rows(3, device()), {}};
    return statuses(invert({model, term, none}, grid, constant, clean.to(device()), {iterations, {}}).status);
  };
  // (1 − from/to)(1 + a) is the factor of an iteration.
  CHECK(inverted(40.0, 4) == std::vector<int8_t>(3, 4));
  CHECK(inverted(-0.9, 4) == std::vector<int8_t>(3, 0));
  CHECK(inverted(40.0, 0) == std::vector<int8_t>(3, 0));  // nothing is solved
}

TEST_CASE("status: every solver with an error estimate reports used-up attempts and steps too short", "[status]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  const TimeGrid ends({10.0, 0.05});
  each_solver([&](const std::string&, const Solver& solver) {
    if (!solver.traits().error_order) return;
    const auto run_under = [&](const StepController& controller, int64_t most) {
      return statuses(run({*model, solver, noise, ends}, controller, ids(3), {.max_steps = most}).status);
    };
    const PiController pi({.rtol = 1e-4, .atol = 1e-4, .end = 0.05, .final_zero = true});
    CHECK(run_under(pi, 2) == std::vector<int8_t>(3, 1));
    // The least step that is allowed is longer than the tolerance wants.
    const PiController coarse({.rtol = 1e-9, .atol = 1e-9, .min_log_step = 0.5, .end = 0.05, .final_zero = true});
    CHECK(run_under(coarse, 1000) == std::vector<int8_t>(3, 2));
    const PidController pid({.rtol = 1e-4, .atol = 1e-4, .end = 0.05, .final_zero = true});
    CHECK(run_under(pid, 2) == std::vector<int8_t>(3, 1));
  });
}

TEST_CASE("status: on the GPU iterations are judged as by the plain version", "[status][cuda]") {
  const auto options = at::TensorOptions().dtype(at::kDouble);
  for (const auto type : {at::kFloat, at::kDouble}) {
    for (const int64_t length : {1, 5, 700}) {
      CAPTURE(type, length);
      const Tensor x = at::randn({6, length}, options);
      // Shrinking, growing, tiny beside x, not a number, standing still, and without any size.
      const Tensor scale = at::tensor({0.5, 2.0, 1e-4, 1.0, 1.0, 0.0}, options).unsqueeze(1);
      const Tensor before = at::ones({6, length}, options);
      Tensor last = before * scale;
      last[3].fill_(std::numeric_limits<double>::quiet_NaN());
      const auto there = [&](const Tensor& value) { return value.to(type).cuda(); };
      for (const bool known : {true, false}) {
        const LastChanges here{known ? before.to(type) : Tensor(), last.to(type)};
        const LastChanges fast{known ? there(before) : Tensor(), there(last)};
        const Tensor plain = unsolved_plain(here, x.to(type));
        CHECK(unsolved(fast, there(x)).cpu().equal(plain));
        CHECK(plain[3].item<bool>());
        CHECK(plain[0].item<bool>() != known);
        // Rows of a larger tensor, and not laid out one after the other.
        CHECK(unsolved({{}, there(last).t().contiguous().t()}, there(x))
                  .cpu()
                  .equal(unsolved_plain({{}, here.last}, x.to(type))));
      }
    }
  }
}

}  // namespace stride
