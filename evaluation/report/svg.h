// Just enough SVG for a report: shapes, axes and labels that keep out of each other's way. Colours come from the page's
// style sheet through class names, so that one drawing serves the light and the dark page.
#pragma once

#include "evaluation/report/canvas.h"

#include <string>
#include <utility>
#include <vector>

namespace stride {

/// Text made safe for XML and HTML, between tags and in quoted attributes. Characters that XML 1.0 forbids become
/// U+FFFD.
[[nodiscard]] std::string escape_xml(const std::string& text);

/// A coordinate as SVG wants it: at most two decimals, no exponent, no negative zero.
[[nodiscard]] std::string coordinate(double value);

struct Tick {
  double value = 0;
  std::string label;  ///< empty: a minor tick
};

/// Maps values to pixels, linearly or by their logarithm.
class Axis final {
 public:
  /// `low` < `high`, both positive on a logarithmic axis; equal or swapped ends are widened around their middle.
  Axis(bool logarithmic, double low, double high, double from, double to);
  [[nodiscard]] double operator()(double value) const;
  [[nodiscard]] double low() const noexcept { return low_; }
  [[nodiscard]] double high() const noexcept { return high_; }
  /// About `wanted` labelled ticks at 1, 2 or 5 times a power of ten; on a logarithmic axis of over a decade the
  /// decades, with 2 and 5 where there is room, and minor ticks between.
  [[nodiscard]] std::vector<Tick> ticks(int wanted) const;

 private:
  bool logarithmic_;
  double low_, high_, from_, to_;
};

/// A tick's text: 0.01, 5, 1000, 10⁻⁵.
[[nodiscard]] std::string tick_text(double value);

/// Moves positions as little as possible (least squares) so that neighbours lie at least `gap` apart and all lie in
/// [low, high] where they fit. In the order given.
[[nodiscard]] std::vector<double> spread(const std::vector<double>& wanted, double gap, double low, double high);

/// A drawing that grows by appending. Every piece of text and every attribute given is escaped.
class Svg final : public Canvas {
 public:
  /// `attributes` stand in the element's tag as they are, `style` is its style sheet: a file needs both, a page
  /// neither.
  Svg(double width, double height, const std::string& label, const std::string& css_class,
      const std::string& attributes = "", const std::string& style = "");

  void open_group(const std::string& css_class) override;
  void close_group() override;
  void line(double x1, double y1, double x2, double y2, const std::string& css_class) override;
  void polyline(const std::vector<std::pair<double, double>>& points, const std::string& css_class) override;
  void rect(double x, double y, double width, double height, const std::string& css_class,
            const std::string& tooltip = "");
  void marker(Marker marker, double x, double y, double radius, const std::string& css_class,
              const std::string& tooltip = "") override;
  void text(double x, double y, const std::string& text, const std::string& css_class,
            const std::string& anchor = "start", double turn = 0) override;
  /// The whole element, closed.
  [[nodiscard]] std::string str() const;

 private:
  std::string out_;
  int open_ = 0;
};

}  // namespace stride
