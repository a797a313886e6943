#include "evaluation/number_text.h"

#include <fmt/format.h>
#include <cmath>

namespace stride {

std::string percent_text(double ratio) { return fmt::format("{:.0f} %", std::abs(ratio) * 100); }

std::string number_text(double value, int digits) {
  if (std::isnan(value)) return "–";
  if (std::isinf(value)) return value > 0 ? "∞" : "−∞";
  if (value == 0.0) return "0";
  const double size = std::abs(value);
  const std::string sign = value < 0 ? "−" : "";
  if (size < 1e-4 || size >= 1e6) return sign + fmt::format("{:.{}e}", size, digits - 1);
  int decimals = digits - 1 - static_cast<int>(std::floor(std::log10(size)));
  // 9.999 rounds to 10.0: one digit less behind the point.
  const double rounded = std::round(size * std::pow(10.0, decimals)) / std::pow(10.0, decimals);
  if (rounded > 0) decimals = digits - 1 - static_cast<int>(std::floor(std::log10(rounded) + 1e-12));
  return sign + fmt::format("{:.{}f}", size, std::max(decimals, 0));
}

std::string nfe_text(double nfe) {
  return std::isfinite(nfe) && nfe == std::round(nfe) ? fmt::format("{:.0f}", nfe) : number_text(nfe);
}

std::string change_text(double ratio) {
  if (std::isnan(ratio)) return "–";
  const std::string size = percent_text(ratio);
  if (size == "0 %") return "±0 %";
  return (ratio < 0 ? "−" : "+") + size;
}

std::string seconds_text(double seconds) {
  if (std::isnan(seconds)) return "–";
  if (seconds < 1e-3) return number_text(seconds * 1e6) + " µs";
  if (seconds < 1.0) return number_text(seconds * 1e3) + " ms";
  if (seconds < 120.0) return number_text(seconds) + " s";
  return number_text(seconds / 60.0) + " min";
}

std::string bytes_text(int64_t bytes) {
  const double mebi = static_cast<double>(bytes) / (1024.0 * 1024.0);
  return mebi < 1024 ? number_text(mebi) + " MiB" : number_text(mebi / 1024.0) + " GiB";
}

}  // namespace stride
