#include "evaluation/report/pdf.h"

#include "evaluation/report/figure_look.h"
#include "evaluation/report/svg.h"

#include <array>
#include <cmath>

#include <fmt/format.h>

namespace stride {
namespace {

// Adobe's metrics of Helvetica, from the blank to the tilde, in thousandths.
constexpr std::array<int, 95> kWidths = {
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333,  278, 278, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667,
    611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667,  611, 722, 667, 944, 667,
    667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278,  556, 556, 222, 222, 500,
    222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500,  500, 334, 260, 334, 584};
constexpr double kRaised = 0.7;  // of the size

// A stretch of text in WinAnsiEncoding on one height.
struct Run {
  std::string bytes;
  bool raised = false;
};

struct Sign {
  const char* utf8;
  const char* bytes;
  bool raised = false;
};

const std::vector<Sign>& signs() {
  static const std::vector<Sign> all = {
      {"·", "\xb7"},    {"×", "\xd7"},    {"−", "\x96"},    {"–", "\x96"},    {"é", "\xe9"},       {"ö", "\xf6"},
      {"ü", "\xfc"},    {"ä", "\xe4"},    {"±", "\xb1"},    {"µ", "\xb5"},    {"…", "\x85"},       {"σ", "sigma"},
      {"∞", "inf"},     {"≤", "<="},      {"≥", ">="},      {"≈", "~"},       {"⁻", "\x96", true}, {"⁰", "0", true},
      {"¹", "1", true}, {"²", "2", true}, {"³", "3", true}, {"⁴", "4", true}, {"⁵", "5", true},    {"⁶", "6", true},
      {"⁷", "7", true}, {"⁸", "8", true}, {"⁹", "9", true}};
  return all;
}

std::vector<Run> runs_of(const std::string& text) {
  std::vector<Run> out = {{}};
  const auto add = [&](const std::string& bytes, bool raised) {
    if (out.back().raised != raised) out.push_back({"", raised});
    out.back().bytes += bytes;
  };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned char c = static_cast<unsigned char>(text[i]);
    if (c < 0x80) {
      add(c < 0x20 ? " " : std::string(1, text[i]), false);
      ++i;
      continue;
    }
    std::size_t end = i + 1;
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) ++end;
    const std::string one = text.substr(i, end - i);
    const Sign* found = nullptr;
    for (const Sign& sign : signs())
      if (one == sign.utf8) found = &sign;
    found == nullptr ? add("?", false) : add(found->bytes, found->raised);
    i = end;
  }
  return out;
}

double width_of(const Run& run) {
  double sum = 0.0;
  for (const char c : run.bytes) {
    const auto place = static_cast<unsigned char>(c);
    sum += place >= 32 && place < 127 ? kWidths[place - 32] : 556;
  }
  return sum / 1000.0 * (run.raised ? kRaised : 1.0);
}

std::string literal(const std::string& bytes) {
  std::string out = "(";
  for (const char c : bytes) {
    const auto place = static_cast<unsigned char>(c);
    if (c == '(' || c == ')' || c == '\\')
      out += std::string("\\") + c;
    else
      out += place < 32 || place > 126 ? fmt::format("\\{:03o}", place) : std::string(1, c);
  }
  return out + ")";
}

// "#rrggbb" on white paper under an opacity, as three numbers from 0 to 1.
std::string colour(const std::string& hex, double opacity) {
  std::string out;
  for (const std::size_t at : {1, 3, 5}) {
    const double value = static_cast<double>(std::stoi(hex.substr(at, 2), nullptr, 16)) / 255.0;
    out += fmt::format("{:.3f} ", 1.0 - opacity * (1.0 - value));
  }
  return out;
}

std::string number(double value) { return coordinate(value); }

}  // namespace

double helvetica_width(const std::string& text) {
  double sum = 0.0;
  for (const Run& run : runs_of(text)) sum += width_of(run);
  return sum;
}

Pdf::Pdf(double width, double height, double scale, const std::string& title)
    : width_(width), height_(height), scale_(scale), title_(title) {
  // The drawing's y points down, the page's up.
  content_ = fmt::format("{:.4f} 0 0 {:.4f} 0 {} cm\n1 J 1 j\n", scale, -scale, number(height * scale));
}

void Pdf::open_group(const std::string& css_class) { groups_.push_back(css_class); }

void Pdf::close_group() {
  if (!groups_.empty()) groups_.pop_back();
}

void Pdf::path(const std::vector<std::pair<double, double>>& points, bool closed) {
  for (std::size_t i = 0; i < points.size(); ++i)
    content_ += fmt::format("{} {} {} ", number(points[i].first), number(points[i].second), i == 0 ? "m" : "l");
  if (closed) content_ += "h ";
}

