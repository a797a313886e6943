// What a step costs on the host besides the network, for valgrind's callgrind to count: one function a case, called
// once, after steps that fill every history and cache. The denoiser says one tensor again and again.
#include "adaptive/control/pi_controller.h"
#include "framework/advance.h"
#include "framework/error.h"
#include "framework/fixed_grid.h"
#include "framework/program/run_program.h"
#include "solvers/registry.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <cstdio>
#include <memory>
#include <string>

namespace stride {
namespace {

constexpr int64_t kBatch = 4;
constexpr int64_t kSteps = 12;
constexpr int kBefore = 5;

class OneAnswer final : public Network {
 public:
  [[nodiscard]] Tensor forward(const Tensor&, const Tensor&, const BatchState&) const override { return answer_; }

 private:
  Tensor answer_ = at::zeros({kBatch, 3, 8, 8}, at::kFloat);
};

ModelInfo info() {
  ModelInfo out;
  out.name = "one answer";
  out.kind = "test";
  out.shape = {3, 8, 8};
  return out;
}

struct Parts {
  explicit Parts(const std::string& name) : solver(make_solver(name)) {}
  std::unique_ptr<Solver> solver;
  NetworkDenoiser denoiser{info(), std::make_shared<OneAnswer>(), make_parameterisation("edm", 0.5),
                           TimeInput::c_noise};
  ProbabilityFlow term;
  PhiloxNoise noise;
  TimeGrid grid = make_grid(Spec::parse("karras"), {kSteps, 0.002, 80.0, Final::zero, nullptr});
  FixedGrid controller{grid};
  Problem problem{denoiser, term, noise};
  Tensor ids = at::arange(kBatch, at::kLong);
  Tensor x = noise.initial(ids, info().shape, at::kFloat) * grid.start();

  [[nodiscard]] RunConstant constant() const {
    RunConstant out;
    out.ids = ids;
    out.grid = grid.rows(kBatch, at::kCPU);
    return out;
  }
  [[nodiscard]] RunState state_after(int steps, const StepController& steered) const {
    RunState state =
        start_run(*solver, steered, constant(), x, at::full({kBatch}, grid.start(), ids.options().dtype(at::kDouble)));
    for (int i = 0; i < steps; ++i) state = advance(problem, *solver, steered, state);
    return state;
  }
};

}  // namespace
}  // namespace stride

using stride::Parts;
using stride::RunState;
using stride::StepController;

// Named in C's way: callgrind is told these names, and says them again.
#define STRIDE_COUNTED extern "C" __attribute__((noinline))

namespace {
RunState a_step(const Parts& parts, const StepController& controller, const RunState& state) {
  return stride::advance(parts.problem, *parts.solver, controller, state);
}
}  // namespace

#define STRIDE_CASE(name)                                                                                  \
  STRIDE_COUNTED void counted_##name(const Parts& parts, const StepController& steered, RunState& state) { \
    state = a_step(parts, steered, state);                                                                 \
    std::puts(#name);                                                                                      \
  }
STRIDE_CASE(euler)
STRIDE_CASE(heun)
STRIDE_CASE(dpmpp_2m)
STRIDE_CASE(unipc)
STRIDE_CASE(euler_ancestral)
STRIDE_CASE(ralston_pi)
#undef STRIDE_CASE

// A step of a run as sums: what is launched where there is no graph.
STRIDE_COUNTED void counted_launch(stride::ProgramRun& run) {
  run.step();
  std::puts("launch");
}

namespace {

using Counted = void (*)(const Parts&, const StepController&, RunState&);

void count(const char* solver, Counted counted) {
  const Parts parts(solver);
  RunState state = parts.state_after(stride::kBefore, parts.controller);
  counted(parts, parts.controller, state);
}

void count_launch() {
  const Parts parts("dpmpp_2m");
  const auto made = stride::make_program(
      {*parts.solver, parts.term, parts.controller, parts.grid.rows(1, at::kCPU)[0], {}, &parts.denoiser});
  if (!made.program) throw stride::UsageError(made.reason);
  stride::ProgramRun run(*made.program, parts.problem, parts.constant(), parts.x);
  for (int i = 0; i < stride::kBefore; ++i) run.step();
  counted_launch(run);
}

}  // namespace

int main() {
  const at::NoGradGuard no_grad;
  at::set_num_threads(1);
  count("euler", counted_euler);
  count("heun", counted_heun);
  count("dpmpp_2m", counted_dpmpp_2m);
  count("unipc", counted_unipc);
  count("euler_ancestral", counted_euler_ancestral);
  {
    const Parts parts("ralston");
    stride::PiOptions options;
    options.atol = 0.05;
    options.rtol = 0.0;
    const stride::PiController pi(options);
    RunState state = parts.state_after(stride::kBefore, pi);
    counted_ralston_pi(parts, pi, state);
  }
  count_launch();
}
