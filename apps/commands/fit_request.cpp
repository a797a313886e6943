#include "apps/commands/fit_request.h"

#include "apps/cli/sampling_options.h"
#include "framework/spec.h"
#include "pipeline/seeds.h"
#include "pipeline/teacher.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace stride {
namespace {

constexpr const char* kGroup = "Fit";

std::vector<std::string> method_names() {
  std::vector<std::string> names;
  for (const FitMethod& method : fit_methods()) names.push_back(method.name);
  return names;
}

std::string method_help() {
  std::vector<std::string> parts;
  for (const FitMethod& method : fit_methods()) parts.push_back(fmt::format("{} ({})", method.name, method.summary));
  return fmt::format("a named combination of the next three: {}", fmt::join(parts, ", "));
}

}  // namespace

FitTask fit_task(Context& context, const LoadedModel& model) {
  const OptionValues& options = context.options();
  FitTask task;
  task.seeds = context.seeds();
  task.validation_seeds = parse_seeds(options.text("val-seeds"), "val_seeds");
  task.draw = draw_settings(context, model.info(), task.validation_seeds);
  task.teacher_text = options.text("teacher");
  task.teacher = parse_teacher(task.teacher_text);
  if (options.has("fit-memory")) task.fit.memory = parse_bytes(options.text("fit-memory"), "--fit-memory");
  PlanFitOptions& fit = task.fit;
  const FitMethod& method = find_fit_method(options.text("method"));
  fit.free = PlanFree::parse(options.text_or("parametrisation", method.parametrisation));
  fit.residual = options.text_or("residual", method.residual);
  fit.compare = end_point_map(fit.residual, model.denoiser);
  fit.sigma_min = options.has("sigma-min") ? options.number("sigma-min") : model.info().sigma_min;
  fit.sigma_max = options.has("sigma-max") ? options.number("sigma-max") : model.info().sigma_max;
  fit.starts = options.integer("restarts");
  fit.iterations = options.integer("iterations");
  fit.weight_prior = options.number("weight-prior");
  fit.scale_prior = options.number("scale-prior");
  if (options.has("huber")) fit.huber = options.number("huber");
  fit.rows = options.integer("fit-rows");
  if (options.has("budget-evals")) fit.budget_evaluations = options.integer("budget-evals");
  if (options.has("init-plan")) fit.initial = Plan::load(options.text("init-plan"));
  fit.nfe = fit.initial && !options.given("nfe") ? fit.initial->nfe() : options.integer("nfe");
  if (const std::string final = options.text("final"); final != "best") fit.ends = {parse_final(final)};
  if (fit.initial)
    require_one_start(*fit.initial, options.asked("final") ? std::optional(options.text("final")) : std::nullopt,
                      options.asked("restarts"));
  if (const std::string reason = task.invalid_reason(); !reason.empty()) throw UsageError(reason);
  return task;
}

OptionTable fit_options() {
  return {{.name = "nfe",
           .kind = ValueKind::integer,
           .fallback = "5",
           .value = "N",
           .help = "evaluations of the plan",
           .group = kGroup,
           .key = "fit.nfe"},
          {.name = "method",
           .fallback = "stride",
           .value = "NAME",
           .help = method_help(),
           .group = kGroup,
           .key = "fit.method",
           .choices = method_names()},
          {.name = "parametrisation",
           .value = "PARTS",
           .help = "what is fitted, of grid, weights and times, e.g. grid+weights (default: the method's)",
           .group = kGroup,
           .key = "fit.parametrisation"},
          {.name = "optimiser",
           .value = "NAME",
           .help = "lm: Levenberg-Marquardt with finite differences (default: the method's)",
           .group = kGroup,
           .key = "fit.optimiser",
           .choices = {"lm"}},
          {.name = "residual",
           .value = "WHAT",
           .help = "what is compared of end points: pixels, encoder (the model's own UNet) or features:CARD (default: "
                   "the method's)",
           .group = kGroup,
           .key = "fit.residual"},
          {.name = "teacher",
           .fallback = "heun:steps=40",
           .value = "NAME[:key=value,...]",
           .help = "whose end points to meet; its options may be steps, schedule and final too",
           .group = kGroup,
           .key = "fit.teacher"},
          {.name = "val-seeds",
           .fallback = "5000-5127",
           .value = "LIST",
           .help = "seeds that the plan is chosen on",
           .group = kGroup,
           .key = "fit.val_seeds"},
          {.name = "final",
           .fallback = "best",
           .value = "END",
           .help = "zero: the last step jumps to 0; best: try both",
           .group = kGroup,
           .key = "fit.final",
           .choices = {"best", "zero", "sigma_min"}},
          {.name = "sigma-min",
           .kind = ValueKind::number,
           .value = "S",
           .help = "smallest noise level (default: the model's)",
           .group = kGroup,
           .key = "fit.sigma_min"},
          {.name = "sigma-max",
           .kind = ValueKind::number,
           .value = "S",
           .help = "where sampling starts (default: the model's)",
           .group = kGroup,
           .key = "fit.sigma_max"},
          {.name = "restarts",
           .kind = ValueKind::integer,
           .fallback = "2",
           .value = "N",
           .help = "grids that each end is started from, 1 to 5",
           .group = kGroup,
           .key = "fit.restarts"},
          {.name = "iterations",
           .kind = ValueKind::integer,
           .fallback = "16",
           .value = "N",
           .help = "Levenberg-Marquardt steps of the start that goes on",
           .group = kGroup,
           .key = "fit.iterations"},
          {.name = "weight-prior",
           .kind = ValueKind::number,
           .fallback = "0.001",
           .value = "P",
           .help = "pull of the weights to Adams-Bashforth's",
           .group = kGroup,
           .key = "fit.weight_prior"},
          {.name = "scale-prior",
           .kind = ValueKind::number,
           .fallback = "0.01",
           .value = "P",
           .help = "pull of the model times to the grid's",
           .group = kGroup,
           .key = "fit.scale_prior"},
          {.name = "huber",
           .kind = ValueKind::number,
           .value = "T",
           .help = "robust loss: a sample counts less beyond T times the median residual",
           .group = kGroup,
           .key = "fit.huber"},
          {.name = "budget-evals",
           .kind = ValueKind::integer,
           .value = "N",
           .help = "end with the best so far after N denoiser calls",
           .group = kGroup,
           .key = "fit.budget_evals"},
          {.name = "fit-rows",
           .kind = ValueKind::integer,
           .fallback = "1024",
           .value = "N",
           .help = "turned plans' samples that run together, at most",
           .group = kGroup,
           .key = "fit.rows"},
          {.name = "fit-memory",
           .value = "BYTES",
           .help = "memory for all that the fit computes, e.g. 512M: fewer run together where they need more",
           .group = kGroup,
           .key = "fit.memory"},
          {.name = "init-plan",
           .value = "FILE",
           .help = "start from this plan, at its own end",
           .group = kGroup,
           .key = "fit.init_plan"},
          {.name = "plan-out",
           .value = "FILE",
           .help = "where the plan goes, beside plan.json in the run folder",
           .group = kGroup,
           .key = "fit.plan_out",
           .writes = Writes::file}};
}

}  // namespace stride
