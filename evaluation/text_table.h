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
  };
  explicit TextTable(std::vector<Column> columns) : columns_(std::move(columns)) {}

  /// Throws std::logic_error when the number of cells is not that of the columns.
  void add(std::vector<std::string> cells);
  /// Titles, a rule, the rows; two spaces between columns; UTF-8 counted by code point.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace stride
