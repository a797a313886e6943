// The tensors that gradients are wanted for, and a look for others that the graph leads to.
#pragma once

#include "framework/run_state.h"

#include <vector>

namespace stride {

/// Of what a run never changes (conditions, grid, params), the tensors that require a gradient; then `parameters` that
/// do. Each once.
[[nodiscard]] std::vector<Tensor> wanted_tensors(const RunConstant& constant, const std::vector<Tensor>& parameters);

/// Throws UsageError where `result` depends on a leaf that requires a gradient and is neither one of `listed` nor
/// behind one of them: its gradient would silently be left out.
void check_listed(const std::vector<Tensor>& results, const std::vector<Tensor>& listed);

}  // namespace stride
