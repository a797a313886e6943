#include "evaluation/text_table.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace stride {
namespace {

constexpr std::size_t kGap = 2;    // between columns
constexpr std::size_t kLeast = 6;  // of a column that wraps

std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

// Bytes of the first `count` code points.
std::size_t bytes_of(const std::string& text, std::size_t count) {
  std::size_t at = 0;
  for (; at < text.size(); ++at)
    if ((text[at] & 0xc0) != 0x80 && count-- == 0) break;
  return at;
}

}  // namespace

void TextTable::add(std::vector<std::string> cells) {
  if (cells.size() != columns_.size()) throw std::logic_error("a table row has the wrong number of cells");
  rows_.push_back(std::move(cells));
}

std::string TextTable::text() const { return text(std::numeric_limits<std::size_t>::max(), true); }

std::string TextTable::text(std::size_t width, bool details) const {
  std::vector<std::size_t> shown, widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    if (columns_[c].detail && !details) continue;
    std::size_t widest = width_of(columns_[c].title);
    for (const auto& row : rows_) widest = std::max(widest, width_of(row[c]));
    shown.push_back(c);
    widths.push_back(widest);
  }
  const auto total = [&] {
    return std::accumulate(widths.begin(), widths.end(), shown.empty() ? 0 : kGap * (shown.size() - 1));
  };
  while (total() > width) {
    const auto widest = std::max_element(widths.begin(), widths.end());
    if (widest == widths.end() || *widest <= kLeast) break;
    --*widest;
  }
  const auto lines = [&](const std::vector<std::string>& cells) {
    std::vector<std::vector<std::string>> parts;
    std::size_t height = 1;
    for (std::size_t i = 0; i < shown.size(); ++i) {
      parts.push_back(wrapped(cells[shown[i]], widths[i]));
      height = std::max(height, parts.back().size());
    }
    std::string out;
    for (std::size_t line = 0; line < height; ++line) {
      std::string text;
      for (std::size_t i = 0; i < shown.size(); ++i) {
        const std::string cell = line < parts[i].size() ? parts[i][line] : "";
        const std::string pad(widths[i] - width_of(cell), ' ');
        if (i > 0) text += std::string(kGap, ' ');
        text += columns_[shown[i]].align == Align::right ? pad + cell : cell + pad;
      }
      text.erase(text.find_last_not_of(' ') + 1);
      out += text + "\n";
    }
    return out;
  };
  std::vector<std::string> titles;
  for (const Column& column : columns_) titles.push_back(column.title);
  std::string out = lines(titles) + std::string(total(), '-') + "\n";
  for (const auto& row : rows_) out += lines(row);
  return out;
}

std::vector<std::string> wrapped(const std::string& text, std::size_t width) {
  if (width_of(text) <= width) return {text};
  std::vector<std::string> lines;
  std::string line;
  const auto flush = [&] {
    lines.push_back(line);
    line.clear();
  };
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    std::string word = text.substr(begin, end - begin);
    if (!line.empty() && width_of(line) + 1 + width_of(word) > width) flush();
    for (; width_of(word) > width && width > 0; word.erase(0, line.size()), flush()) {
      line = word.substr(0, bytes_of(word, width));
      if (const std::size_t comma = line.rfind(','); comma != std::string::npos) line.resize(comma + 1);
    }
    line += (line.empty() ? "" : " ") + word;
    begin = end + 1;
  }
  flush();
  return lines;
}

}  // namespace stride
