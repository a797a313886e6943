#include "framework/fixed_grid.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace stride {

BatchState FixedGrid::init(const RunConstant& constant, const Tensor& /*x*/, const Times& /*sigma*/) const {
  TORCH_INTERNAL_ASSERT(constant.grid.size(1) == steps_ + 1, "FixedGrid of ", steps_, " steps meets a grid of ",
                        constant.grid.size(1), " levels");
  return {};
}

Times FixedGrid::propose(const RunState& state) const {
  if (const auto index = state.shared.index)  // contiguous: kernels may round strided levels in another way
    return state.constant.grid.select(1, std::min(*index + 1, *planned_steps())).contiguous();
  return state.constant.grid.gather(1, (state.index + 1).clamp_max(*planned_steps()).unsqueeze(1)).squeeze(1);
}

Decision FixedGrid::decide(const RunState& state, const Step& /*step*/, const StepResult& /*result*/,
                           const SolverTraits& /*traits*/) const {
  if (const auto index = state.shared.index) {
    if (*index + 1 < *planned_steps()) return {{}, state.memory, {}};
    return {{}, state.memory, at::zeros_like(state.status)};  // ok
  }
  const Tensor done = state.index + 1 >= *planned_steps();
  return {{}, state.memory, done.to(at::kChar) - 1};  // ok = 0, running = −1
}

}  // namespace stride
