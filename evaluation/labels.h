// What rows of an evaluation are called, so that no two of them have one name.
#pragma once

#include "evaluation/evaluation_result.h"

#include <string>
#include <vector>

namespace stride {

/// "fitted plan", "ipndm", "heun": the solver without file names; with its options.
[[nodiscard]] std::string solver_label(const SamplerResult& sampler);
/// "ipndm · logsnr · zero", "fitted plan (seed-1/plan-4) · zero": solver or policy, its tag, grid and end.
[[nodiscard]] std::string full_label(const SamplerResult& sampler);
/// The file that the plan or the policy was read from, without its ending; empty: none.
[[nodiscard]] std::string source_of(const SamplerResult& sampler);

/// Sets SamplerResult::tag: empty where label and NFE are a row's own, else the shortest of these that tells the rows
/// apart: the file's stem, the end of its path, the run, the file with its hash, a number.
void set_tags(EvaluationResult& result);
/// The same for any rows: a tag each, in their order; none where there is one row.
[[nodiscard]] std::vector<std::string> distinct_tags(const std::vector<const SamplerResult*>& rows,
                                                     const std::vector<EvaluationPart>& parts = {});

/// "ipndm, dpmpp_2m and heun".
[[nodiscard]] std::string joined(const std::vector<std::string>& words);
/// "6 runs of ipndm and dpmpp_2m over 2 grids"; of one row, its full label.
[[nodiscard]] std::string runs_text(const std::vector<const SamplerResult*>& rows);

}  // namespace stride
