// What a step costs besides the network: operators that would each start a kernel on a GPU.
#include "bench/operator_counter.h"
#include "tests/solvers/fixtures.h"

#include <cstdio>

namespace stride {
namespace {

using namespace fixtures;

/// The inner denoiser, uncounted.
class Uncounted final : public Denoiser {
 public:
  explicit Uncounted(const Denoiser& inner) : inner_(inner) {}
  [[nodiscard]] const ModelInfo& info() const noexcept override { return inner_.info(); }
  [[nodiscard]] Evaluation evaluate(const Tensor& x, const Times& sigma, const BatchState& condition) const override {
    const OperatorCounter::Pause network;
    return inner_.evaluate(x, sigma, condition);
  }

 private:
  const Denoiser& inner_;
};

/// Operators of the fifth of ten steps, when every method has its history, in float32 as a run has it.
struct Operators {
  int64_t known;    ///< the host knows the counts
  int64_t counted;  ///< counted on the device, as in a captured step
};

Operators operators_a_step(const std::string& name) {
  const auto model = three_components(8);
  const Uncounted denoiser(*model);
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  const auto solver = solver_for(name);
  const int64_t steps = name == "plan" ? 5 : 10;
  const TimeGrid grid = make_grid(Spec::parse("karras"), {steps, 0.05, 10.0, Final::sigma_min, nullptr});
  const FixedGrid controller(grid);
  const Problem problem{denoiser, flow, noise};
  const at::NoGradGuard no_grad;
  RunState state = start({*model, *solver, noise, grid}, ids(3), at::kFloat);
  for (int i = 0; i < 4; ++i) state = advance(problem, *solver, controller, state);
  const auto count = [&] {
    const OperatorCounter counter;
    (void)advance(problem, *solver, controller, state);
    return counter.count();
  };
  const int64_t known = count();
  state.shared = {};
  return {known, count()};
}

}  // namespace

TEST_CASE("launches: a step of a multistep method on a fixed grid takes at most 60 operators", "[launches]") {
  const std::map<std::string, int64_t> most{{"dpmpp_2m", 60}, {"dpmpp_3m", 60}, {"unipc", 60}, {"ipndm", 60}};
  std::string table = "solver: operators a step, and where the counts lie on the device\n";
  for (const std::string& name : solver_names()) {
    const Operators operators = operators_a_step(name);
    table += name + " " + std::to_string(operators.known) + " " + std::to_string(operators.counted) + "\n";
    CAPTURE(name, operators.known, operators.counted);
    CHECK(operators.known > 0);
    CHECK(operators.known <= operators.counted);
    if (!most.contains(name)) continue;
    CHECK(operators.counted <= most.at(name));
  }
  std::fputs(table.c_str(), stdout);
}

TEST_CASE("launches: Euler's counts, index and status cost nothing in lockstep", "[launches]") {
  // σ and the step's end as x sees them, the slope, the step: 7; and the end of the step as a tensor.
  CHECK(operators_a_step("euler").known <= 8);
}

}  // namespace stride
