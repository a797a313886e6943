// Evaluations of several runs as one, where they can be.
#pragma once

#include "evaluation/evaluation_result.h"

#include <string>

namespace stride {

/// What keeps samples of two evaluations from being pairs: another model, class, guidance, precision or teacher; and,
/// where the seeds differ, what was given row by row. Empty: samples of one seed are pairs.
[[nodiscard]] std::string why_unpaired(const EvaluationResult& a, const EvaluationResult& b);

/// What keeps two evaluations from being compared row by row: what why_unpaired says, other seeds, blocks, features or
/// reference. Empty: nothing does. Their seconds are of two runs in any case.
[[nodiscard]] std::string why_apart(const EvaluationResult& a, const EvaluationResult& b);

/// Adds the rows of `other`, the result in `folder`, to `first`, that of `first_folder`, each with the part that it
/// belongs to; tags are set anew.
void join_results(EvaluationResult& first, EvaluationResult&& other, const std::string& first_folder,
                  const std::string& folder);

/// The name of a run folder, without where it lies.
[[nodiscard]] std::string run_name(const std::string& folder);

}  // namespace stride
