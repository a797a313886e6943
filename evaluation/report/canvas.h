// What a plot is drawn on: shapes and text with classes, which say how they look.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace stride {

enum class Marker { circle, square, triangle, diamond, wedge, cross };

/// That of the i-th series: one after the other, and again from the first.
[[nodiscard]] constexpr Marker marker_of(std::size_t i) noexcept { return static_cast<Marker>(i % 6); }

/// Corners of a marker of radius 1 around (0, 0), y downwards; none for the circle.
[[nodiscard]] std::vector<std::pair<double, double>> marker_corners(Marker marker);

class Canvas {
 public:
  virtual ~Canvas() = default;

  virtual void open_group(const std::string& css_class) = 0;
  virtual void close_group() = 0;
  virtual void line(double x1, double y1, double x2, double y2, const std::string& css_class) = 0;
  virtual void polyline(const std::vector<std::pair<double, double>>& points, const std::string& css_class) = 0;
  virtual void marker(Marker marker, double x, double y, double radius, const std::string& css_class,
                      const std::string& tooltip = "") = 0;
  /// `anchor`: start, middle or end. `turn`: degrees around (x, y).
  virtual void text(double x, double y, const std::string& text, const std::string& css_class,
                    const std::string& anchor = "start", double turn = 0) = 0;

 protected:
  Canvas() = default;
  Canvas(const Canvas&) = default;
  Canvas& operator=(const Canvas&) = default;
};

}  // namespace stride
