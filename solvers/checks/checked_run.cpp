#include "solvers/checks/checked_run.h"

#include "framework/fixed_grid.h"

#include <ATen/ATen.h>

#include <cstring>

namespace stride {

RunState checked_start(const CheckedRun& setup, const Tensor& ids, at::ScalarType dtype) {
  const int64_t batch = ids.size(0);
  const auto where = ids.device();
  const Tensor unit = PhiloxNoise().initial(ids, setup.denoiser.info().shape, at::kDouble);
  const Tensor x = (unit * setup.grid.start()).to(dtype);
  BatchState condition;
  if (!setup.denoiser.info().conditions.empty()) condition = BatchState({ids.remainder(2)});
  const RunConstant constant{ids, condition, setup.grid.rows(batch, where), {}};
  return start_run(setup.solver, FixedGrid(setup.grid), constant, x,
                   at::full({batch}, setup.grid.start(), at::TensorOptions().dtype(at::kDouble).device(where)));
}

RunResult checked_run(const CheckedRun& setup, const Tensor& ids, at::ScalarType dtype, const SampleOptions& options) {
  const ProbabilityFlow flow;
  return sample({setup.denoiser, flow, setup.noise}, setup.solver, FixedGrid(setup.grid),
                checked_start(setup, ids, dtype), options);
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.sizes() != b.sizes() || a.scalar_type() != b.scalar_type()) return false;
  const Tensor left = a.contiguous().cpu();
  const Tensor right = b.contiguous().cpu();
  return left.numel() == 0 || std::memcmp(left.const_data_ptr(), right.const_data_ptr(), left.nbytes()) == 0;
}

bool same_bits(const RunState& a, const RunState& b) {
  const auto left = a.tensors();
  const auto right = b.tensors();
  if (left.size() != right.size()) return false;
  for (const auto& [name, tensor] : left)
    if (!right.contains(name) || !same_bits(tensor, right.at(name))) return false;
  return true;
}

}  // namespace stride
