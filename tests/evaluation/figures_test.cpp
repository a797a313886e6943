// The report's plots as files for a paper.
#include "tests/catch_torch.h"

#include "evaluation/report/figures.h"
#include "evaluation/report/pdf.h"
#include "tests/evaluation/made_up_evaluation.h"
#include "tests/evaluation/xml_check.h"

#include <fmt/format.h>
#include <map>
#include <regex>

using namespace stride;

namespace {

std::map<std::string, std::string> files() {
  std::map<std::string, std::string> out;
  for (const auto& [name, bytes] : report_figures(made_up::report())) out[name] = bytes;
  return out;
}

}  // namespace

TEST_CASE("figures: each plot is an SVG file, a PDF file and its data") {
  const auto all = files();
  for (const char* name : {"rmse.svg", "rmse.pdf", "rmse.csv", "fd.svg", "fd.pdf", "fd.csv"}) CHECK(all.contains(name));
  CHECK(all.size() == 6);
  CHECK_THAT(all.at("rmse.svg"), contains("width=\"238pt\"") && contains("<style>") && contains("fitted plan"));
  const std::string drawing = all.at("rmse.svg");
  CHECK(xml_fault(drawing.substr(0, drawing.size() - 1)).empty());
  // A class without a rule would be black.
  const std::regex css_class("class=\"([^\"]*)\"");
  const std::string svg = all.at("fd.svg");
  for (auto at = std::sregex_iterator(svg.begin(), svg.end(), css_class); at != std::sregex_iterator(); ++at) {
    std::string name = (*at)[1];
    if (name == "plot" || name == "axes" || name.starts_with("series")) continue;
    INFO(name);
    CHECK_THAT(svg, contains("." + name.substr(0, name.find(' ')) + "{"));
  }
}

TEST_CASE("figures: the data are the plot's points, with as many fields as titles") {
  const std::string csv = files().at("rmse.csv");
  std::size_t best = 0, commas = 0;
  for (std::size_t at = 0; at < csv.size(); at = csv.find('\n', at) + 1) {
    const std::string line = csv.substr(at, csv.find('\n', at) - at);
    const auto here = static_cast<std::size_t>(std::count(line.begin(), line.end(), ','));
    if (commas > 0 && line.find('"') == std::string::npos) CHECK(here == commas);
    if (commas == 0) commas = here;
    best += line.find(",1,") != std::string::npos ? 1 : 0;
  }
  // Three solvers at five counts, four plans, two adaptive rows.
  CHECK(best == 21);
}

TEST_CASE("figures: a PDF's table of objects, lengths and text are right") {
  const std::string pdf = files().at("fd.pdf");
  CHECK(pdf.starts_with("%PDF-1.4\n"));
  CHECK(pdf.ends_with("%%EOF\n"));
  const std::size_t start = std::stoul(pdf.substr(pdf.rfind("startxref\n") + 10));
  REQUIRE(pdf.substr(start, 5) == "xref\n");
  for (int object = 1; object <= 6; ++object) {
    const std::size_t entry = pdf.find('\n', start + 5) + 1 + 20U * static_cast<std::size_t>(object);
    CHECK(pdf.substr(entry + 10, 10) == " 00000 n \n");
    CHECK(pdf.substr(std::stoul(pdf.substr(entry, 10)), 8).starts_with(fmt::format("{} 0 obj", object)));
  }
  const std::size_t length = std::stoul(pdf.substr(pdf.find("/Length ") + 8)), begin = pdf.find("stream\n") + 7;
  CHECK(pdf.substr(begin + length, 9) == "endstream");
  CHECK_THAT(pdf,
             contains("(fitted plan) Tj") && contains("(Fr\\351chet distance) Tj") && contains("/MediaBox [0 0 238 "));
}

TEST_CASE("figures: text in PDF is as wide as Helvetica, and what the font lacks is spelt") {
  CHECK(helvetica_width("Hello, W") == Approx(0.001 * (722 + 556 + 222 + 222 + 556 + 278 + 278 + 944)));
  CHECK(helvetica_width("10⁻⁵") == Approx(0.001 * (556 + 556 + 0.7 * (556 + 556))));
  Pdf pdf(100, 50, 1.0, "σ (a) \\");
  pdf.text(10, 20, "10⁻⁵ · (σ) 猫", "tick");
  const std::string bytes = pdf.str();
  CHECK_THAT(bytes, contains("(10) Tj") && contains("(\\2265) Tj") && contains("( \\267 \\(sigma\\) ?) Tj"));
  CHECK_THAT(bytes, contains("/Title (sigma \\(a\\) \\\\)"));
}
