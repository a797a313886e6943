// Aligned columns for people.
#pragma once

#include <string>
#include <vector>

namespace stride {

class TextTable final {
 public:
  enum class Align { left, right };
  struct Column {
    std::string title;
    Align align = Align::left;
    bool detail = false;  ///< left out of text(width) unless details are asked for
  };
  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// Throws std::logic_error when the number of cells is not that of the columns.
  void add(std::vector<std::string> cells);
  /// Titles, a rule, the rows; two spaces between columns; UTF-8 counted by code point.
  [[nodiscard]] std::string text() const;
  /// The same in at most `width` columns: the widest columns wrap within theirs.
  [[nodiscard]] std::string text(std::size_t width, bool details) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// `text` in lines of at most `width` code points, broken at spaces where there are any; at least one line.
[[nodiscard]] std::vector<std::string> wrapped(const std::string& text, std::size_t width);

}  // namespace stride
