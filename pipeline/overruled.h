// Settings that something else overrules: said, never silent.
#pragma once

#include "pipeline/sampler.h"

#include <optional>
#include <string>
#include <vector>

namespace stride {

/// What a caller asked for by name; none: a default stands.
struct AskedLevels {
  std::optional<std::string> steps, nfe, schedule, final;
  bool sigmas = false;  ///< a list of levels
  std::string solver;   ///< as it was written: a name may bring a schedule ("DPM++ 2M Karras")
};

/// A sentence for each setting that has no effect on `sampler`, whose policy chooses its own steps. Throws UsageError
/// where one contradicts the levels that the sampler brings: a plan's, a list's or those of a schedule's variant.
[[nodiscard]] std::vector<std::string> overruled(const AskedLevels& asked, const Sampler& sampler);

}  // namespace stride
