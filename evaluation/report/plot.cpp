#include "evaluation/report/plot.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

namespace stride {
namespace {

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  void add(double value, bool logarithmic) {
    if (!std::isfinite(value) || (logarithmic && value <= 0.0)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  // Room around the points: `share` of the axis on each side.
  void pad(double share, bool logarithmic) {
    if (!(low <= high)) return;
    if (logarithmic) {
      const double factor = std::max(std::pow(high / low, share), 1.06);
      low /= factor;
      high *= factor;
    } else {
      const double room = std::max((high - low) * share, 1e-9 * std::abs(high));
      low -= room;
      high += room;
    }
  }
};

struct Frame {
  double left, right, top, bottom;
};

// Room for the labels at the lines' right ends.
double label_room(const Plot& plot) {
  std::size_t longest = 0;
  for (const PlotSeries& series : plot.series) longest = std::max(longest, series.label.size());
  return std::clamp(24.0 + 6.9 * static_cast<double>(longest), 60.0, 220.0);
}

class Drawing final {
 public:
  Drawing(Canvas& canvas, const Plot& plot, const PlotSize& size)
      : plot_(plot),
        size_(size),
        frame_{64, size.width - (size.labels ? label_room(plot) : 12.0), 12, size.height - 46},
        x_(axis(true)),
        y_(axis(false)),
        canvas_(canvas) {}

  void draw() {
    draw_axes();
    draw_lines();
    for (const bool strong : {false, true}) {
      for (const PlotSeries& series : plot_.series) {
        if (series.strong == strong) draw_series(series);
      }
    }
    if (size_.labels) draw_labels();
  }

 private:
  [[nodiscard]] bool usable(const PlotPoint& point) const {
    return std::isfinite(point.x) && std::isfinite(point.y) && (!plot_.x_log || point.x > 0) &&
           (!plot_.y_log || point.y > 0);
  }

  [[nodiscard]] Axis axis(bool horizontal) const {
    Range range;
    const bool logarithmic = horizontal ? plot_.x_log : plot_.y_log;
    Range bars;
    for (const PlotSeries& series : plot_.series) {
      for (const auto* points : {&series.points, &series.faint}) {
        for (const PlotPoint& point : *points) {
          if (!usable(point)) continue;
          range.add(horizontal ? point.x : point.y, logarithmic);
          if (horizontal && point.x_high) range.add(*point.x_high, logarithmic);
          if (!horizontal && point.y_low) bars.add(*point.y_low, logarithmic);
          if (!horizontal && point.y_high) bars.add(*point.y_high, logarithmic);
        }
      }
    }
    if (!horizontal) {
      for (const PlotLine& line : plot_.lines) range.add(line.y, logarithmic);
    }
    // Bars widen the range, but a bar that almost reaches 0 must not squeeze everything else.
    if (bars.low <= bars.high) {
      range.high = std::max(range.high, logarithmic ? std::min(bars.high, range.high * 3) : bars.high);
      range.low = std::min(range.low, logarithmic ? std::max(bars.low, range.low / 3) : bars.low);
    }
    range.pad(0.05, logarithmic);
    return horizontal ? Axis(logarithmic, range.low, range.high, frame_.left, frame_.right)
                      : Axis(logarithmic, range.low, range.high, frame_.bottom, frame_.top);
  }

  void draw_axes() {
    canvas_.open_group("axes");
    for (const Tick& tick : y_.ticks(6)) {
      const double y = y_(tick.value);
      canvas_.line(frame_.left, y, frame_.right, y, tick.label.empty() ? "grid minor" : "grid");
      if (!tick.label.empty()) canvas_.text(frame_.left - 7, y + 4, tick.label, "tick", "end");
    }
    std::vector<Tick> ticks;
    for (const double value : plot_.x_ticks) ticks.push_back({value, tick_text(value)});
    if (ticks.empty()) ticks = x_.ticks(size_.width > 400 ? 6 : 4);
    double free_from = frame_.left - 20;
    for (const Tick& tick : ticks) {
      const double x = x_(tick.value);
      if (x < frame_.left - 0.5 || x > frame_.right + 0.5) continue;
      canvas_.line(x, frame_.bottom, x, frame_.bottom + (tick.label.empty() ? 3 : 5), "rule");
      const double half = 3.6 * static_cast<double>(tick.label.size());
      if (tick.label.empty() || x - half < free_from) continue;
      canvas_.text(x, frame_.bottom + 19, tick.label, "tick", "middle");
      free_from = x + half + 5;
    }
    canvas_.line(frame_.left, frame_.bottom, frame_.right, frame_.bottom, "rule");
    canvas_.text((frame_.left + frame_.right) / 2, size_.height - 8, plot_.x_label, "axis-label", "middle");
    canvas_.text(12, (frame_.top + frame_.bottom) / 2, plot_.y_label, "axis-label", "middle", -90);
    canvas_.close_group();
  }

  void draw_lines() {
    std::vector<double> wanted;
    std::vector<const PlotLine*> shown;
    for (const PlotLine& line : plot_.lines) {
      if (!std::isfinite(line.y) || (plot_.y_log && line.y <= 0)) continue;
      canvas_.line(frame_.left, y_(line.y), frame_.right, y_(line.y), "reference");
      wanted.push_back(y_(line.y) - 5);
      shown.push_back(&line);
    }
    const std::vector<double> places = spread(wanted, 14, frame_.top + 8, frame_.bottom - 4);
    for (std::size_t i = 0; i < shown.size(); ++i)
      canvas_.text(frame_.left + 6, places[i], shown[i]->label, "reference-label");
  }

  void draw_series(const PlotSeries& series) {
    canvas_.open_group(fmt::format("series c{}{}", series.colour, series.strong ? " strong" : ""));
    for (const PlotPoint& point : series.faint) {
      if (usable(point)) canvas_.marker(series.shape, x_(point.x), y_(point.y), 2.2, "faint", point.tooltip);
    }
    if (series.joined) {
      std::vector<std::pair<double, double>> line;
      for (const PlotPoint& point : series.points) {
        if (usable(point)) line.emplace_back(x_(point.x), y_(point.y));
      }
      if (line.size() > 1) canvas_.polyline(line, "line");
    }
    for (const PlotPoint& point : series.points) {
      if (!usable(point)) continue;
      const double x = x_(point.x);
      if (point.y_low && point.y_high && std::isfinite(*point.y_low) && std::isfinite(*point.y_high)) {
        const double low = std::min(y_(std::max(*point.y_low, y_.low())), frame_.bottom);
        const double high = std::max(y_(std::min(*point.y_high, y_.high())), frame_.top);
        canvas_.line(x, low, x, high, "bar");
        canvas_.line(x - 3, low, x + 3, low, "bar");
        canvas_.line(x - 3, high, x + 3, high, "bar");
      }
      if (point.x_high && *point.x_high > point.x) {
        canvas_.line(x, y_(point.y), x_(*point.x_high), y_(point.y), "reach");
        canvas_.line(x_(*point.x_high), y_(point.y) - 3, x_(*point.x_high), y_(point.y) + 3, "reach");
      }
      canvas_.marker(series.shape, x, y_(point.y), series.strong ? 4.6 : 3.8, "mark", point.tooltip);
    }
    canvas_.close_group();
  }

  void draw_labels() {
    std::vector<double> wanted;
    std::vector<std::pair<const PlotSeries*, const PlotPoint*>> ends;
    for (const PlotSeries& series : plot_.series) {
      const PlotPoint* last = nullptr;
      for (const PlotPoint& point : series.points) {
        if (usable(point) && (last == nullptr || point.x >= last->x)) last = &point;
      }
      if (last == nullptr) continue;
      ends.emplace_back(&series, last);
      wanted.push_back(y_(last->y));
    }
    const std::vector<double> places = spread(wanted, 15, frame_.top + 6, frame_.bottom - 2);
    for (std::size_t i = 0; i < ends.size(); ++i) {
      const auto& [series, last] = ends[i];
      const double from = x_(last->x_high ? std::max(*last->x_high, last->x) : last->x) + 7;
      canvas_.open_group(fmt::format("series c{}{}", series->colour, series->strong ? " strong" : ""));
      canvas_.polyline(
          {{from, wanted[i]}, {std::max(from, frame_.right + 2), wanted[i]}, {frame_.right + 10, places[i]}}, "leader");
      canvas_.text(frame_.right + 13, places[i] + 4, series->label, "series-label");
      canvas_.close_group();
    }
  }

  const Plot& plot_;
  const PlotSize& size_;
  Frame frame_;
  Axis x_, y_;
  Canvas& canvas_;
};

}  // namespace

void draw_plot_on(Canvas& canvas, const Plot& plot, const PlotSize& size) { Drawing(canvas, plot, size).draw(); }

std::string draw_plot(const Plot& plot, const PlotSize& size) {
  Svg svg(size.width, size.height, plot.title, "plot");
  draw_plot_on(svg, plot, size);
  return svg.str();
}

}  // namespace stride
