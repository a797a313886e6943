// σ → timestep on a device.
#pragma once

#include "framework/grids/noise_schedule.h"

namespace stride {

/// The inverse of a NoiseSchedule for batches, bound to one device: its table is uploaded once, here. Immutable.
class TimestepTable final {
 public:
  TimestepTable(const NoiseSchedule& schedule, const at::Device& device);

  /// Fractional timesteps float64 `[B]`, clamped to [0, T − 1]; σ must lie on the table's device.
  [[nodiscard]] Tensor operator()(const Times& sigma) const;

 private:
  Tensor knots_;  // float64 [T]: ln σ, or σ where the schedule interpolates linearly
  bool logarithmic_;
};

}  // namespace stride
