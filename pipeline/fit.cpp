#include "pipeline/fit.h"

#include "framework/error.h"
#include "pipeline/teacher.h"

#include <fmt/format.h>

namespace stride {
namespace {

FitTask task_of(const ModelChoice& model, const FitSettings& settings) {
  FitTask task;
  task.seeds = settings.seeds.numbers();
  task.validation_seeds = settings.val_seeds.numbers();
  std::vector<int64_t> both = task.seeds;
  both.insert(both.end(), task.validation_seeds.begin(), task.validation_seeds.end());
  task.draw = common_draw(settings, model, std::move(both));
  task.teacher_text = settings.teacher;
  task.teacher = parse_teacher(settings.teacher);
  if (!settings.fit_memory.empty()) task.fit.memory = parse_bytes(settings.fit_memory, "`fit_memory`");
  const FitMethod& method = find_fit_method(settings.method);
  PlanFitOptions& fit = task.fit;
  fit.free = PlanFree::parse(settings.parametrisation.empty() ? method.parametrisation : settings.parametrisation);
  fit.residual = settings.residual.empty() ? method.residual : settings.residual;
  // Not the map's own: the caller's denoiser outlives the fit.
  fit.compare = end_point_map(fit.residual, {std::shared_ptr<const void>(), &model.denoiser()});
  fit.sigma_min = settings.sigma_min.value_or(model.info().sigma_min);
  fit.sigma_max = settings.sigma_max.value_or(model.info().sigma_max);
  fit.starts = settings.restarts;
  fit.iterations = settings.iterations;
  fit.weight_prior = settings.weight_prior;
  fit.scale_prior = settings.scale_prior;
  if (settings.huber) fit.huber = *settings.huber;
  fit.rows = settings.fit_rows;
  fit.budget_evaluations = settings.budget_evals;
  fit.initial = settings.init_plan;
  fit.nfe = settings.nfe.value_or(fit.initial ? fit.initial->nfe() : 5);
  if (settings.final != "best") fit.ends = {parse_final(settings.final)};
  if (fit.initial) {
    const FitSettings standard;
    require_one_start(*fit.initial, settings.final != standard.final ? std::optional(settings.final) : std::nullopt,
                      settings.restarts != standard.restarts);
  }
  return task;
}

void require_valid(const FitTask& task) {
  if (const std::string reason = task.invalid_reason(); !reason.empty()) throw UsageError(reason);
}

}  // namespace

PlanFitResult fit(const ModelChoice& model, const FitSettings& settings) {
  const FitTask task = task_of(model, settings);
  require_valid(task);
  const Sampler teacher = fit_teacher(task, model.info(), model.card());
  const auto data = teacher_end_points(teacher, model.denoiser(), task, settings.progress);
  if (!data) {
    PlanFitResult nothing;
    nothing.stopped = true;
    return nothing;
  }
  return fit_to(*data, model.denoiser(), task, settings.progress);
}

PlanFitResult fit(const ModelChoice& model, const TrajectoryStore& store, const FitSettings& settings) {
  const TrajectoryConfig& config = store.config();
  if (config.model_sha256 != model.info().sha256)
    throw InputError(fmt::format("{}: recorded on another model ({:.12}…, this one is {:.12}…)", store.folder(),
                                 config.model_sha256, model.info().sha256));
  if (config.features || !config.save_at.empty())
    throw InputError(
        fmt::format("{}: does not hold whole trajectories; record all points, with states", store.folder()));
  FitSettings own = settings;
  std::vector<int64_t> seeds = settings.seeds.numbers();
  const std::vector<int64_t> validation = settings.val_seeds.numbers();
  seeds.insert(seeds.end(), validation.begin(), validation.end());
  own.label = recorded_labels(store, seeds, settings.label, model.info());
  FitTask task = task_of(model, own);
  if (config.sigmas.empty() || config.sigmas.front() != task.fit.sigma_max)
    throw InputError(
        fmt::format("{}: its trajectories do not begin at `sigma_max` {}", store.folder(), task.fit.sigma_max));
  // Where the last jump to 0 begins, or where the trajectories end: the plan is compared with what lies there.
  const bool jump = config.sigmas.back() == 0.0;
  const double last = jump ? config.sigmas[config.sigmas.size() - 2] : config.sigmas.back();
  if (settings.sigma_min && *settings.sigma_min != last)
    throw InputError(fmt::format("{}: its trajectories end at {:.6g}, not at `sigma_min` {}", store.folder(), last,
                                 *settings.sigma_min));
  task.fit.sigma_min = last;
  task.teacher_text =
      fmt::format("{}:steps={},schedule={},final={}", config.solver, config.steps, config.schedule, config.final);
  task.teacher = parse_teacher(task.teacher_text);
  require_valid(task);
  return fit_to(recorded_end_points(store, model.denoiser(), task), model.denoiser(), task, settings.progress);
}

}  // namespace stride
