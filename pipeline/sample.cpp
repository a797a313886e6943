#include "pipeline/sample.h"

#include "framework/error.h"
#include "framework/shapes.h"
#include "pipeline/overruled.h"
#include "pipeline/provenance.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace stride {
namespace {

// What begins with the seeds and ends with the sample's shape, `leading` dimensions before them.
void require_rows(const Tensor& values, int64_t leading, const DrawSettings& draw, const ModelInfo& model,
                  const char* field) {
  if (!values.defined()) return;
  const std::vector<int64_t> wanted = prepend({static_cast<int64_t>(draw.seeds.size())}, model.shape);
  if (!values.is_floating_point() || values.dim() < leading ||
      values.sizes().slice(static_cast<std::size_t>(leading)) != at::IntArrayRef(wanted))
    throw UsageError(fmt::format("`{}` has the shape [{}], but this run needs floating-point numbers of [{}{}]", field,
                                 fmt::join(values.sizes(), ", "), leading > 0 ? "draws, " : "",
                                 fmt::join(wanted, ", ")));
}

// What differs from the defaults was asked for.
AskedLevels asked_of(const SolverChoice& solver, const SampleSettings& settings) {
  const SampleSettings standard;
  const auto count = [](const std::optional<int64_t>& n) {
    return n ? std::optional(fmt::format("{}", *n)) : std::nullopt;
  };
  const auto text = [](const std::string& value, const std::string& usual) {
    return value == usual ? std::nullopt : std::optional(value);
  };
  return {.steps = count(settings.steps),
          .nfe = count(settings.nfe),
          .schedule = text(settings.schedule, standard.schedule),
          .final = text(settings.final, standard.final),
          .sigmas = !settings.sigmas.empty(),
          .solver = solver.name()};
}

}  // namespace

Sampler make_sampler(const ModelChoice& model, const SolverChoice& solver, const SampleSettings& settings) {
  if (settings.steps && settings.nfe) throw UsageError("`steps` and `nfe` exclude each other: give one of them");
  if (!settings.sigmas.empty() && (settings.steps || settings.nfe))
    throw UsageError("`sigmas` is the grid itself: leave `steps` and `nfe` out");
  SamplerSpec spec;
  spec.schedule = settings.schedule;
  spec.own_grids = settings.own_grids;
  spec.final = parse_final(settings.final);
  spec.steps = settings.steps;
  spec.nfe = settings.nfe;
  spec.sigmas = settings.sigmas;
  spec.sigma_min = settings.sigma_min;
  spec.sigma_max = settings.sigma_max;
  spec.noise_schedule = settings.noise_schedule;
  spec.term = settings.term;
  spec.strength = settings.strength.value_or(1.0);
  spec.allow_model_mismatch = settings.allow_model_mismatch;
  solver.write(spec);
  settings.policy.write(spec);
  solver.write_levels(spec);
  return make_sampler(spec, model.info(), model.card(), settings.device);
}

DrawSettings draw_settings(const ModelChoice& model, const SampleSettings& settings, const Seeds& seeds) {
  DrawSettings draw = common_draw(settings, model, seeds.numbers());
  draw.init = settings.init;
  draw.noise = settings.noise;
  draw.own_noise = settings.own_noise;
  draw.start = settings.start;
  draw.mask = settings.mask;
  draw.exact = settings.exact;
  if (!settings.tile.empty()) draw.tile = parse_tiling(settings.tile);
  draw.init_scale = parse_init_scale(settings.init_scale);
  if (!draw.start.defined() && (draw.mask.defined() || settings.strength))
    throw UsageError("`mask` and `strength` are about images to begin from: give `start`");
  require_rows(draw.init, 0, draw, model.info(), "init");
  require_rows(draw.noise, 1, draw, model.info(), "noise");
  require_rows(draw.start, 0, draw, model.info(), "start");
  require_rows(draw.mask, 0, draw, model.info(), "mask");
  return draw;
}

SampleResult sample(const ModelChoice& model, const SolverChoice& solver, const SampleSettings& settings,
                    const Seeds& seeds) {
  const Sampler sampler = make_sampler(model, solver, settings);
  DrawHooks hooks;
  hooks.progress = settings.progress;
  const DrawSettings drawing = draw_settings(model, settings, seeds);
  std::vector<std::string> warnings = overruled(asked_of(solver, settings), sampler);
  for (std::string& warning : run_warnings(sampler, drawing)) warnings.push_back(std::move(warning));
  SampleResult result{draw(sampler, model.denoiser(), drawing, hooks), {}, std::move(warnings)};
  if (sampler.fixed()) result.sigmas = at::tensor(sampler.grid.sigmas(), at::kDouble);
  return result;
}

}  // namespace stride
