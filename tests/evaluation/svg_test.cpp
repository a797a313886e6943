#include "tests/catch_torch.h"

#include "evaluation/report/plot.h"
#include "evaluation/report/svg.h"
#include "tests/evaluation/xml_check.h"

#include <algorithm>
#include <cmath>

using namespace stride;

namespace {

const std::string kHostile = "<script>alert(\"1\")</script> & 'x' \x01\xff \xc0\xaf é";

std::vector<std::string> labels(const std::vector<Tick>& ticks) {
  std::vector<std::string> out;
  for (const Tick& tick : ticks) {
    if (!tick.label.empty()) out.push_back(tick.label);
  }
  return out;
}

}  // namespace

TEST_CASE("svg: the check of well-formedness finds faults") {
  CHECK(xml_fault("<a b=\"1\"><c/>x &amp; y</a>").empty());
  for (const char* bad : {"<a>", "<a></b>", "<a b=1/>", "<a b=\"1\" b=\"2\"/>", "<a>&</a>", "<a b=\"<\"/>", "<a/><a/>",
                          "x", "<a b=\"1\"c=\"2\"/>"}) {
    INFO(bad);
    CHECK_FALSE(xml_fault(bad).empty());
  }
}

TEST_CASE("svg: hostile text is escaped everywhere") {
  CHECK(escape_xml("a<b>&\"'") == "a&lt;b&gt;&amp;&quot;&#39;");
  CHECK(escape_xml("é ∞ 𝄞") == "é ∞ 𝄞");
  CHECK(escape_xml("\xff") == "\xEF\xBF\xBD");
  CHECK(escape_xml(std::string("\0", 1)) == "\xEF\xBF\xBD");
  CHECK(escape_xml("\xed\xa0\x80").find("\xed") == std::string::npos);
  Svg svg(100, 50, kHostile, kHostile);
  svg.open_group(kHostile);
  svg.text(1, 2, kHostile, kHostile, kHostile, 90);
  svg.marker(Marker::diamond, 1, 1, 2, kHostile, kHostile);
  svg.rect(0, 0, 1, 1, kHostile, kHostile);
  svg.line(0, 0, 1, std::nan(""), kHostile);
  svg.polyline({{0, 0}, {1, 1e300}}, kHostile);
  const std::string out = svg.str();
  INFO(out);
  CHECK(xml_fault(out).empty());
  CHECK(out.find("<script") == std::string::npos);
  CHECK(out.find("nan") == std::string::npos);
}

TEST_CASE("svg: coordinates are short and plain") {
  CHECK(coordinate(1.0) == "1");
  CHECK(coordinate(-0.001) == "0");
  CHECK(coordinate(12.345678) == "12.35");
  CHECK(coordinate(100.5) == "100.5");
  CHECK(coordinate(INFINITY) == "0");
}

TEST_CASE("svg: ticks are nice numbers within the axis") {
  CHECK(labels(Axis(false, 0, 10, 0, 100).ticks(5)) == std::vector<std::string>{"0", "2", "4", "6", "8", "10"});
  CHECK(labels(Axis(true, 0.002, 80, 0, 100).ticks(6)) == std::vector<std::string>{"0.01", "0.1", "1", "10"});
  CHECK(labels(Axis(true, 0.03, 0.4, 0, 100).ticks(6)) == std::vector<std::string>{"0.05", "0.1", "0.2"});
  CHECK(labels(Axis(true, 3, 9, 0, 100).ticks(4)) == std::vector<std::string>{"4", "6", "8"});
  for (const bool logarithmic : {false, true}) {
    for (const double low : {1e-9, 0.013, 7.0}) {
      for (const double ratio : {1.01, 1.7, 40.0, 1e7}) {
        const Axis axis(logarithmic, low, low * ratio, 0, 100);
        const auto ticks = axis.ticks(6);
        CHECK(labels(ticks).size() >= 1);
        CHECK(labels(ticks).size() <= 12);
        for (const Tick& tick : ticks) {
          CHECK(axis(tick.value) > -0.01);
          CHECK(axis(tick.value) < 100.01);
        }
      }
    }
  }
  CHECK(tick_text(1e-5) == "10⁻⁵");
  CHECK(tick_text(2e-12) == "2×10⁻¹²");
  CHECK(tick_text(0.0001) == "0.0001");
  CHECK(tick_text(5000) == "5000");
  CHECK(tick_text(3e6) == "3×10⁶");
}

TEST_CASE("svg: an axis maps its ends and survives nonsense") {
  const Axis axis(true, 0.1, 1000, 10, 50);
  CHECK(axis(0.1) == Approx(10));
  CHECK(axis(1000) == Approx(50));
  CHECK(axis(10) == Approx(30));
  for (const Axis& odd :
       {Axis(true, 0, 0, 0, 1), Axis(false, 5, 5, 0, 1), Axis(true, std::nan(""), 1, 0, 1), Axis(false, 3, 1, 0, 1)}) {
    CHECK(odd.low() < odd.high());
    CHECK(std::isfinite(odd(odd.low())));
  }
}

TEST_CASE("svg: labels keep their distance, their order and their range") {
  const std::vector<double> wanted = {50, 51, 10, 52, 95, 94};
  const std::vector<double> places = spread(wanted, 10, 0, 100);
  std::vector<std::size_t> order = {2, 0, 1, 3, 5, 4};
  for (std::size_t i = 1; i < order.size(); ++i) CHECK(places[order[i]] - places[order[i - 1]] >= 10 - 1e-9);
  for (const double place : places) {
    CHECK(place >= 0);
    CHECK(place <= 100);
  }
  CHECK(places[2] == 10);          // a lone label stays
  CHECK(places[1] == Approx(51));  // a cluster spreads around its middle
  CHECK(spread({}, 10, 0, 1).empty());
}

TEST_CASE("svg: a plot leaves out what cannot be drawn and stays well formed") {
  Plot plot;
  plot.title = kHostile;
  plot.x_label = kHostile;
  plot.series = {{kHostile,
                  0,
                  Marker::cross,
                  true,
                  true,
                  {{3, 0.1, 0.0, 0.3, 9.0, kHostile}, {4, std::nan(""), {}, {}, {}, ""}, {5, 0.0, {}, {}, {}, ""}},
                  {{3, 0.2, {}, {}, {}, ""}}}};
  plot.lines = {{-1.0, "gone"}, {0.05, kHostile}};
  for (const PlotSize& size : {kWidePlot, kNarrowPlot}) {
    const std::string out = draw_plot(plot, size);
    INFO(out);
    CHECK(xml_fault(out).empty());
    CHECK(out.find("nan") == std::string::npos);
    CHECK(out.find("inf") == std::string::npos);
    CHECK(out.find("gone") == std::string::npos);
    CHECK(out == draw_plot(plot, size));
  }
  CHECK(xml_fault(draw_plot(Plot{}, kWidePlot)).empty());
}
