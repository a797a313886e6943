#include "evaluation/csv_text.h"

#include "framework/files/printable.h"

#include <cmath>

#include <fmt/format.h>

namespace stride {

std::string csv_text(const std::string& written) {
  const std::string text = printable(written, Lines::escaped);
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string csv_number(double value) { return std::isnan(value) ? std::string() : fmt::format("{}", value); }

}  // namespace stride
