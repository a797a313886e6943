#include "evaluation/report/figure_look.h"

#include <array>

#include <fmt/format.h>

namespace stride {
namespace {

// As the page has them on white paper (report_style.cpp).
constexpr std::array<const char*, 8> kColours = {"#cf4f00", "#0068a8", "#00855f", "#a13f83",
                                                 "#8a6400", "#3f7fa6", "#565d68", "#7a4fc9"};
constexpr const char* kInk = "#1c1f25";
constexpr const char* kSoft = "#555c66";

struct Rule {
  const char* css_class;
  Look look;  ///< "c" as a colour is the series'
};

const std::vector<Rule>& rules() {
  static const std::vector<Rule> all = {{"grid", {"#d9d9d6", "", 0.6}},
                                        {"grid minor", {"#ececea", "", 0.5}},
                                        {"rule", {kSoft, "", 0.8}},
                                        {"reference", {kSoft, "", 0.8, 1.0, 12.0, true}},
                                        {"line", {"c", "", 1.6}},
                                        {"bar", {"c", "", 1.1, 0.75}},
                                        {"reach", {"c", "", 1.0, 1.0, 12.0, true}},
                                        {"mark", {"#ffffff", "c", 0.8}},
                                        {"faint", {"", "c", 0.0, 0.32}},
                                        {"tick", {"", kSoft, 0.0, 1.0, 11.0}},
                                        {"axis-label", {"", kInk, 0.0}},
                                        {"reference-label", {"", kSoft, 0.0, 1.0, 11.0}},
                                        {"legend", {"", kInk, 0.0, 1.0, 11.0}}};
  return all;
}

bool has_word(const std::string& words, const std::string& word) {
  return (" " + words + " ").find(" " + word + " ") != std::string::npos;
}

std::string css(const std::string& selector, const Look& look, const std::string& colour) {
  const auto own = [&](const std::string& name) { return name == "c" ? colour : name; };
  std::string out = selector + "{";
  if (look.stroke.empty() && look.size > 0.0 && look.width == 0.0 && look.opacity == 1.0)
    out += fmt::format("font-size:{}px;", look.size);
  out += "fill:" + (look.fill.empty() ? std::string("none") : own(look.fill)) + ";";
  if (!look.stroke.empty()) out += fmt::format("stroke:{};stroke-width:{};", own(look.stroke), look.width);
  if (look.dashed) out += "stroke-dasharray:3 2;";
  if (look.opacity != 1.0) out += fmt::format("opacity:{};", look.opacity);
  return out + "}\n";
}

}  // namespace

Look look_of(const std::vector<std::string>& groups, const std::string& css_class) {
  Look out = {kInk, kInk, 1.0};
  for (const Rule& rule : rules())
    if (css_class == rule.css_class) out = rule.look;
  std::string colour = kInk;
  bool strong = false;
  for (const std::string& group : groups) {
    for (std::size_t i = 0; i < kColours.size(); ++i)
      if (has_word(group, fmt::format("c{}", i))) colour = kColours[i];
    strong = strong || has_word(group, "strong");
  }
  for (std::string* one : {&out.stroke, &out.fill})
    if (*one == "c") *one = colour;
  if (strong && css_class == "line") out.width *= 1.6;
  return out;
}

std::string figure_style() {
  std::string out = "text{font-family:Helvetica,Arial,sans-serif}\n";
  for (const Rule& rule : rules()) {
    const std::string selector = std::string(".") + rule.css_class;
    const std::string dotted = selector == ".grid minor" ? ".grid.minor" : selector;
    if (rule.look.stroke != "c" && rule.look.fill != "c") {
      out += css(dotted, rule.look, "");
      continue;
    }
    for (std::size_t i = 0; i < kColours.size(); ++i)
      out += css(fmt::format(".c{} {}", i, dotted), rule.look, kColours[i]);
  }
  return out + ".strong .line{stroke-width:2.6}\n";
}

}  // namespace stride
