// A comparison as a file for a manuscript.
#pragma once

#include "evaluation/comparison/comparison.h"

#include <string>

namespace stride {

/// A row a comparison, RFC 4180; numbers read back bit for bit, unknown ones are empty.
[[nodiscard]] std::string comparison_csv(const Comparison& comparison);
/// A table, and below it the sentences.
[[nodiscard]] std::string comparison_markdown(const Comparison& comparison);
/// A table environment for booktabs and siunitx, with marks of significance and a caption that says what was compared.
[[nodiscard]] std::string comparison_latex(const Comparison& comparison);

/// Text for LaTeX: its special characters escaped, Stride's signs in mathematics.
[[nodiscard]] std::string escape_latex(const std::string& text);

}  // namespace stride
