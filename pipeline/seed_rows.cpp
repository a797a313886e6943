#include "pipeline/seed_rows.h"

#include "datasets/files/samples_file.h"
#include "framework/error.h"

#include <ATen/ATen.h>

#include <fmt/format.h>

#include <optional>
#include <unordered_map>

namespace stride {
namespace {

// Undefined where the file has none.
Tensor seeds_in(const std::string& path) {
  try {
    return read_dataset(path, "seed");
  } catch (const InputError&) {
    return {};
  }
}

}  // namespace

Tensor rows_of_seeds(const Tensor& values, const std::string& path, const std::vector<int64_t>& seeds) {
  const Tensor known = seeds_in(path);
  if (!known.defined() || known.scalar_type() != at::kLong || known.dim() != 1 || values.dim() < 1 ||
      known.size(0) != values.size(0))
    return values;
  std::unordered_map<int64_t, int64_t> place;
  const auto* ids = known.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < known.size(0); ++i) place.emplace(ids[i], i);
  std::vector<int64_t> rows;
  std::optional<int64_t> missing;
  for (const int64_t seed : seeds) {
    const auto found = place.find(seed);
    found == place.end() ? void(missing = seed) : rows.push_back(found->second);
  }
  if (missing && !rows.empty())
    throw UsageError(
        fmt::format("{}: has a row for some of the seeds, not for seed {}; ask for seeds that are all in "
                    "its /seed, or for none of them, which takes the rows in their order",
                    path, *missing));
  if (missing) return values;
  return values.index_select(0, at::tensor(rows, at::TensorOptions().dtype(at::kLong)));
}

}  // namespace stride
