#include "datasets/trajectory_store.h"

#include "framework/error.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <unordered_map>
#include <utility>

namespace stride {
namespace {

// Rows that one thread copies at least: below that starting it costs more than it saves.
constexpr int64_t kRowsAThread = 64;

Tensor empty_rows(std::vector<int64_t> front, const TrajectoryConfig& config) {
  front.insert(front.end(), config.sample_shape.begin(), config.sample_shape.end());
  return at::empty(front, at::TensorOptions().dtype(config.dtype));
}

}  // namespace

TrajectoryStore::TrajectoryStore(std::string folder) : folder_(std::move(folder)) {
  const StoreManifest manifest = StoreManifest::load(folder_);
  config_ = manifest.config;
  for (const ShardEntry& entry : manifest.shards) {
    first_row_.push_back(size());
    const ShardReader& shard = shards_.emplace_back(folder_, entry, config_);
    const auto* seeds = shard.seed().const_data_ptr<int64_t>();
    seeds_.insert(seeds_.end(), seeds, seeds + shard.size());
  }
}

std::vector<int64_t> TrajectoryStore::rows_of(const std::vector<int64_t>& seeds) const {
  std::unordered_map<int64_t, int64_t> rows;
  for (std::size_t row = 0; row < seeds_.size(); ++row) rows.emplace(seeds_[row], static_cast<int64_t>(row));
  std::vector<int64_t> result;
  for (const int64_t seed : seeds) {
    const auto found = rows.find(seed);
    if (found == rows.end())
      throw InputError(fmt::format("{} has no trajectory of seed {}: record it first", folder_, seed));
    result.push_back(found->second);
  }
  return result;
}

std::vector<int64_t> TrajectoryStore::ok_rows() const {
  std::vector<int64_t> rows;
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    const auto* status = shards_[i].status().const_data_ptr<int8_t>();
    for (int64_t row = 0; row < shards_[i].size(); ++row) {
      if (status[row] == 0) rows.push_back(first_row_[i] + row);
    }
  }
  return rows;
}

TrajectoryBatch TrajectoryStore::batch(const std::vector<int64_t>& rows, at::ScalarType dtype) const {
  const auto n = static_cast<int64_t>(rows.size());
  for (const int64_t row : rows) {
    if (row < 0 || row >= size()) throw UsageError(fmt::format("row {} of {}, which has {}", row, folder_, size()));
  }
  TrajectoryBatch out{empty_rows({n, config_.points()}, config_),
                      empty_rows({n, config_.steps}, config_),
                      at::empty({n}, at::kLong),
                      at::empty({n}, at::kInt),
                      at::empty({n, config_.points()}, at::kDouble),
                      at::empty({n}, at::kChar)};
  auto* x = static_cast<char*>(out.x.mutable_data_ptr());
  auto* denoised = static_cast<char*>(out.denoised.mutable_data_ptr());
  auto* seed = out.seed.mutable_data_ptr<int64_t>();
  auto* nfe = out.nfe.mutable_data_ptr<int32_t>();
  auto* sigma = out.sigma.mutable_data_ptr<double>();
  auto* status = out.status.mutable_data_ptr<int8_t>();
  at::parallel_for(0, n, kRowsAThread, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t wanted = rows[static_cast<std::size_t>(i)];
      const auto after = std::upper_bound(first_row_.begin(), first_row_.end(), wanted);
      const ShardReader& shard = shards_[static_cast<std::size_t>(after - first_row_.begin()) - 1];
      const int64_t row = wanted - *(after - 1);
      const std::string_view points = shard.x(row);
      const std::string_view evaluations = shard.denoised(row);
      std::memcpy(x + static_cast<std::size_t>(i) * points.size(), points.data(), points.size());
      std::memcpy(denoised + static_cast<std::size_t>(i) * evaluations.size(), evaluations.data(), evaluations.size());
      seed[i] = shard.seed().const_data_ptr<int64_t>()[row];
      nfe[i] = shard.nfe().const_data_ptr<int32_t>()[row];
      status[i] = shard.status().const_data_ptr<int8_t>()[row];
      const int64_t stride = shard.sigma().stride(0);  // 0 where all rows share one grid
      std::copy_n(shard.sigma().const_data_ptr<double>() + row * stride, config_.points(),
                  sigma + i * config_.points());
    }
  });
  out.x = out.x.to(dtype);
  out.denoised = out.denoised.to(dtype);
  return out;
}

TrajectoryBatch TrajectoryStore::all(at::ScalarType dtype) const {
  std::vector<int64_t> rows(static_cast<std::size_t>(size()));
  std::iota(rows.begin(), rows.end(), 0);
  return batch(rows, dtype);
}

}  // namespace stride
