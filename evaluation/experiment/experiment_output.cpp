#include "evaluation/experiment/experiment_output.h"

#include "evaluation/experiment/pivot.h"
#include "evaluation/report/figures.h"
#include "framework/error.h"

#include <cmath>
#include <map>
#include <optional>

#include <fmt/format.h>

namespace stride {
namespace {

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
    const auto x = number_of(row, figure.x), y = number_of(row, figure.y);
    if (!x || !y) continue;
    std::string label;
    for (const std::string& name : figure.series) label += (label.empty() ? "" : ", ") + field_of(row, name);
    if (!points.contains(label)) order.push_back(label);
    points[label][x->value].push_back(*y);
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
    PlotSeries series;
    series.label = order[i];
    series.colour = static_cast<int>(i % 8);
    series.shape = marker_of(i);
    for (const auto& [x, several] : points[order[i]]) {
      const Estimate y = joined(several);
      series.points.push_back({x, y.value, known(y.low), known(y.high), std::nullopt, ""});
    }
    plot.series.push_back(std::move(series));
  }
  return figure_files(figure.name, plot);
}

}  // namespace stride
