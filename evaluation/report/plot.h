// A plot of points with intervals, drawn at a wide and a narrow size.
#pragma once

#include "evaluation/report/svg.h"

#include <optional>
#include <string>
#include <vector>

namespace stride {

struct PlotPoint {
  double x = 0;
  double y = 0;
  std::optional<double> y_low, y_high;  ///< a vertical bar
  std::optional<double> x_high;         ///< a thin line to the right, e.g. to a 95th percentile
  std::string tooltip;
};

struct PlotSeries {
  std::string label;
  int colour = 0;  ///< class c0, c1, …
  Marker shape = Marker::circle;
  bool strong = false;  ///< drawn last and thicker
  bool joined = true;
  std::vector<PlotPoint> points;  ///< by ascending x where joined
  std::vector<PlotPoint> faint;   ///< small unlabelled marks
};

struct PlotLine {
  double y = 0;
  std::string label;
};

struct Plot {
  std::string title;  ///< for readers who do not see the picture
  std::string x_label, y_label;
  bool x_log = true, y_log = true;
  std::vector<double> x_ticks;  ///< where x takes few values; empty: chosen
  std::vector<PlotSeries> series;
  std::vector<PlotLine> lines;  ///< horizontal references
};

struct PlotSize {
  double width = 600;
  double height = 400;
  bool labels = true;  ///< at the lines' right ends; without, a legend must name the series
};

inline constexpr PlotSize kWidePlot = {600, 400, true};
inline constexpr PlotSize kNarrowPlot = {340, 320, false};

/// Points that are not finite, or not positive on a logarithmic axis, are left out.
[[nodiscard]] std::string draw_plot(const Plot& plot, const PlotSize& size);
/// The same on a canvas.
void draw_plot_on(Canvas& canvas, const Plot& plot, const PlotSize& size);

}  // namespace stride
