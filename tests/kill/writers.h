// The writers that the harness kills. Both acknowledge each row on a pipe, a line with its seed, when they believe
// it safe.
#pragma once

#include "datasets/store/trajectory.h"

#include <cstdint>
#include <string>
#include <vector>

namespace stride::kill {

[[nodiscard]] TrajectoryConfig config();

/// Stride's: sealed shards, until killed.
void write_store(const std::string& folder, int pipe);

constexpr int64_t kInPlaceColumns = 64;
/// The control: appends rows to one HDF5 file in place and never flushes, until killed.
void write_in_place(const std::string& path, int pipe);

}  // namespace stride::kill
