// Single-step exponential methods for the reverse SDE: dpmpp_sde, seeds_2 and seeds_3 are tables of one step.
#pragma once

#include "solvers/shared/sde_path.h"

#include <functional>
#include <vector>

namespace stride {

/// Where a stage lies, `node` of the way in ln σ, and how much of the newest difference D_i − D_1 replaces D on the
/// way there: a function of z = −(1 + η)h.
struct SdeStage {
  double node;
  std::function<Times(const Times& z)> share;
};

/// The first stage goes to stages[0].node with D alone; each further one uses D at the stage before; the last has node
/// 1. So stages.size() evaluations per step.
[[nodiscard]] std::unique_ptr<Solver> make_sde_stages(SolverTraits traits, const SdeOptions& sde,
                                                      std::vector<SdeStage> stages);

}  // namespace stride
