// The section of the report that shows where the steps lie.
#include "evaluation/report/html.h"
#include "evaluation/report/plot.h"
#include "evaluation/report/report_sections.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace stride {
namespace {

constexpr double kLabels = 310;  // wide screens, at least: "predictor tolerance=0.05 · dpmpp_2m · sigma_min" has room
constexpr double kLabelsBeside = 60;  // label columns below this many units: labels go above their rows

// Room for the longest of the labels.
double label_room(const std::vector<std::string>& labels) {
  constexpr double kCharacter = 6.6, kMost = 480;
  std::ptrdiff_t longest = 0;
  for (const std::string& label : labels)
    longest = std::max(longest, std::count_if(label.begin(), label.end(), [](char c) { return (c & 0xC0) != 0x80; }));
  return std::clamp(kCharacter * static_cast<double>(longest), kLabels, kMost);
}

// One row of the strip plot.
struct StepRow {
  std::string label;
  int colour = 0;
  std::vector<std::vector<double>> paths;  ///< one for a fixed grid
};

std::string draw_steps(const std::vector<StepRow>& rows, double low, double high, double width, double label_width) {
  const bool labels_above = label_width < kLabelsBeside;
  const double row_height = labels_above ? 34 : 21;
  const double top = 6;
  const double bottom = top + row_height * static_cast<double>(rows.size());
  Svg svg(width, bottom + 42, "Noise levels that each sampler steps through", "plot steps");
  // The run starts at the left, at the highest level.
  const Axis axis(true, low / 1.25, high * 1.25, width - 12, label_width);
  svg.open_group("axes");
  for (const Tick& tick : axis.ticks(width > 500 ? 7 : 4)) {
    const double x = axis(tick.value);
    svg.line(x, top, x, bottom, tick.label.empty() ? "grid minor" : "grid");
    if (!tick.label.empty()) svg.text(x, bottom + 16, tick.label, "tick", "middle");
  }
  svg.text((label_width + width - 12) / 2, bottom + 36, "noise level σ (a run goes from left to right)", "axis-label",
           "middle");
  svg.close_group();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const StepRow& row = rows[i];
    const double y = top + row_height * static_cast<double>(i) + (labels_above ? 24 : 10.5);
    if (labels_above) {
      svg.text(label_width, y - 11, row.label, "row-label");
    } else {
      svg.text(label_width - 8, y + 4, row.label, "row-label", "end");
    }
    svg.open_group(fmt::format("series c{}", row.colour));
    const bool many = row.paths.size() > 1;
    for (const auto& path : row.paths) {
      double first = -1;
      double last = -1;
      for (const double sigma : path) {
        if (!(sigma > 0)) continue;
        const double x = axis(sigma);
        if (first < 0) first = x;
        last = x;
        if (many) {
          svg.line(x, y - 7, x, y + 7, "visit");
        } else {
          svg.marker(Marker::circle, x, y, 4, "mark", fmt::format("σ = {}", number_text(sigma, 4)));
        }
      }
      if (!many && first >= 0) svg.line(first, y, last, y, "track");
    }
    svg.close_group();
  }
  return svg.str();
}

