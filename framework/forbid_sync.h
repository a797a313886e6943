// Host–device synchronisation as an error.
#pragma once

#include <c10/cuda/CUDAFunctions.h>

namespace stride {

/// A hidden look at the device throws (c10::Error) while this lives.
class ForbidSync final {
 public:
  ForbidSync() : before_(c10::cuda::warning_state().get_sync_debug_mode()) {
    c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_ERROR);
  }
  ~ForbidSync() { c10::cuda::warning_state().set_sync_debug_mode(before_); }
  ForbidSync(const ForbidSync&) = delete;
  ForbidSync& operator=(const ForbidSync&) = delete;

 private:
  c10::cuda::SyncDebugMode before_;
};

}  // namespace stride
