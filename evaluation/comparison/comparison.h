// Rows compared with a baseline on the same seeds: differences, tests, and what they are worth in evaluations.
#pragma once

#include "datasets/metrics/crossed_interval.h"
#include "datasets/metrics/paired_tests.h"
#include "evaluation/comparison/row_choice.h"

#include <optional>
#include <string>
#include <vector>

namespace stride {

struct ComparisonSettings {
  std::string metric = "rmse";
  int64_t blocks = 0;           ///< of seeds, behind the jackknife; 0: as many as the first run has
  int64_t resamples = 9999;     ///< of the bootstrap, and random ways of swapping in the permutation test
  uint64_t seed = 0;            ///< of both
  bool training_seeds = false;  ///< rows that differ in the file of their plan or policy alone are one recipe
};

/// A row, or several trainings of one recipe.
struct ComparedRow {
  std::vector<SamplerResult> members;  ///< without pictures, paths and values by seed
  std::string label;                   ///< full_label with the NFE, without the file for a recipe
  double nfe = 0;                      ///< on the common seeds, mean over the members
  double error = 0;                    ///< of the metric, likewise
  int64_t not_finite = 0;              ///< common seeds without a finite error
};

/// Evaluations that a row saves at equal error: those that its opponent's curve needs for it, less its own.
struct SavedEvaluations {
  double value = 0, low = 0, high = 0;
  int beyond = 0;          ///< 1: the curve does not come down so far, and `value` is at least that; −1: at most that
  bool low_open = false;   ///< the interval's end is where the curve's runs end: it lies there or below
  bool high_open = false;  ///< there or above
};

struct RowComparison {
  ComparedRow row;
  ComparedRow opponent;                       ///< the best of `opponents`
  std::vector<ComparedRow> opponents;         ///< what it was chosen from, on these seeds
  Estimate difference, difference_bootstrap;  ///< of the metric, row − opponent: jackknife, and bootstrap (BCa)
  Estimate change, change_bootstrap;          ///< row/opponent − 1
  int64_t better = 0, worse = 0, ties = 0;    ///< units
  double sign_p = 1, sign_holm = 1;
  PermutationTest permutation;
  double permutation_holm = 1;
  std::optional<SavedEvaluations> saved;
  std::string no_saving;                   ///< why there is none
  std::optional<CrossedInterval> trained;  ///< of `change`, where a side is a recipe of several trainings
};

struct Comparison {
  ComparisonSettings settings;  ///< with the number of blocks that was used
  std::string model, model_sha256;
  SamplerResult teacher;                              ///< without pictures
  std::string seeds;                                  ///< the common ones
  int64_t n = 0;                                      ///< how many
  std::vector<std::pair<std::string, int64_t>> runs;  ///< name, and seeds that it has
  bool by_seed = true;                                ///< units are seeds; false: blocks of seeds
  int64_t units = 0;
  int64_t bootstrap_blocks = 0, permutation_blocks = 0;
  std::vector<RowComparison> rows;
  std::vector<std::string> notes;  ///< what a reader should know, a sentence each
};

/// Everything is computed on the seeds that all chosen rows have in common. The root mean square error is paired seed
/// by seed where every run holds what each seed came to; other metrics, and runs of earlier versions, by their blocks,
/// which then must be the same. An opponent that is the best of several is chosen again in each resample. Throws
/// UsageError where there is no common seed, where a metric is not there, and where rows cannot be paired as asked.
[[nodiscard]] Comparison compare_rows(const RowPool& pool, const RowChoice& choice, const ComparisonSettings& settings);

}  // namespace stride
