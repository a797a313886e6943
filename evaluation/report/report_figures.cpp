// Sections of the report that are plots.
#include "evaluation/metric_facts.h"
#include "evaluation/report/html.h"
#include "evaluation/report/plot.h"
#include "evaluation/report/report_sections.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

namespace stride {
namespace {

std::string both_sizes(const Plot& plot) {
  return "<div class=\"wide\">" + draw_plot(plot, kWidePlot) + "</div><div class=\"narrow\">" +
         draw_plot(plot, kNarrowPlot) + "</div>";
}

std::string legend(const Plot& plot) {
  std::string out = "<ul class=\"legend\">";
  for (const PlotSeries& series : plot.series) {
    Svg key(16, 16, series.label, "key");
    key.open_group(fmt::format("series c{}", series.colour));
    key.marker(series.shape, 8, 8, 5, "mark");
    out += "<li>" + key.str() + escape_xml(series.label) + "</li>";
  }
  return out + "</ul>";
}

std::string figure(const std::string& title, const Plot& plot, const std::string& caption) {
  return "<figure>" + element("h3", title) + legend(plot) + both_sizes(plot) + element("figcaption", caption) +
         "</figure>\n";
}

std::string describe(const SamplerResult& sampler, const MetricResult& metric) {
  std::string out = fmt::format("{}\n{} {}", full_label(sampler), metric.name, number_text(metric.all.value, 4));
  if (!std::isnan(metric.all.low)) {
    out += fmt::format(" (95 %: {} to {})", number_text(metric.all.low, 4), number_text(metric.all.high, 4));
  }
  return out + fmt::format("\nNFE {} (95 % of samples ≤ {}, most {})", nfe_text(sampler.cost.nfe_mean),
                           nfe_text(sampler.cost.nfe_p95), sampler.cost.nfe_max);
}

enum class Horizontal { nfe, seconds };

Plot metric_plot(const EvaluationResult& result, const std::string& metric, Horizontal horizontal) {
  Plot plot;
  std::set<double> nfes;
  const std::vector<SamplerGroup> groups = sampler_groups(result, metric);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const SamplerGroup& group = groups[i];
    PlotSeries series;
    series.label = group.label;
    series.colour = static_cast<int>(i) % kSeriesColours;
    series.shape = marker_of(i);
    series.strong = group.kind == SamplerGroup::Kind::plan;
    const auto point = [&](const SamplerResult& sampler, bool bars) -> std::optional<PlotPoint> {
      const MetricResult* found = sampler.metric(metric);
      if (found == nullptr) return std::nullopt;
      PlotPoint out;
      out.x = horizontal == Horizontal::nfe
                  ? sampler.cost.nfe_mean
                  : sampler.cost.seconds / static_cast<double>(std::max<int64_t>(sampler.cost.n, 1)) * 1000.0;
      out.y = found->all.value;
      if (bars && !std::isnan(found->all.low)) {
        out.y_low = found->all.low;
        out.y_high = found->all.high;
      }
      if (bars && horizontal == Horizontal::nfe && sampler.adaptive()) out.x_high = sampler.cost.nfe_p95;
      out.tooltip = describe(sampler, *found);
      if (horizontal == Horizontal::nfe && !sampler.adaptive()) nfes.insert(std::round(out.x));
      return out;
    };
    for (const SamplerResult* sampler : group.best) {
      if (const auto made = point(*sampler, true)) series.points.push_back(*made);
    }
    for (const SamplerResult* sampler : group.others) {
      if (const auto made = point(*sampler, false)) series.faint.push_back(*made);
    }
    std::stable_sort(series.points.begin(), series.points.end(),
                     [](const PlotPoint& a, const PlotPoint& b) { return a.x < b.x; });
    if (!series.points.empty()) plot.series.push_back(std::move(series));
  }
  if (horizontal == Horizontal::nfe && !nfes.empty() && nfes.size() <= 10)
    plot.x_ticks.assign(nfes.begin(), nfes.end());
  if (horizontal == Horizontal::nfe && !plot.x_ticks.empty()) {
    double most = plot.x_ticks.back();
    for (const PlotSeries& series : plot.series) {
      for (const PlotPoint& p : series.points) most = std::max({most, p.x, p.x_high.value_or(p.x)});
    }
    for (const double tick : {10.0, 20.0, 50.0, 100.0, 200.0, 500.0}) {
      if (tick > plot.x_ticks.back() * 1.3 && tick <= most) plot.x_ticks.push_back(tick);
    }
  }
  return plot;
}

bool has_metric(const EvaluationResult& result, const std::string& metric) {
  return std::any_of(result.samplers.begin(), result.samplers.end(),
                     [&](const SamplerResult& s) { return s.metric(metric) != nullptr; });
}

std::string bars_note(const EvaluationResult& result) {
  if (result.block_sizes.size() < 2) return "One block of seeds: no intervals.";
  return fmt::format("Bars: 95 % intervals over {} blocks of seeds (delete-one-block jackknife, Student's t).",
                     result.block_sizes.size());
}

}  // namespace

Plot quality_plot(const EvaluationResult& result, const std::string& metric) {
  Plot plot = metric_plot(result, metric, Horizontal::nfe);
  plot.x_label = "network evaluations per sample (NFE)";
  plot.title = metric_words(metric) + " against NFE";
  plot.y_label = metric == "rmse" ? "RMSE to the teacher" : "Fréchet distance";
  if (metric == "rmse") return plot;
  if (const MetricResult* teacher = result.teacher.metric(metric))
    plot.lines.push_back({teacher->all.value, "teacher"});
  if (metric == "fd" && result.reference_floor > 0) plot.lines.push_back({result.reference_floor, "real data"});
  return plot;
}

