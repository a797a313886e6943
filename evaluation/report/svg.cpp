#include "evaluation/report/svg.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>

#include <fmt/format.h>

namespace stride {
namespace {

constexpr const char* kReplacement = "\xEF\xBF\xBD";

// Bytes of the valid UTF-8 character that starts at text[i], 0 where there is none (overlong and surrogate forms too).
std::size_t utf8_length(const std::string& text, std::size_t i) {
  const auto byte = [&](std::size_t k) { return k < text.size() ? static_cast<unsigned char>(text[k]) : 0U; };
  const unsigned first = byte(i);
  const std::size_t length = first < 0x80   ? 1
                             : first < 0xC2 ? 0
                             : first < 0xE0 ? 2
                             : first < 0xF0 ? 3
                             : first < 0xF5 ? 4
                                            : 0;
  uint32_t code = length == 2 ? first & 0x1FU : length == 3 ? first & 0x0FU : first & 0x07U;
  for (std::size_t k = 1; k < length; ++k) {
    if ((byte(i + k) & 0xC0U) != 0x80U) return 0;
    code = code << 6U | (byte(i + k) & 0x3FU);
  }
  if (length == 3 && (code < 0x800 || (code >= 0xD800 && code < 0xE000) || code >= 0xFFFE)) return 0;
  if (length == 4 && (code < 0x10000 || code > 0x10FFFF)) return 0;
  return length;
}

std::string class_attribute(const std::string& css_class) {
  return css_class.empty() ? std::string() : fmt::format(" class=\"{}\"", escape_xml(css_class));
}

std::string superscript(int exponent) {
  static const std::vector<std::string> kDigits = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string out = exponent < 0 ? "⁻" : "";
  for (const char digit : fmt::format("{}", std::abs(exponent))) out += kDigits[static_cast<std::size_t>(digit - '0')];
  return out;
}

// The smallest of 1, 2, 5 times a power of ten that is not below `value`.
double nice_above(double value) {
  const double power = std::pow(10.0, std::floor(std::log10(value)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= value * (1 - 1e-9)) return factor * power;
  }
  return 10.0 * power;
}

std::vector<Tick> linear_ticks(double low, double high, int wanted) {
  std::vector<Tick> out;
  const double step = nice_above((high - low) / std::max(wanted, 1));
  for (double k = std::ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k += 1.0) {
    const double value = k == 0.0 ? 0.0 : k * step;
    out.push_back({value, tick_text(value)});
  }
  return out;
}

}  // namespace

std::string escape_xml(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    const std::size_t length = utf8_length(text, i);
    if (length == 0 || (length == 1 && static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' && c != '\r')) {
      out += kReplacement;
      ++i;
      continue;
    }
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else if (c == '\'') {
      out += "&#39;";
    } else {
      out.append(text, i, length);
    }
    i += length;
  }
  return out;
}

std::string coordinate(double value) {
  if (!std::isfinite(value)) return "0";
  std::string out = fmt::format("{:.2f}", value);
  while (out.back() == '0') out.pop_back();
  if (out.back() == '.') out.pop_back();
  return out == "-0" ? "0" : out;
}

std::string tick_text(double value) {
  const double size = std::abs(value);
  if (size != 0.0 && (size < 1e-4 * (1 - 1e-9) || size >= 1e5)) {
    const int exponent = static_cast<int>(std::floor(std::log10(size) + 1e-9));
    const double mantissa = value / std::pow(10.0, exponent);
    const std::string power = "10" + superscript(exponent);
    return std::abs(mantissa - 1.0) < 1e-6 ? power : fmt::format("{:.4g}×{}", mantissa, power);
  }
  return fmt::format("{:.6g}", value);
}

Axis::Axis(bool logarithmic, double low, double high, double from, double to)
    : logarithmic_(logarithmic), low_(std::min(low, high)), high_(std::max(low, high)), from_(from), to_(to) {
  if (!std::isfinite(low_) || !std::isfinite(high_) || (logarithmic && low_ <= 0.0)) {
    low_ = logarithmic ? 0.1 : 0.0;
    high_ = 1.0;
  }
  if (high_ - low_ <= 1e-12 * std::abs(high_)) {
    low_ = logarithmic ? low_ / 2.0 : low_ - 0.5;
    high_ = logarithmic ? high_ * 2.0 : high_ + 0.5;
  }
}

double Axis::operator()(double value) const {
  const double share = logarithmic_ ? std::log(std::max(value, 1e-300) / low_) / std::log(high_ / low_)
                                    : (value - low_) / (high_ - low_);
  return from_ + share * (to_ - from_);
}

std::vector<Tick> Axis::ticks(int wanted) const {
  if (!logarithmic_ || high_ / low_ < 5.0) return linear_ticks(low_, high_, wanted);
  const double decades = std::log10(high_ / low_);
  const int step = std::max(1, static_cast<int>(std::ceil(decades / wanted)));
  const bool two_five = decades * 3.0 <= wanted + 1.0;
  const bool five = decades * 2.0 <= wanted + 1.0;
  std::vector<Tick> out;
  for (int e = static_cast<int>(std::floor(std::log10(low_) - 1e-9)); std::pow(10.0, e) <= high_ * (1 + 1e-9); ++e) {
    for (int k = 1; k <= 9; ++k) {
      const double value = k * std::pow(10.0, e);
      if (value < low_ * (1 - 1e-9) || value > high_ * (1 + 1e-9)) continue;
      const bool labelled =
          k == 1 ? e % step == 0 : step == 1 && ((k == 2 && two_five) || (k == 5 && (two_five || five)));
      if (labelled || decades < 4.0) out.push_back({value, labelled ? tick_text(value) : ""});
    }
  }
  return out;
}

std::vector<double> spread(const std::vector<double>& wanted, double gap, double low, double high) {
  std::vector<std::size_t> order(wanted.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return wanted[a] < wanted[b]; });
  // y_i ≥ y_{i−1} + gap is z_i ≥ z_{i−1} with z_i = y_i − i·gap: an isotonic regression, by pooling adjacent violators.
  struct Pool {
    double sum;
    double count;
  };
  std::vector<Pool> pools;
  for (std::size_t i = 0; i < order.size(); ++i) {
    pools.push_back({wanted[order[i]] - static_cast<double>(i) * gap, 1.0});
    while (pools.size() > 1) {
      const Pool last = pools.back();
      Pool& before = pools[pools.size() - 2];
      if (before.sum / before.count <= last.sum / last.count) break;
      before = {before.sum + last.sum, before.count + last.count};
      pools.pop_back();
    }
  }
  const double top = high - static_cast<double>(order.empty() ? 0 : order.size() - 1) * gap;
  std::vector<double> out(wanted.size());
  std::size_t i = 0;
  for (const Pool& pool : pools) {
    const double z = std::max(low, std::min(pool.sum / pool.count, top));
    for (double k = 0; k < pool.count; k += 1.0, ++i) out[order[i]] = z + static_cast<double>(i) * gap;
  }
  return out;
}

