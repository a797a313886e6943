// Coefficients that are worked out for a whole grid against those of each step, and counts that the host knows against
// those of the rows.
#include "tests/solvers/fixtures.h"

#include <set>

namespace stride {
namespace {

using namespace fixtures;

TimeGrid grid_of(int64_t steps, Final final) {
  return make_grid(Spec::parse("karras"),
                   {.steps = steps, .sigma_min = 0.05, .sigma_max = 10.0, .final = final, .noise_schedule = nullptr});
}

// Every state of a run, the last jump included.
std::vector<RunState> states_of(const Problem& problem, const Solver& solver, const TimeGrid& grid, RunState state) {
  const FixedGrid controller(grid);
  std::vector<RunState> states;
  for (int64_t i = 0; i < *controller.planned_steps(); ++i)
    states.push_back(state = advance(problem, solver, controller, state));
  if (controller.final_zero()) states.push_back(finish(problem, solver, state));
  return states;
}

RunState without_coefficients(RunState state) {
  state.constant.coefficients.reset();
  return state;
}

}  // namespace

TEST_CASE("coefficients: worked out for the grid they are those of each step, bit for bit", "[coefficients]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  const Problem problem{*model, flow, noise};
  std::set<std::string> with;
  for (const std::string& name : all_solvers()) {
    if (name == "plan") continue;  // its table is its own
    const auto solver = solver_for(name);
    for (const Final final : {Final::zero, Final::sigma_min})
      for (const int64_t steps : {1, 2, 3, 9, 17})
        for (const auto dtype : {at::kDouble, at::kFloat}) {
          const TimeGrid grid = grid_of(steps, final);
          const RunState begin = start({*model, *solver, noise, grid}, ids(3), dtype);
          if (!begin.constant.coefficients) continue;
          with.insert(solver->traits().name);
          const auto table = states_of(problem, *solver, grid, begin);
          const auto rule = states_of(problem, *solver, grid, without_coefficients(begin));
          CAPTURE(name, to_string(final), steps);
          for (std::size_t i = 0; i < table.size(); ++i) CHECK(same_bits(without_coefficients(table[i]), rule[i]));
        }
  }
  CHECK(with == std::set<std::string>{"deis", "dpm_multistep", "dpmpp_2m", "dpmpp_2m_sde", "dpmpp_3m", "dpmpp_3m_sde",
                                      "er_sde", "gradient_estimation", "ipndm", "ipndm_v", "lms", "plms", "pndm",
                                      "res_multistep", "sa_solver", "unipc"});
}

TEST_CASE("coefficients: rows may have grids of their own", "[coefficients]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  const Problem problem{*model, flow, noise};
  const TimeGrid one = grid_of(6, Final::zero);
  const TimeGrid two({10.0, 5.0, 2.5, 1.2, 0.4, 0.05, 0.0});
  for (const std::string name : {"unipc", "lms", "dpmpp_2m", "er_sde"}) {
    const auto solver = solver_for(name);
    RunConstant constant = start({*model, *solver, noise, one}, ids(2)).constant;
    constant.grid = at::cat({one.rows(1, device()), two.rows(1, device())});
    const RunState apart = start({*model, *solver, noise, one}, ids(2));
    const RunState begin = start_run(*solver, FixedGrid(one), constant, apart.x, apart.sigma);
    REQUIRE(begin.constant.coefficients);
    const Tensor end = states_of(problem, *solver, one, begin).back().x;
    CAPTURE(name);
    CHECK(same_bits(end.narrow(0, 0, 1), run({*model, *solver, noise, one}, ids(1)).x));
    CHECK(same_bits(end.narrow(0, 1, 1), run({*model, *solver, noise, two}, ids(1, 1)).x));
  }
}

TEST_CASE("coefficients: none where the levels are not the grid's, or a memory was filled elsewhere",
          "[coefficients]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  const auto solver = solver_for("dpmpp_2m");
  const TimeGrid grid = grid_of(6, Final::zero);
  const RunState begin = start({*model, *solver, noise, grid}, ids(2));
  CHECK(begin.constant.coefficients->sizes() == at::IntArrayRef({2, 6, 3}));
  CHECK(begin.select(index({1})).constant.coefficients->size(0) == 1);
  CHECK(RunState::concat(begin, begin).constant.coefficients->size(0) == 4);
  const RunState other = begin.handed_over(begin.history);
  CHECK_FALSE(other.constant.coefficients);
  CHECK_FALSE(RunState::concat(begin, other).constant.coefficients);
  class Elsewhere final : public StepController {
   public:
    [[nodiscard]] std::optional<int64_t> planned_steps() const noexcept override { return 3; }
    [[nodiscard]] double end() const noexcept override { return 0.1; }
    [[nodiscard]] bool final_zero() const noexcept override { return false; }
    [[nodiscard]] BatchState init(const RunConstant&, const Tensor&, const Times&) const override { return {}; }
    [[nodiscard]] Times propose(const RunState& state) const override { return state.sigma * 0.3; }
    [[nodiscard]] Decision decide(const RunState& state, const Step&, const StepResult&,
                                  const SolverTraits&) const override {
      return {{}, state.memory, {}};
    }
  };
  CHECK_FALSE(start_run(*solver, Elsewhere(), begin.constant, begin.x, begin.sigma).constant.coefficients);
}

TEST_CASE("coefficients: gradients with respect to the grid are finite and those of the rule", "[coefficients]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  const Problem problem{*model, flow, noise};
  const TimeGrid grid = grid_of(4, Final::zero);
  const auto solver = solver_for("dpmpp_2m");
  const RunState plain = start({*model, *solver, noise, grid}, ids(2));
  const auto end = [&](const Tensor& levels) {
    RunConstant constant = plain.constant;
    constant.grid = levels;
    const RunState begin = start_run(*solver, FixedGrid(grid), constant, plain.x, plain.sigma);
    CHECK(begin.constant.coefficients.has_value() != levels.requires_grad());
    return states_of(problem, *solver, grid, begin).back().x.sum();
  };
  const Tensor levels = grid.rows(2, device()).contiguous().requires_grad_(true);
  end(levels).backward();
  CHECK(levels.grad().isfinite().all().item<bool>());
  for (const int64_t level : {1, 2, 3}) {
    constexpr double kStep = 1e-6;
    Tensor shift = at::zeros_like(levels.detach());
    shift.select(1, level).fill_(kStep);
    const double slope = ((end(levels.detach() + shift) - end(levels.detach() - shift)) / (2.0 * kStep)).item<double>();
    CAPTURE(level);
    CHECK(levels.grad().select(1, level).sum().item<double>() == Approx(slope).epsilon(1e-5));
  }
}

TEST_CASE("counts: what the host knows in lockstep is what the rows count", "[counts]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  const Problem problem{*model, flow, noise, {.scale = 1.5}};
  for (const std::string& name : all_solvers())
    for (const Final final : {Final::zero, Final::sigma_min}) {
      const auto solver = solver_for(name);
      const TimeGrid grid = grid_of(name == "plan" ? 5 : 6, final);
      const RunState begin = start({*model, *solver, noise, grid}, ids(3));
      REQUIRE(begin.lockstep);
      RunState on_device = begin;  // as in a captured step
      on_device.shared = {};
      RunState by_row = on_device;
      by_row.lockstep = false;
      const auto known = states_of(problem, *solver, grid, begin);
      const auto counted = states_of(problem, *solver, grid, on_device);
      const auto rows = states_of(problem, *solver, grid, by_row);
      CAPTURE(name, to_string(final));
      for (std::size_t i = 0; i < known.size(); ++i) {
        CHECK(same_bits(known[i], counted[i]));
        RunState merged = rows[i];  // but for what the host says of itself
        merged.lockstep = true;
        merged.least_index = known[i].least_index;
        // Row by row nobody knows that the start is over: its passes are made, for no row.
        if (solver->traits().masked) merged.model_evals = known[i].model_evals;
        CHECK(same_bits(known[i], merged));
        CHECK(known[i].shared.index == known[i].index[0].item<int64_t>());
        if (known[i].shared.nfe) CHECK(*known[i].shared.nfe == known[i].nfe[0].item<int64_t>());
      }
    }
}

TEST_CASE("counts: numbers beyond the table are right as well", "[counts]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  const auto solver = solver_for("euler");
  const TimeGrid grid = grid_of(2, Final::zero);
  const RunState begin = start({*model, *solver, noise, grid}, ids(3));
  for (const int64_t value :
       {int64_t{0}, int64_t{5}, begin.numbers.size(0) - 1, begin.numbers.size(0), int64_t{1} << 40})
    CHECK(begin.everywhere(value).equal(at::full({3}, value, begin.index.options())));
}

}  // namespace stride
