#include "framework/captured.h"

#include "framework/capture_graph.h"
#include "framework/close_run.h"
#include "framework/error.h"
#include "framework/forbid_sync.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <fmt/format.h>

namespace stride {
namespace {

constexpr int kWarmUpSteps = 3;

RunState at_own_addresses(const RunState& state) {
  RunState own = state.clone();
  own.least_index = 0;  // a graph serves states at any step
  return own;
}

struct Copy {
  void operator()(const char* /*name*/, const Tensor& to, const Tensor& from) const { to.copy_(from); }
  void operator()(const char* name, const std::optional<Tensor>& to, const std::optional<Tensor>& from) const {
    if (to.has_value() != from.has_value())
      throw UsageError(
          fmt::format("CapturedStep: the step was captured {} {}, and the state has {}; capture a step of its kind",
                      to ? "with" : "without", name, to ? "none" : "some"));
    if (to) to->copy_(*from);
  }
  void operator()(const char* /*name*/, const BatchState& to, const BatchState& from) const { to.copy_from(from); }
};

}  // namespace

struct CapturedStep::Impl {
  explicit Impl(RunState fixed) : state(std::move(fixed)) {}
  RunState state;
  std::unique_ptr<at::cuda::CUDAGraph> graph;
};

CapturedStep::CapturedStep(const Problem& problem, const Solver& solver, const StepController& controller,
                           const RunState& example) {
  if (!example.x.is_cuda()) throw UsageError("CapturedStep: the run is on the CPU; CUDA graphs need a CUDA device");
  if (solver.traits().branches)
    throw UsageError(fmt::format("CapturedStep: {} does other work at each step; run it without graphs (sample)",
                                 solver.traits().name));
  const at::NoGradGuard no_grad;
  const c10::cuda::CUDAGuard device(example.x.device());
  impl_ = std::make_unique<Impl>(at_own_addresses(example));
  const c10::cuda::CUDAStream side = c10::cuda::getStreamFromPool();
  at::cuda::getCurrentCUDAStream().synchronize();
  {
    const c10::cuda::CUDAStreamGuard stream(side);
    RunState warm = at_own_addresses(example);
    {
      const ForbidSync forbid;
      for (int i = 0; i < kWarmUpSteps; ++i) warm.copy_from(advance(problem, solver, controller, warm));
    }
    side.synchronize();
    impl_->graph = capture_graph([&] { impl_->state.copy_from(advance(problem, solver, controller, impl_->state)); });
  }
  side.synchronize();
}

CapturedStep::~CapturedStep() = default;
CapturedStep::CapturedStep(CapturedStep&&) noexcept = default;
CapturedStep& CapturedStep::operator=(CapturedStep&&) noexcept = default;

void CapturedStep::load(const RunState& state) {
  RunConstant::each(Copy{}, impl_->state.constant, state.constant);
  impl_->state.copy_from(state);
}

void CapturedStep::replay() { impl_->graph->replay(); }

const RunState& CapturedStep::state() const noexcept { return impl_->state; }

RunResult sample_captured(const Problem& problem, const Solver& solver, const StepController& controller,
                          const RunState& start) {
  const auto steps = controller.planned_steps();
  if (!steps)
    throw UsageError("sample_captured: the controller does not know its number of steps; use sample, or a fixed grid");
  const at::NoGradGuard no_grad;
  RunState state = start;
  if (*steps > 0) {
    CapturedStep captured(problem, solver, controller, start);
    captured.load(start);
    for (int64_t i = 0; i < *steps; ++i) captured.replay();
    state = at_own_addresses(captured.state());
  }
  if (controller.final_zero()) state = finish(problem, solver, state);
  return close_run(state);
}

}  // namespace stride
