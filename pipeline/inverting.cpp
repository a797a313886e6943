#include "pipeline/inverting.h"

#include "framework/dtype_name.h"
#include "solvers/inversion.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <optional>

namespace stride {
namespace {

using Clock = std::chrono::steady_clock;

RunResult invert_chunk(const Sampler& sampler, const Denoiser& denoiser, const DrawSettings& settings,
                       const Tensor& seeds, int64_t first, const InversionOptions& options) {
  const int64_t n = seeds.size(0);
  const RunConstant constant{seeds.to(settings.device),
                             make_condition(denoiser.info(), settings, first, n),
                             sampler.grid.rows(n, settings.device),
                             {}};
  const NoNoise noise;
  std::optional<TiledDenoiser> tiled;
  if (settings.tile) tiled.emplace(denoiser, *settings.tile);
  const Problem problem{tiled ? static_cast<const Denoiser&>(*tiled) : denoiser, *sampler.term, noise,
                        settings.guidance};
  RunResult result =
      invert(problem, sampler.grid, constant,
             settings.start.narrow(0, first, n).to(settings.device, state_dtype(settings.dtype)), options);
  result.x = result.x / sampler.grid.start();
  return result;
}

Tensor joined(const std::vector<RunResult>& parts, Tensor RunResult::*what) {
  std::vector<Tensor> rows;
  for (const RunResult& part : parts) rows.push_back((part.*what).cpu());
  return at::cat(rows);
}

}  // namespace

Draws invert_images(const Sampler& sampler, const Denoiser& denoiser, const DrawSettings& settings, int64_t iterations,
                    const DrawHooks& hooks) {
  const auto total = static_cast<int64_t>(settings.seeds.size());
  const Tensor ids = at::tensor(settings.seeds, at::TensorOptions().dtype(at::kLong));
  Draws draws;
  draws.batch = std::max<int64_t>(1, settings.batch);
  std::vector<RunResult> parts;
  const auto begin = Clock::now();
  int64_t first = 0;
  while (first < total && !draws.stopped) {
    const Tensor seeds = ids.narrow(0, first, std::min(draws.batch, total - first));
    // Each step is a part of the chunk's images.
    const int64_t n = seeds.size(0), steps = sampler.grid.steps();
    const auto stop = [&, done = int64_t{0}]() mutable {
      const int64_t part = n * std::min(done++, steps) / (steps + 1);
      return hooks.progress && !hooks.progress(first + part, total, "");
    };
    const InversionOptions options{iterations, stop};
    RunResult result = invert_chunk(sampler, denoiser, settings, seeds, first, options);
    draws.stopped = result.stopped;
    if (draws.stopped) break;
    if (hooks.chunk) hooks.chunk(seeds, result);
    parts.push_back(std::move(result));
    first += n;
    if (hooks.progress && !hooks.progress(first, total, "") && first < total) draws.stopped = true;
  }
  draws.seeds = ids.narrow(0, 0, first);
  if (parts.empty()) {
    draws.x = settings.start.narrow(0, 0, 0).to(state_dtype(settings.dtype));
    draws.steps = draws.rejected = draws.nfe = draws.model_evals = draws.seeds;
    draws.status = draws.seeds.to(at::kChar);
    return draws;
  }
  draws.x = joined(parts, &RunResult::x);
  draws.status = joined(parts, &RunResult::status);
  draws.steps = joined(parts, &RunResult::steps);
  draws.rejected = joined(parts, &RunResult::rejected);
  draws.nfe = joined(parts, &RunResult::nfe);
  draws.model_evals = joined(parts, &RunResult::model_evals);
  draws.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  return draws;
}

double round_trip_error(const Sampler& sampler, const Denoiser& denoiser, const DrawSettings& settings,
                        const Draws& inverted) {
  DrawSettings back = settings;
  back.seeds.resize(static_cast<std::size_t>(inverted.seeds.size(0)));
  back.init = inverted.x;
  back.init_scale = InitScale::sigma;
  const Tensor images = settings.start.narrow(0, 0, inverted.seeds.size(0)).to(at::kDouble);
  back.start = Tensor();
  return (draw(sampler, denoiser, back).x.to(at::kDouble) - images).square().mean().sqrt().item<double>();
}

}  // namespace stride
