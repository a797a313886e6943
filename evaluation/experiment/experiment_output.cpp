#include "evaluation/experiment/experiment_output.h"

#include "evaluation/experiment/pivot.h"
#include "evaluation/report/plot.h"
#include "framework/error.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include <fmt/format.h>

namespace stride {
namespace {

// Of a plot that stands alone on white paper: the light page's colours.
constexpr const char* kColours[] = {"#cf4f00", "#0068a8", "#00855f", "#a13f83",
                                    "#8a6400", "#3f7fa6", "#565d68", "#7a4fc9"};

std::string figure_style() {
  std::string out =
      "<style>text{font:9px sans-serif;fill:#1d2025}.tick,.axis-label{fill:#444}.grid{stroke:#e4e2de}"
      ".grid.minor{stroke-width:.5}.rule{stroke:#999}.series-label{font-weight:600}"
      ".line,.leader{fill:none}.line{stroke-width:1.4}.leader{stroke-width:.6}.mark{stroke:#fff;stroke-width:.8}";
  for (std::size_t i = 0; i < std::size(kColours); ++i)
    out += fmt::format(".c{0} .line,.c{0} .bar,.c{0} .leader{{stroke:{1}}}.c{0} .mark,.c{0} .series-label{{fill:{1}}}",
                       i, kColours[i]);
  return out + "</style>";
}

// 12.7 cm at 96 pixels an inch: the width of a page of one column.
constexpr PlotSize kColumn = {480, 260, true};

std::optional<double> value_of(const ResultRow& row, const std::string& name, Estimate& out) {
  if (const auto found = row.numbers.find(name); found != row.numbers.end()) {
    out = found->second;
    return out.value;
  }
  const auto found = row.fields.find(name);
  if (found == row.fields.end()) return std::nullopt;
  try {
    std::size_t end = 0;
    const double value = std::stod(found->second, &end);
    if (end != found->second.size()) return std::nullopt;
    out = {value, std::nan(""), std::nan("")};
    return value;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

std::optional<double> known(double value) { return std::isnan(value) ? std::nullopt : std::optional(value); }

std::string alone(std::string svg) {
  svg.insert(svg.find('>') + 1, figure_style());
  return svg + "\n";
}

}  // namespace

std::vector<std::pair<std::string, std::string>> table_files(const std::vector<ResultRow>& rows,
                                                             const ExperimentTable& table) {
  const Pivot made = pivot(rows, table);
  return {{table.name + ".md", pivot_markdown(made, table)},
          {table.name + ".tex", pivot_latex(made, table)},
          {table.name + ".csv", pivot_csv(made)}};
}

std::vector<std::pair<std::string, std::string>> figure_files(const std::vector<ResultRow>& all,
                                                              const ExperimentFigure& figure) {
  std::vector<std::string> order;
  std::map<std::string, std::map<double, std::vector<Estimate>>> points;
  for (const ResultRow& row : rows_with(all, figure.only)) {
    Estimate x, y;
    if (!value_of(row, figure.x, x) || !value_of(row, figure.y, y)) continue;
    std::string label;
    for (const std::string& name : figure.series) label += (label.empty() ? "" : ", ") + field_of(row, name);
    if (!points.contains(label)) order.push_back(label);
    points[label][x.value].push_back(y);
  }
  if (order.empty())
    throw UsageError(fmt::format("figure {}: no result of stage {} has the numbers {} and {}", figure.name, figure.from,
                                 figure.x, figure.y));
  Plot plot;
  plot.title = figure.title.empty() ? figure.name : figure.title;
  plot.x_label = figure.x;
  plot.y_label = figure.y;
  plot.x_log = figure.x_log;
  plot.y_log = figure.y_log;
  std::string csv = fmt::format("series,{},{},low,high,count\n", figure.x, figure.y);
  for (std::size_t i = 0; i < order.size(); ++i) {
    constexpr Marker kShapes[] = {Marker::circle,  Marker::square, Marker::triangle,
                                  Marker::diamond, Marker::wedge,  Marker::cross};
    PlotSeries series;
    series.label = order[i];
    series.colour = static_cast<int>(i % std::size(kColours));
    series.shape = kShapes[i % 6];
    for (const auto& [x, several] : points[order[i]]) {
      std::vector<double> values;
      for (const Estimate& one : several) values.push_back(one.value);
      const Estimate y = several.size() == 1 ? several.front() : mean_interval(values);
      series.points.push_back({x, y.value, known(y.low), known(y.high), std::nullopt, ""});
      const auto text = [](double value) { return std::isnan(value) ? std::string() : fmt::format("{}", value); };
      csv +=
          fmt::format("\"{}\",{},{},{},{},{}\n", order[i], x, text(y.value), text(y.low), text(y.high), several.size());
    }
    plot.series.push_back(std::move(series));
  }
  return {{figure.name + ".svg", alone(draw_plot(plot, kColumn))}, {figure.name + ".csv", csv}};
}

}  // namespace stride
