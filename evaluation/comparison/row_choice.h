// Which rows of which runs are compared: "RUN", "RUN:3", "RUN:ipndm karras".
#pragma once

#include "evaluation/evaluation_result.h"

#include <string>
#include <vector>

namespace stride {

/// Rows of several runs whose samples of one seed are pairs.
struct RowPool {
  EvaluationResult rows;                          ///< of all runs, each with its part
  std::vector<std::vector<int64_t>> seeds;        ///< of each part
  std::vector<std::vector<int64_t>> block_sizes;  ///< of each part
  std::vector<std::string> apart;  ///< of each part: why its rows share no block metrics with the first's
};

/// Places in RowPool::rows.samplers.
struct RowChoice {
  std::vector<std::size_t> baseline;
  std::vector<std::size_t> rows;
  bool one_baseline = true;  ///< false: several were named, and each row is compared with the best of its NFE
};

/// "RUN" or "RUN:ROW"; a folder whose name has a colon is taken whole.
struct RowWord {
  std::string folder, row;
};
[[nodiscard]] RowWord split_row_word(const std::string& word);

/// Loads the folders of `words`, each once. Throws InputError as load_evaluation, and UsageError, saying what differs,
/// where samples of two of them are no pairs.
[[nodiscard]] RowPool load_rows(const std::vector<std::string>& words);
/// The pool of one evaluation (of one or several runs with the same seeds).
[[nodiscard]] RowPool pool_of(const EvaluationResult& result);

/// The rows that `words` name, in their order, none twice. A row is its number in its run, from 1, or words of its
/// label: all rows with these words, or, where the text is a label as it stands, that row. The baseline is what
/// `against` names, with or without a run (empty: the first row named, or all rows of the first word where that names a
/// ROW). Throws UsageError, listing the rows there are, where a word names none, and where nothing is left to compare.
[[nodiscard]] RowChoice choose_rows(const RowPool& pool, const std::vector<std::string>& words,
                                    const std::string& against);

/// "ipndm · karras · zero @ 5": the label with its evaluations.
[[nodiscard]] std::string row_label(const SamplerResult& row);

}  // namespace stride
