// Device tensors on their way to the host while the device works on.
#pragma once

#include "datasets/store/trajectory.h"

#include <memory>

namespace stride {

/// A copy of a batch to the host that has been started. Large members are narrowed to the files' dtype on the device,
/// then copied to pinned memory on a stream of their own, so that nobody waits. On the CPU nothing is copied: tensors
/// of the batch must not be written to any more.
class HostCopy final {
 public:
  HostCopy(const TrajectoryBatch& batch, const TrajectoryConfig& config);
  ~HostCopy();
  HostCopy(HostCopy&&) noexcept;
  HostCopy& operator=(HostCopy&&) noexcept;

  /// Waits for the copy; on any thread. Throws UsageError when a finite value did not fit the dtype.
  [[nodiscard]] TrajectoryBatch wait();

 private:
  struct OnDevice;
  TrajectoryBatch host_;
  std::unique_ptr<OnDevice> device_;
};

}  // namespace stride
