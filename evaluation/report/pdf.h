// Just enough PDF for a figure of a paper: one page, lines, filled shapes and text in Helvetica.
#pragma once

#include "evaluation/report/canvas.h"

#include <map>
#include <string>
#include <vector>

namespace stride {

/// A figure as a PDF file (ISO 32000-1, version 1.4). Coordinates are those of the drawing, `scale` points each, y
/// downwards. Text is in the standard font Helvetica, which readers bring: it is not embedded. What the font's encoding
/// does not have is written in its nearest signs.
class Pdf final : public Canvas {
 public:
  Pdf(double width, double height, double scale, const std::string& title);

  void open_group(const std::string& css_class) override;
  void close_group() override;
  void line(double x1, double y1, double x2, double y2, const std::string& css_class) override;
  void polyline(const std::vector<std::pair<double, double>>& points, const std::string& css_class) override;
  void marker(Marker marker, double x, double y, double radius, const std::string& css_class,
              const std::string& tooltip = "") override;
  void text(double x, double y, const std::string& text, const std::string& css_class,
            const std::string& anchor = "start", double turn = 0) override;
  /// The whole file.
  [[nodiscard]] std::string str() const;

 private:
  void path(const std::vector<std::pair<double, double>>& points, bool closed);

  double width_, height_, scale_;
  std::string title_, content_;
  std::vector<std::string> groups_;
};

/// How wide a text is in Helvetica of size 1 (its metrics as Adobe published them).
[[nodiscard]] double helvetica_width(const std::string& text);

}  // namespace stride
