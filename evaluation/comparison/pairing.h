// The figures behind a comparison: every row of a pool on the seeds that are common.
#pragma once

#include "evaluation/comparison/paired_table.h"
#include "evaluation/comparison/row_choice.h"

#include <string>
#include <vector>

namespace stride {

struct Pairing {
  PairedTable table;                       ///< its rows in the order of `rows`
  std::vector<const SamplerResult*> rows;  ///< those of the chosen parts that have the metric
  std::vector<int64_t> not_finite;         ///< of each row
  std::vector<int64_t> seeds;              ///< the common ones
  bool by_seed = true;                     ///< false: units are blocks of seeds
  [[nodiscard]] std::size_t place(const SamplerResult* row) const;
};

/// All rows of the parts that `chosen` rows are of (others may be on an opponent's curve), paired. Throws UsageError as
/// compare_rows.
[[nodiscard]] Pairing pair_rows(const RowPool& pool, const std::vector<std::size_t>& chosen, const std::string& metric);

}  // namespace stride
