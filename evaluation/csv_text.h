// Fields of a CSV file.
#pragma once

#include <string>

namespace stride {

/// Quoted as RFC 4180 says, where it must be; a line's end in it is escaped.
[[nodiscard]] std::string csv_text(const std::string& text);
/// Reads back bit for bit; empty for NaN.
[[nodiscard]] std::string csv_number(double value);

}  // namespace stride
