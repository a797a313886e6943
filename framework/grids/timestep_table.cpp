#include "framework/grids/timestep_table.h"

#include <ATen/ATen.h>

namespace stride {

TimestepTable::TimestepTable(const NoiseSchedule& schedule, const at::Device& device)
    : knots_(at::tensor(schedule.sigmas(), at::TensorOptions().dtype(at::kDouble))),
      logarithmic_(schedule.interpolation() == NoiseSchedule::Interpolation::log_linear) {
  if (logarithmic_) knots_ = knots_.log();
  knots_ = knots_.to(device);
}

Tensor TimestepTable::operator()(const Times& sigma) const {
  TORCH_CHECK(sigma.device() == knots_.device(), "TimestepTable: made for ", knots_.device(), ", asked on ",
              sigma.device(), "; make the denoiser for the device that it runs on");
  const Tensor level = logarithmic_ ? sigma.log() : sigma;
  const Tensor high = at::searchsorted(knots_, level.contiguous()).clamp(1, knots_.size(0) - 1);
  const Tensor a = knots_.index_select(0, high - 1);
  const Tensor b = knots_.index_select(0, high);
  return (high - 1).to(at::kDouble) + ((level - a) / (b - a)).clamp(0.0, 1.0);
}

}  // namespace stride
