// What a reader of an evaluation should know before believing it.
#pragma once

#include "evaluation/evaluation.h"

#include <string>
#include <vector>

namespace stride {

/// A sentence each, none twice: what run_warnings says of the teacher and of each sampler; samplers that have seen the
/// seeds; samplers that start at another level than the teacher, where metrics compare them seed by seed.
[[nodiscard]] std::vector<std::string> evaluation_warnings(const Sampler& teacher, const std::vector<Sampler>& samplers,
                                                           const EvaluationSettings& settings);
/// The same, with the samplers made from the settings.
[[nodiscard]] std::vector<std::string> evaluation_warnings(const ModelInfo& model, const ModelCard* card,
                                                           const EvaluationSettings& settings);

}  // namespace stride
