#include "pipeline/recording.h"

#include "datasets/store/store_index.h"
#include "framework/error.h"
#include "framework/spec.h"
#include "framework/stopwatch.h"
#include "neural/predictor/trajectory_features.h"
#include "pipeline/provenance.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace stride {

Recording record_trajectories(const Sampler& sampler, const Denoiser& denoiser, const DrawSettings& settings,
                              const std::vector<int64_t>& points, TrajectoryWriter& writer, const ProgressFn& progress,
                              const std::function<void(const Durable&)>& durable) {
  AsyncTrajectoryWriter queue(writer);
  const auto acknowledge = [&] {
    for (const Durable& each : queue.take_durable()) {
      if (durable) durable(each);
    }
  };
  const TrajectoryConfig& config = writer.config();
  DrawHooks hooks;
  hooks.progress = progress;
  hooks.points = points;
  double waiting = 0.0;
  hooks.trajectory = [&](const Tensor&, const TrajectoryBatch& states) {
    const Stopwatch watch;
    queue.push(config.features ? trajectory_features(states, config.sigmas) : states);
    waiting += watch.seconds();
    acknowledge();
  };
  Draws draws = draw(sampler, denoiser, settings, hooks);
  const Stopwatch watch;
  queue.close();
  waiting += watch.seconds();
  acknowledge();
  return {std::move(draws), waiting};
}

std::vector<int64_t> share_of(const std::vector<int64_t>& seeds, int64_t rank, int64_t ranks) {
  constexpr int64_t kBlocksARank = 16;
  const auto total = static_cast<int64_t>(seeds.size());
  if (rank >= total) return {};  // and products of what is below overflow nowhere
  const int64_t ranks_here = std::min(ranks, total);
  const int64_t block = std::max<int64_t>(1, total / ranks_here / kBlocksARank);
  std::vector<int64_t> share;
  for (int64_t first = rank * block; first < total; first += ranks_here * block) {
    const auto from = seeds.begin() + first;
    share.insert(share.end(), from, from + std::min(block, total - first));
  }
  return share;
}

Ranks parse_ranks(const std::string& text, const std::string& where) {
  const std::size_t slash = text.find('/');
  if (slash == std::string::npos) throw UsageError(fmt::format("{} {}: write I/N, as in 0/4", where, text));
  const Ranks ranks{parse_integer(text.substr(0, slash), where), parse_integer(text.substr(slash + 1), where)};
  if (ranks.count < 1 || ranks.rank < 0 || ranks.rank >= ranks.count)
    throw UsageError(fmt::format("{} {}: ranks count from 0, below their number", where, text));
  return ranks;
}

std::vector<int64_t> missing_seeds(const std::vector<int64_t>& seeds, const TrajectoryWriter& writer,
                                   const std::string& store) {
  const StoreIndex index(store);
  if (const std::string field = index.config().difference(writer.config()); !field.empty())
    throw UsageError(fmt::format("{} holds trajectories of another kind, they differ in {}: record into another folder",
                                 store, field));
  std::vector<int64_t> rest;
  std::copy_if(seeds.begin(), seeds.end(), std::back_inserter(rest),
               [&](int64_t seed) { return !index.seeds().contains(seed); });
  return rest;
}

std::map<std::string, std::string> store_settings(const DrawSettings& settings) {
  std::map<std::string, std::string> out = conditions_of(settings);
  // As `stride record` has written it since the first version.
  if (out.contains("clip")) out["clip"] = "true";
  out["dtype"] = c10::toString(settings.dtype);
  return out;
}

TrajectoryConfig trajectory_config(const ModelInfo& model, const Sampler& sampler, const std::vector<int64_t>& points,
                                   at::ScalarType store_dtype, std::map<std::string, std::string> settings) {
  TrajectoryConfig config;
  config.model_sha256 = model.sha256;
  config.solver = sampler.spec.solver;
  config.schedule = sampler.spec.schedule;
  config.final = to_string(sampler.spec.final);
  config.dtype = store_dtype;
  config.features = store_dtype == at::kDouble;
  config.sample_shape = model.shape;
  config.steps = static_cast<int64_t>(points.size()) - 1;
  for (const int64_t point : points) config.sigmas.push_back(sampler.grid.sigmas().at(static_cast<std::size_t>(point)));
  if (config.steps < sampler.grid.steps()) config.save_at = points;
  config.settings = std::move(settings);
  return config;
}

}  // namespace stride
