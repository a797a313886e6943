// docs/solvers.md, written from what the solvers claim and what the order suite measured.
#pragma once

#include <string>

namespace stride {

/// A Markdown page with a table per family: orders claimed and measured, evaluations, error estimate, options, papers.
[[nodiscard]] std::string solver_page();

}  // namespace stride
