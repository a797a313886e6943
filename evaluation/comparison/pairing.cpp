#include "evaluation/comparison/pairing.h"

#include "evaluation/seed_values.h"
#include "framework/error.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <unordered_map>

#include <fmt/format.h>

namespace stride {
namespace {

std::vector<double> doubles(const Tensor& values) {
  const Tensor flat = values.to(at::kDouble).contiguous();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

std::string part_name(const RowPool& pool, std::size_t part) {
  return part < pool.rows.parts.size() ? pool.rows.parts[part].name : "the run";
}

// The seeds of all `parts`, in the order of the first.
std::vector<int64_t> common_seeds(const RowPool& pool, const std::set<std::size_t>& parts) {
  std::vector<int64_t> out = pool.seeds[*parts.begin()];
  for (const std::size_t part : parts) {
    if (pool.seeds[part] == out) continue;
    const std::set<int64_t> there(pool.seeds[part].begin(), pool.seeds[part].end());
    std::erase_if(out, [&](int64_t seed) { return !there.contains(seed); });
  }
  if (out.empty())
    throw UsageError(
        fmt::format("the runs have no seed in common, so that nothing is paired; evaluate {} on seeds of {}",
                    part_name(pool, *parts.rbegin()), part_name(pool, *parts.begin())));
  return out;
}

// Where each of `seeds` stands among those of a part.
Tensor places_of(const std::vector<int64_t>& seeds, const std::vector<int64_t>& all) {
  std::unordered_map<int64_t, int64_t> at;
  for (std::size_t i = 0; i < all.size(); ++i) at.emplace(all[i], static_cast<int64_t>(i));
  Tensor out = at::empty({static_cast<int64_t>(seeds.size())}, at::kLong);
  auto* values = out.mutable_data_ptr<int64_t>();
  for (const int64_t seed : seeds) *values++ = at.at(seed);
  return out;
}

Pairing by_seed(const RowPool& pool, const std::vector<std::size_t>& rows, const std::set<std::size_t>& parts) {
  const std::vector<int64_t> seeds = common_seeds(pool, parts);
  std::map<std::size_t, Tensor> places;
  for (const std::size_t part : parts) places[part] = places_of(seeds, pool.seeds[part]);
  std::vector<std::vector<double>> figure, nfe;
  std::vector<const SamplerResult*> kept;
  std::vector<int64_t> not_finite;
  for (const std::size_t row : rows) {
    const SamplerResult& sampler = pool.rows.samplers[row];
    const SeedValues values =
        read_seed_values(sampler.seeds_npz, static_cast<int64_t>(pool.seeds[sampler.part].size()),
                         fmt::format("{}: {}", part_name(pool, sampler.part), row_label(sampler)));
    const Tensor error = values.rmse.index_select(0, places.at(sampler.part));
    figure.push_back(doubles(error.square()));
    nfe.push_back(doubles(values.nfe.index_select(0, places.at(sampler.part))));
    kept.push_back(&sampler);
    not_finite.push_back(error.isfinite().logical_not().sum().item<int64_t>());
  }
  return {PairedTable(std::vector<double>(seeds.size(), 1.0), std::move(figure), std::move(nfe), true), kept,
          not_finite, seeds, true};
}

Pairing by_block(const RowPool& pool, const std::vector<std::size_t>& rows, const std::set<std::size_t>& parts,
                 const std::string& metric) {
  for (const std::size_t part : parts) {
    const std::string why = pool.apart[part].empty() ? pool.apart[*parts.begin()] : pool.apart[part];
    if (!why.empty())
      throw UsageError(
          fmt::format("{} and {} are paired by blocks of seeds ({}), and differ: {}; evaluate both on the same",
                      part_name(pool, *parts.begin()), part_name(pool, part),
                      metric == "rmse" ? "one of them holds nothing by seed: evaluate it again for pairs of seeds"
                                       : fmt::format("the metric {} has no value of a seed", metric),
                      why));
  }
  const std::vector<int64_t>& sizes = pool.block_sizes[*parts.begin()];
  const bool root = metric == "rmse";
  std::vector<std::vector<double>> figure, nfe;
  std::vector<const SamplerResult*> kept;
  for (const std::size_t row : rows) {
    const SamplerResult& sampler = pool.rows.samplers[row];
    const std::vector<double>& blocks = sampler.metric(metric)->blocks;
    if (blocks.size() != sizes.size() || sampler.blocks.size() != sizes.size()) continue;
    std::vector<double> values, evaluations;
    for (std::size_t b = 0; b < blocks.size(); ++b) {
      values.push_back(root ? blocks[b] * blocks[b] : blocks[b]);
      evaluations.push_back(sampler.blocks[b].nfe_mean);
    }
    figure.push_back(values);
    nfe.push_back(evaluations);
    kept.push_back(&sampler);
  }
  std::vector<int64_t> not_finite;
  for (const SamplerResult* row : kept) not_finite.push_back(row->not_finite);
  return {PairedTable({sizes.begin(), sizes.end()}, std::move(figure), std::move(nfe), root), kept, not_finite,
          pool.seeds[*parts.begin()], false};
}

bool holds_errors(const SamplerResult& row) {
  // Named in the archive's directory, whatever else it holds.
  return row.seeds_npz.find("rmse.npy") != std::string::npos;
}

}  // namespace

std::size_t Pairing::place(const SamplerResult* row) const {
  const auto at = std::find(rows.begin(), rows.end(), row);
  if (at == rows.end())
    throw UsageError(fmt::format("{} has no blocks of the metric, as the others have", row_label(*row)));
  return static_cast<std::size_t>(at - rows.begin());
}

Pairing pair_rows(const RowPool& pool, const std::vector<std::size_t>& chosen, const std::string& metric) {
  std::set<std::size_t> parts;
  bool seeds = metric == "rmse";
  for (const std::size_t row : chosen) {
    const SamplerResult& sampler = pool.rows.samplers[row];
    parts.insert(sampler.part);
    if (sampler.metric(metric) == nullptr && !(metric == "rmse" && holds_errors(sampler)))
      throw UsageError(fmt::format("{} has no {}; evaluate it with that metric", row_label(sampler), metric));
    seeds = seeds && holds_errors(sampler);
  }
  std::vector<std::size_t> rows;
  for (std::size_t i = 0; i < pool.rows.samplers.size(); ++i) {
    const SamplerResult& sampler = pool.rows.samplers[i];
    const bool has = seeds ? holds_errors(sampler) : sampler.metric(metric) != nullptr;
    if (parts.contains(sampler.part) && has) rows.push_back(i);
  }
  return seeds ? by_seed(pool, rows, parts) : by_block(pool, rows, parts, metric);
}

}  // namespace stride
