// Whether two runs came to the same results.
#pragma once

#include <string>
#include <vector>

namespace stride {

enum class Likeness {
  same,           ///< bit for bit
  same_but_cost,  ///< once times, memory and the run's own folder are taken out
  differs,
  missing  ///< in the second run
};

[[nodiscard]] const char* to_string(Likeness likeness) noexcept;

struct FileLikeness {
  std::string name;  ///< in the run folder
  Likeness likeness = Likeness::same;
};

/// The files of the run in `first` that hold results, as its DONE lists them, and the shards of its stores, beside
/// those of `second`; left out are what a run says of itself (configuration, command, manifest, logs, TensorBoard's
/// events) and pages made of its results. Throws InputError where either has not ended or is damaged.
[[nodiscard]] std::vector<FileLikeness> compare_runs(const std::string& first, const std::string& second);

}  // namespace stride
