#include "evaluation/experiment/pivot.h"

#include "evaluation/comparison/comparison_files.h"
#include "evaluation/csv_text.h"
#include "evaluation/number_text.h"
#include "framework/error.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace stride {
namespace {

template <class T>
std::size_t place_of(std::vector<T>& all, const T& one) {
  const auto found = std::find(all.begin(), all.end(), one);
  if (found != all.end()) return static_cast<std::size_t>(found - all.begin());
  all.push_back(one);
  return all.size() - 1;
}

// The fields across, numbers ascending.
std::vector<std::string> across(const std::vector<ResultRow>& rows, const std::string& field) {
  std::vector<std::string> out;
  if (field.empty()) return {""};
  for (const ResultRow& row : rows) (void)place_of(out, field_of(row, field));
  if (std::all_of(out.begin(), out.end(), [](const std::string& text) { return as_number(text).has_value(); }))
    std::stable_sort(out.begin(), out.end(),
                     [](const auto& a, const auto& b) { return *as_number(a) < *as_number(b); });
  return out;
}

void require_known(const std::vector<ResultRow>& rows, const ExperimentTable& table) {
  for (const std::string& value : table.values) {
    std::set<std::string> names;
    for (const ResultRow& row : rows)
      for (const auto& [name, one] : row.numbers) names.insert(name);
    if (!names.contains(value))
      throw UsageError(fmt::format("table {}: no result of stage {} has the number '{}'; there are {}", table.name,
                                   table.from, value, fmt::join(names, ", ")));
  }
}

std::string in_words(const PivotCell& cell, int digits, const char* dash) {
  if (cell.count == 0) return dash;
  std::string out = number_text(cell.estimate.value, digits);
  if (!std::isnan(cell.estimate.low))
    out += fmt::format(" ({}, {})", number_text(cell.estimate.low, digits), number_text(cell.estimate.high, digits));
  return out;
}

std::string note(const Pivot& pivot) {
  std::size_t most = 0;
  for (const auto& row : pivot.cells)
    for (const PivotCell& cell : row) most = std::max(most, cell.count);
  return most > 1
             ? fmt::format(
                   "Means of up to {} runs, with Student's 95 % intervals over them; of one run, over blocks of seeds.",
                   most)
             : "In brackets 95 % intervals over blocks of seeds.";
}

}  // namespace

Pivot pivot(const std::vector<ResultRow>& all, const ExperimentTable& table) {
  const std::vector<ResultRow> rows = rows_with(all, table.only);
  if (rows.empty()) throw UsageError(fmt::format("table {}: no result of stage {} is left", table.name, table.from));
  require_known(rows, table);
  Pivot out{table.rows, {}, {}, {}, table.columns};
  const std::vector<std::string> fields = across(rows, table.columns);
  for (const std::string& field : fields) {
    for (const std::string& value : table.values) {
      const bool plain = table.values.size() == 1 && !field.empty();
      out.columns.push_back(plain ? field : field.empty() ? value : field + " " + value);
    }
  }
  std::vector<std::vector<std::vector<Estimate>>> found;
  for (const ResultRow& row : rows) {
    std::vector<std::string> label;
    for (const std::string& name : table.rows) label.push_back(field_of(row, name));
    const std::size_t line = place_of(out.labels, label);
    if (line == found.size()) found.emplace_back(out.columns.size());
    const std::string field = table.columns.empty() ? "" : field_of(row, table.columns);
    const auto column = static_cast<std::size_t>(std::find(fields.begin(), fields.end(), field) - fields.begin());
    for (std::size_t i = 0; i < table.values.size(); ++i) {
      if (const auto number = row.numbers.find(table.values[i]); number != row.numbers.end())
        found[line][column * table.values.size() + i].push_back(number->second);
    }
  }
  for (const auto& line : found) {
    std::vector<PivotCell>& cells = out.cells.emplace_back();
    for (const auto& place : line)
      cells.push_back(place.empty() ? PivotCell{} : PivotCell{joined(place), place.size()});
  }
  return out;
}

std::string pivot_markdown(const Pivot& pivot, const ExperimentTable& table) {
  std::string out = table.title.empty() ? "" : fmt::format("**{}**\n\n", table.title);
  out += fmt::format("| {} | {} |\n|", fmt::join(pivot.heads, " | "), fmt::join(pivot.columns, " | "));
  for (std::size_t i = 0; i < pivot.heads.size(); ++i) out += "---|";
  for (std::size_t i = 0; i < pivot.columns.size(); ++i) out += "---:|";
  out += "\n";
  for (std::size_t row = 0; row < pivot.cells.size(); ++row) {
    out += fmt::format("| {} |", fmt::join(pivot.labels[row], " | "));
    for (const PivotCell& cell : pivot.cells[row]) out += fmt::format(" {} |", in_words(cell, table.digits, "–"));
    out += "\n";
  }
  return out +
         fmt::format("\n{}{}\n", pivot.across.empty() ? "" : fmt::format("Columns: {}. ", pivot.across), note(pivot));
}

std::string pivot_latex(const Pivot& pivot, const ExperimentTable& table) {
  std::string out = "\\begin{table}\n\\centering\n\\begin{tabular}{" + std::string(pivot.heads.size(), 'l') +
                    std::string(pivot.columns.size(), 'r') + "}\n\\toprule\n";
  std::vector<std::string> words;
  for (const std::string& head : pivot.heads) words.push_back(escape_latex(head));
  for (const std::string& column : pivot.columns) words.push_back(escape_latex(column));
  out += fmt::format("{} \\\\\n\\midrule\n", fmt::join(words, " & "));
  for (std::size_t row = 0; row < pivot.cells.size(); ++row) {
    words.clear();
    for (const std::string& label : pivot.labels[row]) words.push_back(escape_latex(label));
    for (const PivotCell& cell : pivot.cells[row]) words.push_back(escape_latex(in_words(cell, table.digits, "–")));
    out += fmt::format("{} \\\\\n", fmt::join(words, " & "));
  }
  const std::string title = table.title.empty() ? "" : table.title + ". ";
  return out + fmt::format("\\bottomrule\n\\end{{tabular}}\n\\caption{{{}{}}}\n\\label{{tab:{}}}\n\\end{{table}}\n",
                           escape_latex(title), escape_latex(note(pivot)), table.name);
}

std::string pivot_csv(const Pivot& pivot) {
  std::vector<std::string> heads;
  for (const std::string& head : pivot.heads) heads.push_back(csv_text(head));
  std::string out = fmt::format("{},{},value,low,high,count\n", fmt::join(heads, ","), "column");
  for (std::size_t row = 0; row < pivot.cells.size(); ++row) {
    std::vector<std::string> labels;
    for (const std::string& label : pivot.labels[row]) labels.push_back(csv_text(label));
    for (std::size_t column = 0; column < pivot.columns.size(); ++column) {
      const PivotCell& cell = pivot.cells[row][column];
      if (cell.count == 0) continue;
      const Estimate& one = cell.estimate;
      out += fmt::format("{},{},{},{},{},{}\n", fmt::join(labels, ","), csv_text(pivot.columns[column]),
                         csv_number(one.value), csv_number(one.low), csv_number(one.high), cell.count);
    }
  }
  return out;
}

}  // namespace stride
