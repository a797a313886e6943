// Samples, chunk by chunk.
#include "pipeline/draw.h"
#include "framework/dtype_name.h"
#include "framework/error.h"
#include "framework/models/masked_denoiser.h"
#include "framework/out_of_memory.h"
#include "framework/shapes.h"
#include "pipeline/file_noise.h"
#include "pipeline/provenance.h"
#include "pipeline/trajectory_tap.h"

#include <ATen/ATen.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <fmt/format.h>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <exception>
#include <unordered_map>
#include <utility>

namespace stride {
namespace {

using Clock = std::chrono::steady_clock;

// Rows of one micro-batch of exact runs: kernels pick algorithms by batch size, so it is one size.
constexpr int64_t kExactRows = 32;

// Of a pool: what it holds on the device, and how many samples share the idle slots of its end.
constexpr int64_t kPoolBytes = int64_t{1} << 30, kPoolRows = 4096;

bool pools(const Sampler& sampler, const DrawSettings& settings) {
  return settings.graphs && settings.device.is_cuda() && !sampler.fixed();
}

Tensor ids_on_cpu(const std::vector<int64_t>& seeds, int64_t first, int64_t n) {
  return at::tensor(std::vector<int64_t>(seeds.begin() + first, seeds.begin() + first + n),
                    at::TensorOptions().dtype(at::kLong));
}

// Of the n samples from `first` on, where they begin with data.
std::optional<Tensor> data_keys(const DrawSettings& settings, int64_t first, int64_t n) {
  if (!settings.start.defined() && !settings.init.defined()) return {};
  const auto part = [&](const Tensor& all) { return all.defined() ? all.narrow(0, first, n) : Tensor(); };
  return noise_keys(ids_on_cpu(settings.seeds, first, n), {part(settings.start), part(settings.init)})
      .to(settings.device);
}

Tensor pad_rows(const Tensor& rows, int64_t n) {
  if (rows.size(0) == n) return rows;
  const Tensor index =
      at::arange(n, at::TensorOptions().dtype(at::kLong).device(rows.device())).clamp_max(rows.size(0) - 1);
  return rows.index_select(0, index);
}

RunResult first_rows(RunResult result, int64_t n) {
  for (Tensor* rows :
       {&result.x, &result.ids, &result.status, &result.steps, &result.rejected, &result.nfe, &result.model_evals}) {
    *rows = rows->narrow(0, 0, n);
  }
  return result;
}

class Drawing final {
 public:
  Drawing(const Sampler& sampler, const Denoiser& denoiser, const DrawSettings& settings, const DrawHooks& hooks)
      : sampler_(sampler), denoiser_(denoiser), settings_(settings), hooks_(hooks) {
    if (settings.noise.defined()) file_noise_.emplace(settings.noise, settings.seeds, settings.device);
    if (settings.tile) tiled_.emplace(denoiser, *settings.tile);
    if (settings.mask.defined()) masked_.emplace(network());
    const bool own = file_noise_ || settings.own_noise || tiled_ || masked_ ||
                     hooks.trajectory;  // what outlives this call knows nothing of those
    if (hooks.graphs != nullptr && !own) {
      graphs_ = hooks.graphs;
      return;
    }
    CapturedRun::See see;
    if (hooks.trajectory)
      see = [this](int64_t step, const Tensor& before, const Tensor& after, const Tensor& denoised) {
        if (step == 0) tap_.emplace(hooks_.points, sampler_.grid.steps());
        tap_->see(before, after, denoised);
      };
    own_graphs_.emplace(sampler, model(), settings.guidance, given_noise(), std::move(see));
    graphs_ = &*own_graphs_;
    if (is_one_batch(settings)) graphs_->expect_one();
  }

  // Of the samples that are left, those that run as a pool; else a batch.
  [[nodiscard]] int64_t rows_at_once(int64_t batch) const {
    return may_pool() ? std::max(batch, stride::rows_at_once(sampler_, denoiser_.info(), settings_)) : batch;
  }

