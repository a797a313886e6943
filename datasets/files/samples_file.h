// `samples.h5`, and datasets of unit normals from anywhere.
#pragma once

#include "framework/files/file_system.h"
#include "framework/tensor.h"

#include <map>
#include <string>

namespace stride {

/// Finished samples, `[N]` each.
struct Samples {
  Tensor x;            ///< `[N, …]` in data scale; bfloat16 is stored as float32
  Tensor seed;         ///< int64
  Tensor nfe;          ///< int32
  Tensor model_evals;  ///< int32
  Tensor status;       ///< int8: 0 ok, 1 max steps, 2 step underflow, 3 non-finite, 4 not converged
  Tensor sigmas;       ///< float64 `[steps + 1]` with the final value; undefined without a fixed grid
  std::map<std::string, std::string> attributes;  ///< solver, schedule, final, policy, dtype, model_sha256
};

/// Writes with write_file_atomic. The file is HDF5 with a line behind its end that holds its checksum. Throws
/// UsageError when the members disagree about N.
void write_samples(const std::string& path, const Samples& samples, FileSystem& files = posix_file_system());

/// Reads a file of write_samples after verifying its checksum. Throws InputError on anything else.
[[nodiscard]] Samples read_samples(const std::string& path, FileSystem& files = posix_file_system());

/// Reads the dataset `name` of an HDF5 file: `x` of start noise, `eps` of a run's draws. Stride's own files are
/// verified; others are read in a child process, so that a damaged one is an error and not a crash. Throws InputError.
[[nodiscard]] Tensor read_dataset(const std::string& path, const std::string& name);

}  // namespace stride
