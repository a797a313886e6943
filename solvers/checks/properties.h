// What must hold of every solver: a check gives an empty text where it does, else what was seen.
#pragma once

#include "framework/solver.h"

#include <string>

namespace stride {

/// Where and how far a solver is looked at: on a mixture with classes, `steps` steps of a Karras grid from 10 to 0.05.
struct PropertyRun {
  at::Device device = at::kCPU;
  int64_t steps = 6;
};

/// Counted evaluations are those of SolverClaims::nfe, with the jump to 0 and without it.
[[nodiscard]] std::string check_nfe(const Solver& solver, const PropertyRun& run);
/// A step changes nothing that it was given, and gives the same bits again.
[[nodiscard]] std::string check_purity(const Solver& solver, const PropertyRun& run);
/// A sample does not depend on batch size, position or order, nor on rows that leave in the middle of a run.
[[nodiscard]] std::string check_batches(const Solver& solver, const PropertyRun& run);
/// A NaN in one sample leaves its neighbours' bits alone, and is that sample's status.
[[nodiscard]] std::string check_nan(const Solver& solver, const PropertyRun& run);
/// Noise levels stay float64, the state keeps its dtype, and float32 is near float64.
[[nodiscard]] std::string check_dtypes(const Solver& solver, const PropertyRun& run);
/// Noise is drawn where SolverNeeds::stochastic says so, and nowhere else.
[[nodiscard]] std::string check_noise(const Solver& solver, const PropertyRun& run);

}  // namespace stride