Svg::Svg(double width, double height, const std::string& label, const std::string& css_class,
         const std::string& attributes, const std::string& style)
    : out_(fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" role=\"img\" "
                       "aria-label=\"{2}\"{3}{4}>",
                       coordinate(width), coordinate(height), escape_xml(label), class_attribute(css_class),
                       attributes)) {
  if (!style.empty()) out_ += "<style>" + style + "</style>";
}

void Svg::open_group(const std::string& css_class) {
  out_ += fmt::format("<g{}>", class_attribute(css_class));
  ++open_;
}

void Svg::close_group() {
  if (open_ == 0) return;
  out_ += "</g>";
  --open_;
}

void Svg::line(double x1, double y1, double x2, double y2, const std::string& css_class) {
  out_ += fmt::format("<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"{}/>", coordinate(x1), coordinate(y1),
                      coordinate(x2), coordinate(y2), class_attribute(css_class));
}

void Svg::polyline(const std::vector<std::pair<double, double>>& points, const std::string& css_class) {
  std::string list;
  for (const auto& [x, y] : points)
    list += fmt::format("{}{},{}", list.empty() ? "" : " ", coordinate(x), coordinate(y));
  out_ += fmt::format("<polyline points=\"{}\"{}/>", list, class_attribute(css_class));
}

void Svg::rect(double x, double y, double width, double height, const std::string& css_class,
               const std::string& tooltip) {
  out_ += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"{}", coordinate(x), coordinate(y),
                      coordinate(std::max(width, 0.0)), coordinate(std::max(height, 0.0)), class_attribute(css_class));
  out_ += tooltip.empty() ? "/>" : fmt::format("><title>{}</title></rect>", escape_xml(tooltip));
}

void Svg::marker(Marker marker, double x, double y, double radius, const std::string& css_class,
                 const std::string& tooltip) {
  const auto corners = marker_corners(marker);
  const char* name = corners.empty() ? "circle" : "polygon";
  std::string points;
  for (const auto& [dx, dy] : corners)
    points +=
        fmt::format("{}{},{}", points.empty() ? "" : " ", coordinate(x + dx * radius), coordinate(y + dy * radius));
  const std::string shape = corners.empty() ? fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\"", coordinate(x),
                                                          coordinate(y), coordinate(radius))
                                            : fmt::format("<polygon points=\"{}\"", points);
  out_ += shape + class_attribute(css_class);
  out_ += tooltip.empty() ? "/>" : fmt::format("><title>{}</title></{}>", escape_xml(tooltip), name);
}

void Svg::text(double x, double y, const std::string& text, const std::string& css_class, const std::string& anchor,
               double turn) {
  out_ += fmt::format("<text x=\"{}\" y=\"{}\"", coordinate(x), coordinate(y));
  if (anchor != "start") out_ += fmt::format(" text-anchor=\"{}\"", escape_xml(anchor));
  if (turn != 0) {
    out_ += fmt::format(" transform=\"rotate({} {} {})\"", coordinate(turn), coordinate(x), coordinate(y));
  }
  out_ += fmt::format("{}>{}</text>", class_attribute(css_class), escape_xml(text));
}

std::string Svg::str() const {
  std::string out = out_;
  for (int i = 0; i < open_; ++i) out += "</g>";
  return out + "</svg>";
}

}  // namespace stride