  // What captures have taken, with those before this call.
  [[nodiscard]] double capture_seconds() const { return graphs_->seconds(); }
  // Why the chunks were run step by step.
  [[nodiscard]] const std::string& stepwise() const { return graphs_->reason(); }

  // A chunk: n samples as a pool of which `batch` run at once, or as many as fit into a batch. None when memory ran
  // out.
  std::optional<RunResult> try_chunk(int64_t first, int64_t n, int64_t batch) const {
    try {
      if (std::optional<RunResult> result = pooled(first, n, batch)) return result;
      return chunk(first, std::min(n, batch));
    } catch (const std::exception& error) {
      if (!settings_.oom_backoff || settings_.exact || batch == 1 || !is_out_of_memory(error)) throw;
    }
    if (settings_.device.is_cuda()) c10::cuda::CUDACachingAllocator::emptyCache();
    return std::nullopt;
  }

 private:
  RunResult chunk(int64_t first, int64_t n) const {
    const Tensor seeds = ids_on_cpu(settings_.seeds, first, n);
    // The last chunk takes the graph of those before it.
    const int64_t rows = settings_.exact ? kExactRows : n < graphs_->rows() ? graphs_->rows() : n;
    const RunConstant constant = constants(first, n, rows);
    const Tensor x = starts(first, n, rows);
    if (std::optional<RunResult> result = captured(constant, x, first))
      return handed_out(seeds, *std::move(result), first);
    const Problem problem{model(), *sampler_.term, noise(), settings_.guidance};
    const RunState start = start_at(constant, x);
    Tensor most_draws = at::zeros({}, constant.ids.options());
    if (hooks_.trajectory) tap_.emplace(hooks_.points, sampler_.grid.steps());
    RunResult result =
        sample(problem, *sampler_.solver, *sampler_.controller, start, options(seeds, first, most_draws));
    if (file_noise_ && !result.stopped) require_draws(most_draws.item<int64_t>());
    return handed_out(seeds, std::move(result), first);
  }

  RunConstant constants(int64_t first, int64_t n, int64_t rows) const {
    const Tensor ids = pad_rows(ids_on_cpu(settings_.seeds, first, n).to(settings_.device), rows);
    RunConstant out{ids, condition(first, n, rows), sampler_.grid.rows(rows, settings_.device), {}};
    if (const auto keys = data_keys(settings_, first, n)) out.noise_keys = pad_rows(*keys, rows);
    return out;
  }
  Tensor starts(int64_t first, int64_t n, int64_t rows) const {
    return pad_rows(start_points(settings_, denoiser_.info(), sampler_.grid.start(), first, n), rows);
  }
  RunState start_at(RunConstant constant, const Tensor& x) const {
    const Times sigma = at::full({x.size(0)}, sampler_.grid.start(), x.options().dtype(at::kDouble));
    return start_run(*sampler_.solver, *sampler_.controller, std::move(constant), x, sigma);
  }

  // Without padded rows; whoever wants the chunk's trajectories has got them.
  RunResult handed_out(const Tensor& seeds, RunResult result, int64_t first) const {
    if (result.x.size(0) > seeds.size(0)) result = first_rows(std::move(result), seeds.size(0));
    if (hooks_.trajectory && !result.stopped) {
      TrajectoryBatch batch = tap_->batch(seeds, result);
      batch.label = label_rows(denoiser_.info(), settings_, first, seeds.size(0));
      hooks_.trajectory(seeds, batch);
    }
    return result;
  }

  [[nodiscard]] bool may_pool() const {
    return pools(sampler_, settings_) && !hooks_.observe && !hooks_.trajectory && !file_noise_ && stepwise().empty();
  }