std::vector<std::string> plotted_metrics(const EvaluationResult& result) {
  std::vector<std::string> out;
  // One of the two distances is enough beside the RMSE; the table has both.
  for (const char* metric : {"rmse", "fd", "fd-teacher"})
    if (has_metric(result, metric) && !(std::string(metric) == "fd-teacher" && has_metric(result, "fd")))
      out.emplace_back(metric);
  return out;
}

std::string quality_section(const EvaluationResult& result) {
  std::string out = "<section><h2>Quality against network evaluations</h2><div class=\"pair\">\n";
  const std::string notes = bars_note(result) +
                            " Lines join the lowest value of each solver's runs at each NFE; small marks are its other "
                            "runs.";
  for (const std::string& metric : plotted_metrics(result)) {
    if (metric == "rmse") {
      out += figure(
          "Distance to the teacher", quality_plot(result, metric),
          fmt::format(
              "Root mean square error to the end points of {} at {} NFE from the same noise; lower is better. {}",
              solver_label(result.teacher), nfe_text(result.teacher.cost.nfe_mean), notes));
      continue;
    }
    const bool real = metric == "fd";
    out += figure(
        real ? "Distance to the real data" : "Distance to the teacher's samples", quality_plot(result, metric),
        fmt::format(
            "Fréchet distance to {} in the features of {}, {} samples per point; lower is better. Few samples bias it "
            "upwards: compare at one count only. {}",
            real ? result.reference.substr(0, result.reference.find(" (SHA")) : "the teacher's samples",
            result.features.empty() ? "a fixed network" : result.features, result.n, notes));
  }
  return out + "</div></section>\n";
}

namespace {

// Seconds of one machine: those of another are no place on its axis.
std::string time_figure(const EvaluationResult& result, const std::string& metric, const EvaluationPart& part) {
  Plot plot = metric_plot(result, metric, Horizontal::seconds);
  plot.title = "Precision against time";
  plot.x_label = "milliseconds per sample";
  plot.y_label = metric == "rmse" ? "RMSE to the teacher" : "Fréchet distance";
  return figure(part.name.empty() ? "What a sample costs" : "What a sample costs in " + part.name, plot,
                fmt::format("Wall time on {} ({}, batches of {}), median over batches, warm-up excluded. The teacher "
                            "takes {} per sample.",
                            part.device, part.dtype, part.batch, seconds_text(part.teacher_seconds)));
}

std::string time_figures(const EvaluationResult& result, const std::string& metric) {
  const double teacher = result.teacher.cost.seconds / static_cast<double>(std::max<int64_t>(result.teacher.cost.n, 1));
  if (result.parts.empty())
    return time_figure(result, metric, {"", result.device, result.dtype, result.batch, teacher});
  std::string out;
  for (std::size_t i = 0; i < result.parts.size(); ++i) {
    EvaluationResult part = result;
    std::erase_if(part.samplers, [&](const SamplerResult& sampler) { return sampler.part != i; });
    out += time_figure(part, metric, result.parts[i]);
  }
  return out;
}

}  // namespace

std::string work_section(const EvaluationResult& result) {
  std::string out = "<section><h2>Work and precision</h2><div class=\"pair\">\n";
  const std::string metric = has_metric(result, "rmse") ? "rmse" : has_metric(result, "fd") ? "fd" : "fd-teacher";
  out += time_figures(result, metric);
  const std::vector<PolicyComparison> policies = policy_comparisons(result);
  if (!policies.empty()) {
    const auto cell = [](const std::optional<Estimate>& e) -> HtmlCell {
      if (!e) return {"<span class=\"muted\">no grid near</span>", ""};
      std::string text = escape_xml(change_text(e->value));
      if (!std::isnan(e->low))
        text +=
            fmt::format("<small>{} to {}</small>", escape_xml(change_text(e->low)), escape_xml(change_text(e->high)));
      return {text, e->value < 0 ? "good" : "bad"};
    };
    const std::vector<const SamplerResult*> others = fixed_runs(result, false);
    std::vector<std::vector<HtmlCell>> rows;
    for (const PolicyComparison& row : policies) {
      rows.push_back({{escape_xml(full_label(*row.policy)), ""},
                      {escape_xml(nfe_text(row.policy->cost.nfe_mean)), ""},
                      {fmt::format("{}", row.policy->cost.nfe_max), ""},
                      cell(row.classic),
                      cell(row.plan)});
    }
    out += "<figure><h3>Adaptive policies at equal mean NFE</h3>" +
           html_table({{"policy", "name", ""},
                       {"mean NFE", "number", ""},
                       {"max", "number", "most evaluations that a sample took"},
                       {"vs others", "number", "the lowest of the other runs on fixed grids"},
                       {"vs plans", "number", "fitted plans"}},
                      rows) +
           element("figcaption",
                   fmt::format("Change of the RMSE to the teacher against the lowest of the runs on fixed grids at the "
                               "same mean NFE ({}), read off between their two neighbouring NFEs; negative is better. "
                               "Intervals are paired by blocks of seeds.",
                               others.empty() ? "none" : runs_text(others))) +
           "</figure>\n";
  }
  return out + "</div></section>\n";
}

}  // namespace stride
