// The kernels behind refill.
#pragma once

#include <cstdint>

struct CUstream_st;

namespace stride::cuda {

inline constexpr int kMostFields = 64;

/// One field of a run's state, row by row.
struct RefillField {
  char* slot = nullptr;
  char* pool = nullptr;
  int64_t row_bytes = 0;
  int changes = 0;  ///< a step changes it: it leaves with its row
};

struct RefillArgs {
  RefillField fields[kMostFields] = {};
  int field_count = 0;
  int slots = 0;
  int64_t max_steps = 0;
  int8_t* status = nullptr;
  const int64_t *index = nullptr, *rejected = nullptr;
  int64_t *row = nullptr, *leaving = nullptr, *coming = nullptr, *counts = nullptr;
};

/// Returns 0 or a CUDA error.
int refill(const RefillArgs& args, CUstream_st* stream);

}  // namespace stride::cuda
