// Numbers for people.
#pragma once

#include <cstdint>
#include <string>

namespace stride {

/// "62 %" for a ratio of ±0.62.
[[nodiscard]] std::string percent_text(double ratio);
/// A number for people: `digits` significant ones, no exponent between 1e-4 and 1e6; "–" for NaN.
[[nodiscard]] std::string number_text(double value, int digits = 3);
/// A count of evaluations: "5", or "6.25" for the mean of an adaptive policy.
[[nodiscard]] std::string nfe_text(double nfe);
/// "−62 %", "+3 %", "±0 %".
[[nodiscard]] std::string change_text(double ratio);
/// "0.84 ms", "12.1 s".
[[nodiscard]] std::string seconds_text(double seconds);
[[nodiscard]] std::string bytes_text(int64_t bytes);

}  // namespace stride
