#include "evaluation/comparison/row_choice.h"

#include "evaluation/joined_results.h"
#include "evaluation/labels.h"
#include "evaluation/number_text.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "pipeline/seeds.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace stride {
namespace {

constexpr std::size_t kShown = 40;  // rows in a message

// In lower case, with blanks for the signs between a label's parts.
std::set<std::string> words_of(const std::string& text) {
  std::set<std::string> out;
  std::string word;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const bool dot = text.compare(i, 2, "·") == 0;
    const bool gap = i == text.size() || dot || std::string(" ()@").find(text[i]) != std::string::npos;
    if (!gap) {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(text[i])));
      continue;
    }
    if (!word.empty()) out.insert(word);
    word.clear();
    if (dot) ++i;
  }
  return out;
}

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

std::vector<std::size_t> rows_of_part(const RowPool& pool, std::size_t part) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < pool.rows.samplers.size(); ++i)
    if (pool.rows.samplers[i].part == part) out.push_back(i);
  return out;
}

std::string list_text(const RowPool& pool, const std::vector<std::size_t>& rows) {
  std::string out;
  for (std::size_t i = 0; i < rows.size() && i < kShown; ++i)
    out += fmt::format("\n  {:3}  {}", i + 1, row_label(pool.rows.samplers[rows[i]]));
  if (rows.size() > kShown) out += fmt::format("\n  … and {} more", rows.size() - kShown);
  return out;
}

// Those of `rows` that `text` names.
std::vector<std::size_t> named_rows(const RowPool& pool, const std::vector<std::size_t>& rows, const std::string& text,
                                    const std::string& where) {
  if (text.empty()) return rows;
  if (is_number(text)) {
    const std::size_t number = text.size() > 9 ? 0 : std::stoul(text);
    if (number >= 1 && number <= rows.size()) return {rows[number - 1]};
    throw UsageError(fmt::format("{}: there is no row {}; the rows are{}", where, text, list_text(pool, rows)));
  }
  const std::set<std::string> wanted = words_of(text);
  std::vector<std::size_t> exact, with_words;
  for (const std::size_t row : rows) {
    const SamplerResult& sampler = pool.rows.samplers[row];
    if (text == row_label(sampler) || words_of(row_label(sampler)) == wanted) exact.push_back(row);
    const std::set<std::string> there = words_of(row_label(sampler));
    if (std::includes(there.begin(), there.end(), wanted.begin(), wanted.end())) with_words.push_back(row);
  }
  if (!exact.empty()) return exact;
  if (!with_words.empty() && !wanted.empty()) return with_words;
  throw UsageError(fmt::format("{}: no row has the words '{}'; the rows are{}", where, text, list_text(pool, rows)));
}

std::vector<std::string> folders_of(const std::vector<std::string>& words) {
  std::vector<std::string> out;
  for (const std::string& word : words) {
    const std::string folder = split_row_word(word).folder;
    if (std::find(out.begin(), out.end(), folder) == out.end()) out.push_back(folder);
  }
  return out;
}

std::vector<std::size_t> rows_of_word(const RowPool& pool, const std::vector<std::string>& folders,
                                      const std::string& word) {
  const RowWord parts = split_row_word(word);
  const auto at = std::find(folders.begin(), folders.end(), parts.folder);
  if (at == folders.end()) throw UsageError(fmt::format("{}: name the run among those that are compared", word));
  return named_rows(pool, rows_of_part(pool, static_cast<std::size_t>(at - folders.begin())), parts.row, word);
}

std::vector<std::size_t> baseline_of(const RowPool& pool, const std::vector<std::string>& folders,
                                     const std::string& against) {
  const RowWord parts = split_row_word(against);
  if (std::find(folders.begin(), folders.end(), parts.folder) != folders.end())
    return rows_of_word(pool, folders, against);
  if (is_number(against) && folders.size() > 1)
    throw UsageError(fmt::format("the baseline {}: several runs are compared; write RUN:{} to say whose row it is",
                                 against, against));
  std::vector<std::size_t> all(pool.rows.samplers.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  return named_rows(pool, all, against, "the baseline");
}

}  // namespace

RowWord split_row_word(const std::string& word) {
  const std::size_t colon = word.find(':');
  if (colon == std::string::npos || file_exists(word)) return {word, ""};
  // A folder's own colons: the longest beginning that is there.
  for (std::size_t at = word.rfind(':'); at != std::string::npos && at > 0; at = word.rfind(':', at - 1))
    if (file_exists(word.substr(0, at))) return {word.substr(0, at), word.substr(at + 1)};
  return {word.substr(0, colon), word.substr(colon + 1)};
}

RowPool pool_of(const EvaluationResult& result) {
  const std::size_t parts = std::max<std::size_t>(result.parts.size(), 1);
  RowPool out;
  out.rows = result;
  out.seeds.assign(parts, parse_seeds(result.seeds));
  out.block_sizes.assign(parts, result.block_sizes);
  out.apart.assign(parts, "");
  return out;
}

RowPool load_rows(const std::vector<std::string>& words) {
  const std::vector<std::string> folders = folders_of(words);
  RowPool out;
  for (const std::string& folder : folders) {
    EvaluationResult result = load_evaluation(folder);
    out.seeds.push_back(parse_seeds(result.seeds));
    out.block_sizes.push_back(result.block_sizes);
    if (out.seeds.size() == 1) {
      out.apart.emplace_back();
      out.rows = std::move(result);
      continue;
    }
    if (const std::string why = why_unpaired(out.rows, result); !why.empty())
      throw UsageError(
          fmt::format("{} and {} hold no pairs: {}; compare runs of one model, teacher, class and guidance",
                      folders.front(), folder, why));
    out.apart.push_back(why_apart(out.rows, result));
    join_results(out.rows, std::move(result), folders.front(), folder);
  }
  return out;
}

RowChoice choose_rows(const RowPool& pool, const std::vector<std::string>& words, const std::string& against) {
  const std::vector<std::string> folders = folders_of(words);
  std::vector<std::size_t> named, first;
  for (const std::string& word : words) {
    const std::vector<std::size_t> rows = rows_of_word(pool, folders, word);
    if (rows.empty()) throw UsageError(fmt::format("{}: no sampler was finished in this run", word));
    if (first.empty()) first = split_row_word(word).row.empty() ? std::vector{rows.front()} : rows;
    for (const std::size_t row : rows)
      if (std::find(named.begin(), named.end(), row) == named.end()) named.push_back(row);
  }
  RowChoice out;
  out.baseline = against.empty() ? first : baseline_of(pool, folders, against);
  out.one_baseline = out.baseline.size() == 1;
  std::copy_if(named.begin(), named.end(), std::back_inserter(out.rows), [&](std::size_t row) {
    return std::find(out.baseline.begin(), out.baseline.end(), row) == out.baseline.end();
  });
  if (out.rows.empty())
    throw UsageError(
        fmt::format("nothing is left to compare with {}; name more rows, as RUN:ROW",
                    out.one_baseline ? row_label(pool.rows.samplers[out.baseline.front()]) : "the baseline's rows"));
  return out;
}

std::string row_label(const SamplerResult& row) {
  return fmt::format("{} @ {}", full_label(row), nfe_text(row.cost.nfe_mean));
}

}  // namespace stride
