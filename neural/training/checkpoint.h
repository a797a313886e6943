// The state of a training run on disk.
#pragma once

#include "neural/training/adam.h"

#include <optional>
#include <string>

namespace stride {

struct TrainingState {
  Tensor parameters;  ///< flat
  Tensor average;     ///< flat: the moving average of the parameters
  AdamState adam;     ///< its step is the run's

  /// At step 0 with these parameters.
  [[nodiscard]] static TrainingState fresh(const Tensor& parameters) {
    return {parameters, parameters, AdamState::zero(parameters)};
  }
};

/// Writes the state atomically, with a checksum. `identity` says which training this is: everything that a result
/// depends on.
void save_checkpoint(const std::string& path, const TrainingState& state, const std::string& identity);

/// The state, or none where there is no file. Throws InputError for a damaged file (any bit of it), UsageError when its
/// identity is another.
[[nodiscard]] std::optional<TrainingState> load_checkpoint(const std::string& path, const std::string& identity,
                                                           int64_t parameters, const at::Device& device);

}  // namespace stride
