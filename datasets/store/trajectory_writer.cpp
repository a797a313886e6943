#include "datasets/store/trajectory_writer.h"

#include "datasets/store/shard.h"
#include "framework/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace stride {
namespace {

int64_t rows_a_shard(const TrajectoryConfig& config, const WriterOptions& options) {
  if (const std::string reason = config.invalid_reason(); !reason.empty())
    throw UsageError("cannot store trajectories: " + reason);
  if (const std::string reason = options.invalid_reason(); !reason.empty())
    throw UsageError("cannot store trajectories: " + reason);
  return std::clamp<int64_t>(options.shard_bytes / config.row_bytes(), 1, options.shard_rows);
}

std::vector<int64_t> seeds_of(const TrajectoryBatch& batch) {
  const auto* first = batch.seed.const_data_ptr<int64_t>();
  return {first, first + batch.size()};
}

int64_t rows_in(const std::vector<TrajectoryBatch>& batches) {
  int64_t rows = 0;
  for (const TrajectoryBatch& batch : batches) rows += batch.size();
  return rows;
}

}  // namespace

std::string WriterOptions::invalid_reason() const {
  if (shard_bytes < 1) return fmt::format("shards of {} bytes", shard_bytes);
  if (shard_rows < 1) return fmt::format("shards of {} trajectories", shard_rows);
  return "";
}

TrajectoryWriter::TrajectoryWriter(std::string folder, TrajectoryConfig config, const WriterOptions& options,
                                   FileSystem& files)
    : config_(std::move(config)),
      rows_a_shard_(rows_a_shard(config_, options)),
      folder_(std::move(folder), config_, options.run_id, files) {}

std::vector<int64_t> TrajectoryWriter::append(const TrajectoryBatch& batch) {
  folder_.require_usable();
  TrajectoryBatch rows = conform(batch, config_);
  std::set<int64_t> fresh;
  for (const int64_t seed : seeds_of(rows)) {
    if (contains(seed) || !fresh.insert(seed).second)
      throw UsageError(fmt::format("the trajectory of seed {} is there already", seed));
  }
  if (rows.size() == 0) return {};
  pending_seeds_.merge(fresh);
  pending_.push_back(std::move(rows));
  std::vector<int64_t> durable;
  while (rows_in(pending_) >= rows_a_shard_) {
    const std::vector<int64_t> sealed = seal_rows(rows_a_shard_);
    durable.insert(durable.end(), sealed.begin(), sealed.end());
  }
  return durable;
}

std::vector<int64_t> TrajectoryWriter::seal() {
  folder_.require_usable();
  return pending_.empty() ? std::vector<int64_t>() : seal_rows(rows_in(pending_));
}

std::vector<int64_t> TrajectoryWriter::seal_rows(int64_t count) {
  // Batches of whole shards are not copied.
  std::vector<TrajectoryBatch> taken, left;
  for (int64_t wanted = count; const TrajectoryBatch& batch : pending_) {
    const int64_t rows = std::min(wanted, batch.size());
    if (rows > 0) taken.push_back(batch.slice(0, rows));
    if (rows < batch.size()) left.push_back(batch.slice(rows, batch.size() - rows));
    wanted -= rows;
  }
  const TrajectoryBatch shard = TrajectoryBatch::concat(taken);
  const std::vector<int64_t> seeds = seeds_of(shard);
  folder_.add(format_shard(shard, config_), seeds);
  pending_ = std::move(left);
  for (const int64_t seed : seeds) pending_seeds_.erase(seed);
  return seeds;
}

std::vector<int64_t> TrajectoryWriter::missing(const std::vector<int64_t>& seeds) const {
  std::vector<int64_t> result;
  std::copy_if(seeds.begin(), seeds.end(), std::back_inserter(result), [&](int64_t seed) { return !contains(seed); });
  return result;
}

}  // namespace stride
