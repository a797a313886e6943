#include "evaluation/experiment/experiment_output.h"

#include "evaluation/experiment/pivot.h"
#include "evaluation/report/figures.h"
#include "framework/error.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>

#include <fmt/format.h>

namespace stride {
namespace {

// Of a plot that stands alone on white paper: the light page's colours.
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
  for (std::size_t i = 0; i < order.size(); ++i) {
    constexpr Marker kShapes[] = {Marker::circle,  Marker::square, Marker::triangle,
                                  Marker::diamond, Marker::wedge,  Marker::cross};
    PlotSeries series;
    series.label = order[i];
    series.colour = static_cast<int>(i % 8);
    series.shape = kShapes[i % 6];
    for (const auto& [x, several] : points[order[i]]) {
      std::vector<double> values;
      for (const Estimate& one : several) values.push_back(one.value);
      const Estimate y = several.size() == 1 ? several.front() : mean_interval(values);
      series.points.push_back({x, y.value, known(y.low), known(y.high), std::nullopt, ""});
    }
    plot.series.push_back(std::move(series));
  }
  return figure_files(figure.name, plot);
}

}  // namespace stride
