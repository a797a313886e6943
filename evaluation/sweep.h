// Which samplers an evaluation compares.
#pragma once

#include "pipeline/sampler.h"

#include <string>
#include <vector>

namespace stride {

/// The specs of every solver at every NFE on every schedule with every end, and every adaptive policy once for every
/// solver: what an evaluation compares. Plans come once, on their own grid: schedules, ends, range and noise schedule
/// are not theirs. Combinations that cannot be (an NFE that a solver cannot cost, a policy that cannot steer it) are
/// left out and named in `skipped`. Throws UsageError when nothing remains.
struct SamplerSweep {
  std::vector<std::string> solvers, schedules, policies;
  std::vector<Final> finals = {Final::zero};
  std::vector<int64_t> nfe, steps;  ///< one of the two
  SamplerSpec base;                 ///< everything else; with an object of the caller's, `solvers` is its one name
};
[[nodiscard]] std::vector<SamplerSpec> sweep_specs(const SamplerSweep& sweep, const ModelInfo& model,
                                                   const ModelCard* card, std::vector<std::string>& skipped);

}  // namespace stride
