#include "evaluation/report/html.h"

#include "framework/error.h"

#include <cstdint>

#include <fmt/format.h>

namespace stride {
namespace {

const std::string kPngSignature = "\x89PNG\r\n\x1a\n";

void require_png(const std::string& png, const std::string& where) {
  if (png.size() >= 24 && png.compare(0, 8, kPngSignature) == 0 && png.compare(12, 4, "IHDR") == 0) return;
  throw InputError(fmt::format("{}: not a PNG image; run the evaluation again", where));
}

std::string class_text(const std::string& css_class) {
  return css_class.empty() ? std::string() : fmt::format(" class=\"{}\"", escape_xml(css_class));
}

}  // namespace

std::string base64(const std::string& bytes) {
  static const char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k)
      group = group << 8U | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) out += i + k <= bytes.size() ? kAlphabet[group >> (18U - 6U * k) & 63U] : '=';
  }
  return out;
}

std::string png_data_uri(const std::string& png, const std::string& where) {
  require_png(png, where);
  return "data:image/png;base64," + base64(png);
}

std::pair<int64_t, int64_t> png_size(const std::string& png, const std::string& where) {
  require_png(png, where);
  const auto number = [&](std::size_t at) {
    int64_t out = 0;
    for (std::size_t i = at; i < at + 4; ++i) out = out << 8 | static_cast<unsigned char>(png[i]);
    return out;
  };
  return {number(16), number(20)};
}

std::string element(const std::string& tag, const std::string& text, const std::string& css_class) {
  return fmt::format("<{0}{1}>{2}</{0}>", tag, class_text(css_class), escape_xml(text));
}

std::string with_code(const std::string& text) {
  std::string out;
  std::size_t at = 0;
  for (;;) {
    const std::size_t open = text.find('`', at);
    const std::size_t close = open == std::string::npos ? open : text.find('`', open + 1);
    if (close == std::string::npos) return out + escape_xml(text.substr(at));
    out += escape_xml(text.substr(at, open - at)) + element("code", text.substr(open + 1, close - open - 1));
    at = close + 1;
  }
}

std::string fact_list(const std::vector<std::pair<std::string, std::string>>& facts) {
  std::string out = "<dl class=\"facts\">";
  for (const auto& [name, value] : facts) out += element("dt", name) + element("dd", value);
  return out + "</dl>\n";
}

std::string html_table(const std::vector<HtmlColumn>& columns, const std::vector<std::vector<HtmlCell>>& rows,
                       const std::string& css_class) {
  std::string out = fmt::format("<div class=\"scroll\"><table{}><thead><tr>", class_text(css_class));
  for (const HtmlColumn& column : columns) {
    const std::string hint = column.hint.empty() ? "" : fmt::format(" title=\"{}\"", escape_xml(column.hint));
    out += fmt::format("<th scope=\"col\"{}{}>{}</th>", class_text(column.css_class), hint, escape_xml(column.title));
  }
  out += "</tr></thead><tbody>\n";
  for (const auto& row : rows) {
    out += "<tr>";
    if (row.size() == 1) {
      out += fmt::format("<th scope=\"rowgroup\" class=\"span\" colspan=\"{}\">{}</th>", columns.size(), row[0].html);
    } else {
      for (std::size_t i = 0; i < row.size(); ++i) {
        std::string classes = i < columns.size() ? columns[i].css_class : std::string();
        if (!row[i].css_class.empty()) classes += (classes.empty() ? "" : " ") + row[i].css_class;
        out += fmt::format("<td{}>{}</td>", class_text(classes), row[i].html);
      }
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

}  // namespace stride