void Pdf::line(double x1, double y1, double x2, double y2, const std::string& css_class) {
  polyline({{x1, y1}, {x2, y2}}, css_class);
}

void Pdf::polyline(const std::vector<std::pair<double, double>>& points, const std::string& css_class) {
  const Look look = look_of(groups_, css_class);
  if (look.stroke.empty() || points.size() < 2) return;
  content_ += colour(look.stroke, look.opacity) +
              fmt::format("RG {} w {} 0 d ", number(look.width), look.dashed ? "[3 2]" : "[]");
  path(points, false);
  content_ += "S\n";
}

void Pdf::marker(Marker marker, double x, double y, double radius, const std::string& css_class, const std::string&) {
  const Look look = look_of(groups_, css_class);
  content_ += colour(look.fill, look.opacity) + "rg ";
  if (!look.stroke.empty())
    content_ += colour(look.stroke, look.opacity) + fmt::format("RG {} w [] 0 d ", number(look.width));
  std::vector<std::pair<double, double>> points;
  for (const auto& [dx, dy] : marker_corners(marker)) points.emplace_back(x + dx * radius, y + dy * radius);
  if (points.empty()) {
    // Four Bézier arcs: the control points lie 4/3·(√2 − 1) of the radius along the tangents.
    const double k = 0.5522847498 * radius;
    content_ += fmt::format("{} {} m ", number(x + radius), number(y));
    const std::array<std::array<double, 6>, 4> arcs = {{{radius, k, k, radius, 0, radius},
                                                        {-k, radius, -radius, k, -radius, 0},
                                                        {-radius, -k, -k, -radius, 0, -radius},
                                                        {k, -radius, radius, -k, radius, 0}}};
    for (const auto& arc : arcs) {
      for (std::size_t i = 0; i < 6; i += 2)
        content_ += fmt::format("{} {} ", number(x + arc[i]), number(y + arc[i + 1]));
      content_ += "c ";
    }
    content_ += "h ";
  } else {
    path(points, true);
  }
  content_ += look.stroke.empty() ? "f\n" : "B\n";
}

void Pdf::text(double x, double y, const std::string& text, const std::string& css_class, const std::string& anchor,
               double turn) {
  const Look look = look_of(groups_, css_class);
  const double shift = anchor == "middle" ? 0.5 : anchor == "end" ? 1.0 : 0.0;
  const double angle = turn * 3.14159265358979323846 / 180.0, c = std::cos(angle), s = std::sin(angle);
  const double back = shift * helvetica_width(text) * look.size;
  // Upright again on a page that is turned over.
  content_ += colour(look.fill, look.opacity) + fmt::format("rg BT {:.4f} {:.4f} {:.4f} {:.4f} {} {} Tm ", c, s, s, -c,
                                                            number(x - c * back), number(y - s * back));
  for (const Run& run : runs_of(text))
    content_ += fmt::format("/F1 {} Tf {} Ts {} Tj ", number(look.size * (run.raised ? kRaised : 1.0)),
                            number(run.raised ? 0.35 * look.size : 0.0), literal(run.bytes));
  content_ += "ET\n";
}

std::string Pdf::str() const {
  std::string title;
  for (const Run& run : runs_of(title_)) title += run.bytes;
  const std::vector<std::string> objects = {
      "<< /Type /Catalog /Pages 2 0 R >>",
      "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
      fmt::format("<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {} {}] /Contents 4 0 R /Resources << /Font << /F1 5 0 R "
                  ">> >> >>",
                  number(width_ * scale_), number(height_ * scale_)),
      fmt::format("<< /Length {} >>\nstream\n{}endstream", content_.size(), content_),
      "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
      fmt::format("<< /Title {} /Producer (Stride) >>", literal(title))};
  std::string out = "%PDF-1.4\n%\xe2\xe3\xcf\xd3\n";
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < objects.size(); ++i) {
    places.push_back(out.size());
    out += fmt::format("{} 0 obj\n{}\nendobj\n", i + 1, objects[i]);
  }
  const std::size_t table = out.size();
  out += fmt::format("xref\n0 {}\n0000000000 65535 f \n", objects.size() + 1);
  for (const std::size_t place : places) out += fmt::format("{:010} 00000 n \n", place);
  return out + fmt::format("trailer\n<< /Size {} /Root 1 0 R /Info 6 0 R >>\nstartxref\n{}\n%%EOF\n",
                           objects.size() + 1, table);
}

}  // namespace stride