  std::optional<RunResult> pooled(int64_t first, int64_t n, int64_t batch) const {
    if (!may_pool()) return std::nullopt;
    const RunState begin = start_at(constants(first, n, n), starts(first, n, n));
    const RefilledRun::Options options{
        .slots = settings_.exact ? kExactRows : batch, .max_steps = settings_.max_steps, .compact = !settings_.exact};
    if (!graphs_->open_pool(begin, options)) return std::nullopt;
    const auto total = static_cast<int64_t>(settings_.seeds.size());
    return graphs_->run_pool(begin, [&](int64_t ended) {
      return hooks_.progress && !hooks_.progress(first + std::clamp<int64_t>(ended, 0, n - 1), total, "");
    });
  }

  // The chunk as a CUDA graph, where it can be one and nobody looks at its states.
  std::optional<RunResult> captured(const RunConstant& constant, const Tensor& x, int64_t first) const {
    if (!settings_.graphs || hooks_.observe) return std::nullopt;
    const auto total = static_cast<int64_t>(settings_.seeds.size());
    std::optional<RunResult> result =
        graphs_->run(constant, x, [&] { return hooks_.progress && !hooks_.progress(first, total, ""); });
    if (result && !result->stopped && file_noise_) require_draws(graphs_->draws());
    return result;
  }

  void require_draws(int64_t draws) const {
    if (draws > file_noise_->draws()) {
      throw InputError(
          fmt::format("`noise`: the run consumes {} draws per sample, but /eps has {}", draws, file_noise_->draws()));
    }
  }

  const NoiseSource* given_noise() const { return file_noise_ ? &*file_noise_ : settings_.own_noise.get(); }
  const NoiseSource& noise() const { return given_noise() != nullptr ? *given_noise() : philox_; }
  const Denoiser& network() const { return tiled_ ? static_cast<const Denoiser&>(*tiled_) : denoiser_; }
  const Denoiser& model() const { return masked_ ? static_cast<const Denoiser&>(*masked_) : network(); }

  BatchState condition(int64_t first, int64_t n, int64_t rows) const {
    std::vector<Tensor> slots = make_condition(denoiser_.info(), settings_, first, n).slots();
    for (Tensor& slot : slots) slot = pad_rows(slot, rows);
    BatchState own(std::move(slots));
    if (!masked_) return own;
    const auto part = [&](const Tensor& all) {
      return pad_rows(all.narrow(0, first, n).to(settings_.device, state_dtype(settings_.dtype)), rows);
    };
    const Tensor noise = unit_normals(settings_, denoiser_.info(), first, n).to(state_dtype(settings_.dtype));
    return MaskedDenoiser::condition(own, part(settings_.start), part(settings_.mask), pad_rows(noise, rows));
  }

  SampleOptions options(const Tensor& seeds, int64_t first, Tensor& most_draws) const {
    SampleOptions out;
    out.max_steps = settings_.max_steps;
    out.compact = !settings_.exact;
    const auto total = static_cast<int64_t>(settings_.seeds.size());
    // On a fixed grid each step is a part of the chunk's samples.
    const int64_t n = seeds.size(0), steps = sampler_.fixed() ? sampler_.grid.steps() : 0;
    out.stop = [this, first, total, n, steps, done = int64_t{0}]() mutable {
      const int64_t part = n * std::min(done++, steps) / (steps + 1);
      return hooks_.progress && !hooks_.progress(first + part, total, "");
    };
    const Observer listener = hooks_.observe ? hooks_.observe(seeds) : Observer{};
    if (!file_noise_ && !hooks_.trajectory) {
      out.observer = listener;
      return out;
    }
    out.observer = [this, listener, &most_draws](const RunState& before, const RunState& after, const StepResult& step,
                                                 bool last) {
      if (file_noise_) most_draws = at::maximum(most_draws, after.draws.max());
      if (hooks_.trajectory) tap_->see(before.x, after.x, step.denoised);
      if (listener) listener(before, after, step, last);
    };
    return out;
  }