std::string draw_counts(const std::vector<const SamplerResult*>& samplers, const std::vector<int>& colours,
                        double width, double label_width) {
  int64_t most = 1;
  for (const SamplerResult* sampler : samplers) most = std::max(most, sampler->cost.nfe_max);
  const bool labels_above = label_width < kLabelsBeside;
  const double row_height = labels_above ? 68 : 54;
  const double tallest = 42;
  const double bottom = 6 + row_height * static_cast<double>(samplers.size());
  Svg svg(width, bottom + 42, "Evaluations that each sample took", "plot counts");
  const Axis axis(false, 0, static_cast<double>(most) + 1, label_width, width - 12);
  svg.open_group("axes");
  for (const Tick& tick : axis.ticks(width > 500 ? 8 : 5)) {
    svg.line(axis(tick.value), 6, axis(tick.value), bottom, "grid");
    svg.text(axis(tick.value), bottom + 16, tick.label, "tick", "middle");
  }
  svg.text((label_width + width - 12) / 2, bottom + 36, "network evaluations per sample", "axis-label", "middle");
  svg.close_group();
  for (std::size_t i = 0; i < samplers.size(); ++i) {
    const double base = 6 + row_height * static_cast<double>(i + 1) - 2;
    int64_t largest = 1;
    for (const auto& [nfe, count] : samplers[i]->nfe_counts) largest = std::max(largest, count);
    if (labels_above) {
      svg.text(label_width, base - tallest - 8, full_label(*samplers[i]), "row-label");
    } else {
      svg.text(label_width - 8, base - 18, full_label(*samplers[i]), "row-label", "end");
    }
    svg.open_group(fmt::format("series c{}", colours[i]));
    const double bar = std::max(1.5, axis(1) - axis(0) - 1);
    for (const auto& [nfe, count] : samplers[i]->nfe_counts) {
      const double height = tallest * static_cast<double>(count) / static_cast<double>(largest);
      svg.rect(axis(static_cast<double>(nfe)) - bar / 2, base - height, bar, height, "fill",
               fmt::format("NFE {}: {} samples", nfe, count));
    }
    svg.line(label_width, base, width - 12, base, "track");
    svg.close_group();
  }
  return svg.str();
}

}  // namespace

std::string steps_section(const EvaluationResult& result) {
  std::vector<StepRow> rows;
  std::vector<const SamplerResult*> adaptive;
  std::vector<int> colours;
  double low = INFINITY;
  double high = 0;
  const std::vector<SamplerGroup> groups = sampler_groups(result);
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (const SamplerResult* sampler : groups[i].best) {
      StepRow row = {full_label(*sampler), static_cast<int>(i) % kSeriesColours, sampler->paths};
      if (!sampler->adaptive()) {
        row.label = fmt::format("{} @ {}", full_label(*sampler), std::llround(sampler->cost.nfe_mean));
        row.paths = {sampler->sigmas};
      }
      for (const auto& path : row.paths) {
        for (const double sigma : path) {
          if (!(sigma > 0) || !std::isfinite(sigma)) continue;
          low = std::min(low, sigma);
          high = std::max(high, sigma);
        }
      }
      if (!row.paths.empty() && rows.size() < 40) rows.push_back(std::move(row));
      if (!sampler->nfe_counts.empty()) {
        adaptive.push_back(sampler);
        colours.push_back(static_cast<int>(i) % kSeriesColours);
      }
    }
  }
  if (rows.empty() || !(low <= high)) return "";
  std::vector<std::string> labels;
  for (const StepRow& row : rows) labels.push_back(row.label);
  const double room = label_room(labels);
  std::string out = "<section><h2>Where the steps lie</h2><div class=\"stack\">\n<figure><h3>Noise levels</h3>";
  out += "<div class=\"wide full\">" + draw_steps(rows, low, high, 1100, room) + "</div><div class=\"narrow\">" +
         draw_steps(rows, low, high, 340, 14) + "</div>";
  out +=
      "<figcaption>Each row is a grid; dots are the levels where it evaluates the network or ends. Adaptive policies "
      "show the levels that their "
      "first samples chose, one thin mark a visit. A final level of 0 lies off the axis.</figcaption></figure>\n";
  if (!adaptive.empty()) {
    out += "<figure><h3>Steps that each sample took</h3><div class=\"wide full\">" +
           draw_counts(adaptive, colours, 1100, room) + "</div><div class=\"narrow\">" +
           draw_counts(adaptive, colours, 340, 14) +
           "</div><figcaption>Adaptive policies only: how many of the samples needed how many "
           "evaluations.</figcaption></figure>\n";
  }
  return out + "</div></section>\n";
}

}  // namespace stride
