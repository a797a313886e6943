// How the parts of a plot look in print.
#pragma once

#include <string>
#include <vector>

namespace stride {

struct Look {
  std::string stroke, fill;  ///< "#rrggbb"; empty: none
  double width = 1.0;        ///< of the stroke
  double opacity = 1.0;
  double size = 12.0;  ///< of text
  bool dashed = false;
};

/// Of a part with `css_class` in groups with `groups` ("series c3 strong").
[[nodiscard]] Look look_of(const std::vector<std::string>& groups, const std::string& css_class);

/// The same as a style sheet, for an SVG file that stands alone.
[[nodiscard]] std::string figure_style();

}  // namespace stride
