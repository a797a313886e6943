#include "evaluation/report/figures.h"

#include "evaluation/csv_text.h"
#include "evaluation/report/figure_look.h"
#include "evaluation/report/pdf.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace stride {
namespace {

constexpr PlotSize kColumnPlot = {340, 250, false};
constexpr double kLine = 15.0;

// How many labels stand beside each other.
std::size_t legend_columns(const Plot& plot) {
  double widest = 0.0;
  for (const PlotSeries& series : plot.series) widest = std::max(widest, 11.0 * helvetica_width(series.label) + 30.0);
  return std::clamp<std::size_t>(static_cast<std::size_t>(kColumnPlot.width / std::max(widest, 1.0)), 1, 3);
}

void draw_figure(Canvas& canvas, const Plot& plot) {
  draw_plot_on(canvas, plot, kColumnPlot);
  const std::size_t columns = legend_columns(plot);
  for (std::size_t i = 0; i < plot.series.size(); ++i) {
    const PlotSeries& series = plot.series[i];
    const double x =
        12.0 + static_cast<double>(i % columns) * (kColumnPlot.width - 12.0) / static_cast<double>(columns);
    const std::size_t row = i / columns;
    const double y = kColumnPlot.height + 10.0 + kLine * static_cast<double>(row);
    canvas.open_group(fmt::format("series c{}", series.colour));
    canvas.marker(series.shape, x, y, 3.8, "mark");
    canvas.close_group();
    canvas.text(x + 9.0, y + 4.0, series.label, "legend");
  }
}

std::string data_of(const Plot& plot) {
  std::string out = "series,best,x,y,y_low,y_high,x_high\n";
  const auto cell = [](const std::optional<double>& value) { return value ? csv_number(*value) : std::string(); };
  for (const PlotSeries& series : plot.series) {
    for (const auto* points : {&series.points, &series.faint}) {
      for (const PlotPoint& point : *points)
        out += fmt::format("{},{},{},{},{},{},{}\n", csv_text(series.label), points == &series.points ? 1 : 0,
                           csv_number(point.x), csv_number(point.y), cell(point.y_low), cell(point.y_high),
                           cell(point.x_high));
    }
  }
  for (const PlotLine& line : plot.lines) out += fmt::format("{},,,{},,,\n", csv_text(line.label), csv_number(line.y));
  return out;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> figure_files(const std::string& name, const Plot& plot) {
  const std::size_t columns = legend_columns(plot);
  const double height = kColumnPlot.height + 4.0 +
                        kLine * std::ceil(static_cast<double>(plot.series.size()) / static_cast<double>(columns));
  const double scale = kColumnWidth / kColumnPlot.width;
  Svg svg(kColumnPlot.width, height, plot.title, "plot",
          fmt::format(" width=\"{}pt\" height=\"{}pt\"", coordinate(kColumnWidth), coordinate(height * scale)),
          figure_style());
  Pdf pdf(kColumnPlot.width, height, scale, plot.title);
  for (Canvas* canvas : std::initializer_list<Canvas*>{&svg, &pdf}) draw_figure(*canvas, plot);
  return {{name + ".svg", svg.str() + "\n"}, {name + ".pdf", pdf.str()}, {name + ".csv", data_of(plot)}};
}

}  // namespace stride
