// A paragraph for a paper's section on methods, from what was run.
#pragma once

#include "evaluation/comparison/comparison.h"

#include <string>
#include <vector>

namespace stride {

/// How the text cites: `\citep{key}` for LaTeX (whose special characters are escaped then), `[@key]` for Markdown.
enum class Citing { latex, markdown };

/// What was compared with what, on which grids, evaluations, seeds and model, how errors, intervals and p-values were
/// computed: from the results alone, and nothing that was not done.
[[nodiscard]] std::string methods_text(const RowPool& pool, const Comparison& comparison, Citing citing);

/// The keys of everything that the paragraph cites, and of what its rows are made of.
[[nodiscard]] std::vector<std::string> works_cited(const RowPool& pool, const Comparison& comparison);

}  // namespace stride
