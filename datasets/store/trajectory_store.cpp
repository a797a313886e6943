#include "datasets/store/trajectory_store.h"

#include "framework/error.h"
#include "framework/shapes.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <numeric>
#include <unordered_map>
#include <utility>

namespace stride {
namespace {

// Rows that one thread copies at least: below that starting it costs more than it saves.
constexpr int64_t kRowsAThread = 64;

/// A large dataset and where its rows go.
struct Target {
  std::size_t index;  // in row_datasets
  char* bytes;
};

/// Of shards that do not say it themselves, as those of earlier versions.
int64_t label_of_all(const TrajectoryConfig& config) {
  const auto found = config.settings.find(kClassSetting);
  if (found == config.settings.end()) return kNoLabel;
  int64_t label = 0;
  const char* const end = found->second.data() + found->second.size();
  const auto read = std::from_chars(found->second.data(), end, label);
  return read.ec == std::errc() && read.ptr == end && label >= 0 ? label : kUnknownLabel;
}

}  // namespace

TrajectoryStore::TrajectoryStore(std::string folder) {
  const auto shards = std::make_shared<ShardSet>(std::move(folder));
  shards->verify();
  shards_ = shards;
  for (std::size_t i = 0; i < shards->index().shards().size(); ++i) {
    const Tensor& seeds = shards->shard(i).seed();
    const auto* first = seeds.const_data_ptr<int64_t>();
    seeds_.insert(seeds_.end(), first, first + seeds.size(0));
  }
}

std::vector<int64_t> TrajectoryStore::rows_of(const std::vector<int64_t>& seeds) const {
  std::unordered_map<int64_t, int64_t> rows;
  for (std::size_t row = 0; row < seeds_.size(); ++row) rows.emplace(seeds_[row], static_cast<int64_t>(row));
  std::vector<int64_t> result;
  for (const int64_t seed : seeds) {
    const auto found = rows.find(seed);
    if (found == rows.end())
      throw InputError(fmt::format("{} has no trajectory of seed {}: record it first", folder(), seed));
    result.push_back(found->second);
  }
  return result;
}

std::vector<int64_t> TrajectoryStore::ok_rows() const {
  std::vector<int64_t> rows;
  for (std::size_t i = 0; i < shards_->index().shards().size(); ++i) {
    const ShardReader& shard = shards_->shard(i);
    const auto* status = shard.status().const_data_ptr<int8_t>();
    for (int64_t row = 0; row < shard.size(); ++row) {
      if (status[row] == 0) rows.push_back(shards_->index().shards()[i].first_row + row);
    }
  }
  return rows;
}

void TrajectoryStore::require_rows(const std::vector<int64_t>& rows) const {
  for (const int64_t row : rows) {
    if (row < 0 || row >= size()) throw UsageError(fmt::format("row {} of {}, which has {}", row, folder(), size()));
  }
}

Tensor TrajectoryStore::labels(const std::vector<int64_t>& rows) const {
  require_rows(rows);
  const int64_t otherwise = label_of_all(config());
  bool known = otherwise != kNoLabel;
  std::vector<int64_t> out;
  out.reserve(rows.size());
  const StoreIndex& index = shards_->index();
  for (const int64_t wanted : rows) {
    const std::size_t place = index.shard_of(wanted);
    const Tensor& label = shards_->shard(place).label();
    known = known || label.defined();
    out.push_back(label.defined() ? label.const_data_ptr<int64_t>()[wanted - index.shards()[place].first_row]
                                  : otherwise);
  }
  return known ? at::tensor(out, at::kLong) : Tensor();
}

TrajectoryBatch TrajectoryStore::batch(const std::vector<int64_t>& rows, at::ScalarType dtype) const {
  const auto n = static_cast<int64_t>(rows.size());
  const TrajectoryConfig& config = this->config();
  require_rows(rows);
  TrajectoryBatch out;
  out.label = labels(rows);
  out.seed = at::empty({n}, at::kLong);
  out.nfe = at::empty({n}, at::kInt);
  out.sigma = at::empty({n, config.points()}, at::kDouble);
  out.status = at::empty({n}, at::kChar);
  std::vector<Target> targets;
  for (const RowDataset& dataset : row_datasets(config)) {
    Tensor& values = out.*dataset.member;
    values = at::empty(prepend({n}, dataset.shape), at::TensorOptions().dtype(dataset.dtype));
    targets.push_back({targets.size(), static_cast<char*>(values.mutable_data_ptr())});
  }
  auto* seed = out.seed.mutable_data_ptr<int64_t>();
  auto* nfe = out.nfe.mutable_data_ptr<int32_t>();
  auto* sigma = out.sigma.mutable_data_ptr<double>();
  auto* status = out.status.mutable_data_ptr<int8_t>();
  const StoreIndex& index = shards_->index();
  at::parallel_for(0, n, kRowsAThread, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t wanted = rows[static_cast<std::size_t>(i)];
      const std::size_t place = index.shard_of(wanted);
      const ShardReader& shard = shards_->shard(place);
      const int64_t row = wanted - index.shards()[place].first_row;
      for (const Target& target : targets) {
        const std::string_view bytes = shard.row(target.index, row);
        std::memcpy(target.bytes + static_cast<std::size_t>(i) * bytes.size(), bytes.data(), bytes.size());
      }
      seed[i] = shard.seed().const_data_ptr<int64_t>()[row];
      nfe[i] = shard.nfe().const_data_ptr<int32_t>()[row];
      status[i] = shard.status().const_data_ptr<int8_t>()[row];
      const int64_t stride = shard.sigma().stride(0);  // 0 where all rows share one grid
      std::copy_n(shard.sigma().const_data_ptr<double>() + row * stride, config.points(), sigma + i * config.points());
    }
  });
  if (out.x.defined()) out.x = out.x.to(dtype);
  if (out.denoised.defined()) out.denoised = out.denoised.to(dtype);
  return out;
}

TrajectoryBatch TrajectoryStore::all(at::ScalarType dtype) const {
  std::vector<int64_t> rows(static_cast<std::size_t>(size()));
  std::iota(rows.begin(), rows.end(), 0);
  return batch(rows, dtype);
}

}  // namespace stride