  const Sampler& sampler_;
  const Denoiser& denoiser_;
  const DrawSettings& settings_;
  const DrawHooks& hooks_;
  std::optional<FileNoise> file_noise_;
  std::optional<TiledDenoiser> tiled_;
  std::optional<MaskedDenoiser> masked_;  // over the tiles: masks are of whole images
  PhiloxNoise philox_;
  mutable std::optional<TrajectoryTap> tap_;  // of the chunk that runs
  std::optional<GraphRuns> own_graphs_;
  GraphRuns* graphs_ = nullptr;
};

struct Parts {
  std::vector<Tensor> x, seeds, status, steps, rejected, nfe, model_evals;

  void add(const Tensor& chunk_seeds, const RunResult& result, bool keep) {
    if (keep) x.push_back(result.x.cpu());
    seeds.push_back(chunk_seeds);
    status.push_back(result.status.cpu());
    steps.push_back(result.steps.cpu());
    rejected.push_back(result.rejected.cpu());
    nfe.push_back(result.nfe.cpu());
    model_evals.push_back(result.model_evals.cpu());
  }
};

void gather(const Parts& parts, const DrawSettings& settings, const ModelInfo& model, Draws& draws) {
  if (parts.seeds.empty()) {
    draws.x = at::empty(prepend({0}, model.shape), at::TensorOptions().dtype(state_dtype(settings.dtype)));
    const Tensor none = at::empty({0}, at::TensorOptions().dtype(at::kLong));
    draws.seeds = draws.steps = draws.rejected = draws.nfe = draws.model_evals = none;
    draws.status = none.to(at::kChar);
    return;
  }
  if (!parts.x.empty()) draws.x = at::cat(parts.x);
  draws.seeds = at::cat(parts.seeds);
  draws.status = at::cat(parts.status);
  draws.steps = at::cat(parts.steps);
  draws.rejected = at::cat(parts.rejected);
  draws.nfe = at::cat(parts.nfe);
  draws.model_evals = at::cat(parts.model_evals);
}

// `settings` for other seeds: `take` picks their rows of what has a row per seed.
template <typename Take>
DrawSettings with_rows(const DrawSettings& settings, std::vector<int64_t> seeds, const Take& take) {
  DrawSettings out = settings;
  out.seeds = std::move(seeds);
  for (Tensor DrawSettings::*rows : {&DrawSettings::init, &DrawSettings::start, &DrawSettings::mask})
    if ((out.*rows).defined()) out.*rows = take(out.*rows, 0);
  if (out.noise.defined()) out.noise = take(out.noise, 1);
  if (out.label.list.defined()) out.label.list = take(out.label.list, 0);
  for (auto* const rows : {&out.conditions.values, &out.conditions.negative})
    for (auto& [name, all] : *rows)
      if (all.size(0) > 1) all = take(all, 0);  // one row is for all seeds
  return out;
}

}  // namespace

InitScale parse_init_scale(const std::string& text) {
  if (text == "sigma") return InitScale::sigma;
  if (text == "vp") return InitScale::vp;
  if (text == "flow") return InitScale::flow;
  throw UsageError(fmt::format("`init_scale` {}: there are sigma, vp and flow", text));
}

Tensor unit_normals(const DrawSettings& settings, const ModelInfo& model, int64_t first, int64_t n) {
  if (settings.init.defined()) return settings.init.narrow(0, first, n).to(settings.device, at::kDouble);
  if (const auto keys = data_keys(settings, first, n))
    return PhiloxNoise().later_start(*keys, model.shape, at::kDouble);
  const Tensor ids = ids_on_cpu(settings.seeds, first, n).to(settings.device);
  return PhiloxNoise().initial(ids, model.shape, at::kDouble);
}

Tensor start_points(const DrawSettings& settings, const ModelInfo& model, double sigma, int64_t first, int64_t n) {
  const InitScale how = settings.start.defined() ? InitScale::sigma : settings.init_scale;
  const double scale = how == InitScale::vp     ? std::sqrt(1.0 + sigma * sigma)
                       : how == InitScale::flow ? 1.0 + sigma
                                                : sigma;
  Tensor x = unit_normals(settings, model, first, n) * scale;
  if (settings.start.defined()) x = x + settings.start.narrow(0, first, n).to(settings.device, at::kDouble);
  return x.to(state_dtype(settings.dtype));
}

bool is_one_batch(const DrawSettings& settings) {
  return static_cast<int64_t>(settings.seeds.size()) <= (settings.exact ? kExactRows : settings.batch);
}

int64_t rows_at_once(const Sampler& sampler, const ModelInfo& model, const DrawSettings& settings) {
  if (!pools(sampler, settings)) return settings.batch;
  int64_t bytes = 4 * static_cast<int64_t>(c10::elementSize(state_dtype(settings.dtype)));  // starts, ends, a history
  for (const int64_t size : model.shape) bytes *= size;
  return std::clamp(kPoolBytes / bytes, settings.batch, std::max(kPoolRows, 16 * settings.batch));
}

Draws draw(const Sampler& sampler, const Denoiser& denoiser, const DrawSettings& settings, const DrawHooks& hooks) {
  require_made_for(sampler, denoiser.info(), settings);
  const Drawing drawing(sampler, denoiser, settings, hooks);
  const auto total = static_cast<int64_t>(settings.seeds.size());
  Draws draws;
  const double captures_before = drawing.capture_seconds();
  draws.batch = settings.exact ? kExactRows : std::max<int64_t>(1, settings.batch);
  Parts parts;
  for (int64_t first = 0; first < total && !draws.stopped;) {
    const auto begin = Clock::now();
    const int64_t most = std::min(drawing.rows_at_once(draws.batch), total - first);
    const std::optional<RunResult> result = drawing.try_chunk(first, most, draws.batch);
    if (!result) {
      draws.batch = std::max<int64_t>(1, std::min(draws.batch, most) / 2);
      continue;
    }
    const int64_t n = result->ids.size(0);
    if (result->stopped) {
      draws.stopped = true;
      break;
    }
    const Tensor seeds = ids_on_cpu(settings.seeds, first, n);
    parts.add(seeds, *result, hooks.keep);  // copying to the host waits for the device
    const double captured = drawing.capture_seconds() - captures_before - draws.capture_seconds;
    draws.capture_seconds += captured;
    draws.seconds += std::chrono::duration<double>(Clock::now() - begin).count() - captured;
    if (hooks.chunk) hooks.chunk(seeds, *result);
    first += n;
    if (hooks.progress && !hooks.progress(first, total, "") && first < total) draws.stopped = true;
  }
  gather(parts, settings, denoiser.info(), draws);
  draws.stepwise = drawing.stepwise();
  return draws;
}

DrawSettings for_seeds(const DrawSettings& settings, const std::vector<int64_t>& seeds) {
  std::unordered_map<int64_t, int64_t> place;
  for (std::size_t i = 0; i < settings.seeds.size(); ++i) place[settings.seeds[i]] = static_cast<int64_t>(i);
  std::vector<int64_t> rows;
  for (const int64_t seed : seeds) {
    const auto found = place.find(seed);
    if (found == place.end()) throw UsageError(fmt::format("seed {} is not one of this run's", seed));
    rows.push_back(found->second);
  }
  const Tensor index = at::tensor(rows, at::TensorOptions().dtype(at::kLong));
  return with_rows(settings, seeds, [&](const Tensor& all, int64_t dim) { return all.index_select(dim, index); });
}

DrawSettings slice_of(const DrawSettings& settings, int64_t first, int64_t n) {
  return with_rows(settings, {settings.seeds.begin() + first, settings.seeds.begin() + first + n},
                   [&](const Tensor& all, int64_t dim) { return all.narrow(dim, first, n); });
}

}  // namespace stride
