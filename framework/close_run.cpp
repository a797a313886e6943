#include "framework/close_run.h"

#include <ATen/ATen.h>

namespace stride {

RunResult close_run(const RunState& end, bool stopped) {
  const Tensor well = end.status == static_cast<int8_t>(Status::ok);
  const Tensor lost = well.logical_and(all_finite(end.x).logical_not());
  const Tensor unsolved = well.logical_and(end.unsolved);
  return {end.x,
          end.constant.ids,
          end.status.masked_fill(unsolved, static_cast<int8_t>(Status::not_converged))
              .masked_fill(lost, static_cast<int8_t>(Status::non_finite)),
          end.index.contiguous(),
          end.rejected.contiguous(),
          end.nfe.contiguous(),
          end.model_evals.contiguous(),
          stopped};
}

}  // namespace stride
