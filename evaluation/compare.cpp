#include "evaluation/compare.h"

#include "evaluation/evaluation.h"
#include "evaluation/metric_set.h"
#include "evaluation/sweep.h"
#include "framework/error.h"
#include "pipeline/teacher.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace stride {
namespace {

std::vector<Final> ends_of(const std::string& text) {
  if (text == "both") return {Final::zero, Final::sigma_min};
  return {parse_final(text)};
}

SamplerSweep sweep_of(const Contender& contender, const EvaluateSettings& settings) {
  SamplerSweep sweep;
  sweep.base.schedule.clear();
  contender.solver.write(sweep.base);
  contender.policy.write(sweep.base);
  const std::string& name = contender.solver.name();
  sweep.solvers = {sweep.base.own_solver ? sweep.base.own_solver->traits().name
                   : name.empty()        ? sweep.base.solver
                                         : name};
  sweep.policies = {sweep.base.policy};
  sweep.schedules = sweep.base.schedule.empty() ? settings.schedule : std::vector{sweep.base.schedule};
  sweep.finals = ends_of(settings.final);
  sweep.nfe = settings.nfe;
  sweep.steps = settings.steps;
  if (sweep.nfe.empty() && sweep.steps.empty()) sweep.nfe = {4, 6, 8};
  sweep.base.sigma_min = settings.sigma_min;
  sweep.base.sigma_max = settings.sigma_max;
  sweep.base.noise_schedule = settings.noise_schedule;
  sweep.base.allow_model_mismatch = settings.allow_model_mismatch;
  sweep.base.own_grids = settings.own_grids;
  return sweep;
}

}  // namespace

EvaluationResult evaluate(const ModelChoice& model, const std::vector<Contender>& samplers,
                          const EvaluateSettings& settings) {
  if (!settings.nfe.empty() && !settings.steps.empty())
    throw UsageError("`nfe` and `steps` exclude each other: give one of them");
  if (settings.schedule.empty()) throw UsageError("`schedule`: give at least one");
  EvaluationSettings full;
  full.draw = common_draw(settings, model, settings.seeds.numbers());
  full.teacher = parse_teacher(settings.teacher);
  full.teacher.sigma_min = settings.sigma_min;
  full.teacher.sigma_max = settings.sigma_max;
  full.blocks = settings.blocks;
  full.own_metrics = settings.own_metrics;
  full.metrics = parse_metrics(fmt::format("{}", fmt::join(settings.metrics, ",")));
  full.images = settings.images;
  full.features =
      make_feature_setup({.features = settings.features, .quantisation = settings.quantise, .device = settings.device},
                         settings.ref, model.info());
  std::vector<std::string> skipped;
  for (const Contender& contender : samplers) {
    const auto specs = sweep_specs(sweep_of(contender, settings), model.info(), model.card(), skipped);
    for (const SamplerSpec& spec : specs) {
      if (std::find(full.samplers.begin(), full.samplers.end(), spec) == full.samplers.end()) {
        full.samplers.push_back(spec);
      } else {
        skipped.push_back(spec.solver + ": asked for twice");
      }
    }
  }
  if (settings.left_out) std::for_each(skipped.begin(), skipped.end(), settings.left_out);
  EvaluationHooks hooks;
  hooks.progress = settings.progress;
  return evaluate(model.denoiser(), model.card(), full, hooks);
}

}  // namespace stride
