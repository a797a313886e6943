// stride evaluate: samplers and policies on one denoiser, side by side.
#include "apps/cli/command.h"
#include "apps/cli/feature_options.h"
#include "apps/cli/image_options.h"
#include "apps/cli/sampling_options.h"
#include "evaluation/evaluation.h"
#include "evaluation/evaluation_output.h"
#include "evaluation/evaluation_summary.h"
#include "evaluation/evaluation_warnings.h"
#include "evaluation/feature_setup.h"
#include "evaluation/report/report.h"
#include "evaluation/results_table.h"
#include "evaluation/sweep.h"
#include "framework/files/file.h"
#include "pipeline/provenance.h"
#include "pipeline/seeds.h"
#include "pipeline/teacher.h"
#include "solvers/hybrid.h"
#include "solvers/names.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

// "3-6,8", by the rules of --seeds.
std::vector<int64_t> counts(const OptionValues& options, const std::string& name) {
  if (!options.has(name)) return {};
  constexpr std::size_t kMost = 1000;
  std::vector<int64_t> out;
  try {
    out = parse_seeds(options.text(name));
  } catch (const UsageError&) {
    throw UsageError(fmt::format("--{} {}: write at most {} numbers, by themselves or as ranges, e.g. 3-6,8", name,
                                 options.text(name), kMost));
  }
  if (out.size() > kMost)
    throw UsageError(fmt::format("--{} {}: {} grids of each sampler are too many; give at most {}", name,
                                 options.text(name), out.size(), kMost));
  return out;
}

SamplerSweep sweep_of(const OptionValues& options) {
  SamplerSweep sweep;
  sweep.solvers = options.list("solver");
  sweep.schedules = options.list("schedule");
  sweep.policies = options.list("policy");
  const std::string final = options.text("final");
  sweep.finals =
      final == "both" ? std::vector<Final>{Final::zero, Final::sigma_min} : std::vector<Final>{parse_final(final)};
  sweep.nfe = counts(options, "nfe");
  sweep.steps = counts(options, "steps");
  if (!sweep.nfe.empty() && !sweep.steps.empty())
    throw UsageError("--nfe and --steps exclude each other: give one of them");
  if (sweep.nfe.empty() && sweep.steps.empty()) sweep.nfe = {4, 6, 8};
  if (options.has("sigma-min")) sweep.base.sigma_min = options.number("sigma-min");
  if (options.has("sigma-max")) sweep.base.sigma_max = options.number("sigma-max");
  sweep.base.noise_schedule = options.text_or("noise-schedule", "");
  sweep.base.allow_model_mismatch = options.flag("allow-model-mismatch");
  return sweep;
}

class EvaluateCommand final : public Command {
 public:
  [[nodiscard]] const CommandInfo& info() const noexcept override { return info_; }

  [[nodiscard]] ExitCode run(Context& context) const override {
    const OptionValues& options = context.options();
    const LoadedModel model = model_of(context);
    EvaluationSettings settings;
    settings.draw = draw_settings(context, model.info());
    settings.teacher = parse_teacher(options.text("teacher"));
    settings.teacher.sigma_min = options.has("sigma-min") ? std::optional(options.number("sigma-min")) : std::nullopt;
    settings.teacher.sigma_max = options.has("sigma-max") ? std::optional(options.number("sigma-max")) : std::nullopt;
    settings.blocks = options.integer("blocks");
    settings.metrics = parse_metrics(options.text("metric"));
    settings.images = options.integer("images");
    settings.pictures = image_stages(context);
    ModelInfo shown = model.info();
    shown.shape = settings.pictures.out_shape(shown.shape);
    settings.features = make_feature_setup(feature_request(context), options.text_or("ref", ""), shown);
    std::vector<std::string> skipped;
    settings.samplers = sweep_specs(sweep_of(options), model.info(), &model.source.card, skipped);
    if (const std::string reason = settings.invalid_reason(); !reason.empty()) throw UsageError(reason);
    for (const std::string& metric : settings.metrics) {
      if (metric_needs(metric).mixture && model.info().kind != "gaussian_mixture")
        throw UsageError(fmt::format("the metric {} needs a model whose law is known, a gaussian_mixture; '{}' is a {}",
                                     metric, model.info().name, model.info().kind));
    }
    require_possible(model, settings);
    for (const std::string& line : skipped) say(context, "left out: " + line);
    settings.notes = without_use(options, settings);
    warn(context, evaluation_warnings(model.info(), &model.source.card, settings));
    if (context.dry_run()) return context.plan(plan_of(context, model, settings));

    note_model(context, model);
    RunDir& run = context.run_dir();
    EvaluationResult earlier;
    EvaluationHooks hooks;
    if (context.resumed_from() && file_exists(run.file("results.json"))) {
      earlier = load_evaluation(run.path());
      hooks.earlier = &earlier;
      context.log().info(
          fmt::format("{} of {} samplers are there already", earlier.samplers.size(), settings.samplers.size()));
    }
    ProgressBar bar = context.progress("evaluating");
    hooks.progress = bar.fn();
    hooks.finished = [&](const EvaluationResult& so_far) { save_evaluation(run.path(), so_far); };
    const EvaluationResult result = evaluate(*model.denoiser, &model.source.card, settings, hooks);
    bar.close();
    if (!result.complete) {
      return context.stopped(result.samplers.empty()
                                 ? "no sampler was finished, and nothing was written"
                                 : fmt::format("{} of {} samplers are in {}", result.samplers.size(),
                                               settings.samplers.size(), run.file("results.json")));
    }
    const std::string report = run.file("report.html");
    run.write("report.html", report_html(load_report({run.path()})));
    context.print(results_table(result));
    const std::string comparisons = comparison_text(result);
    if (!comparisons.empty()) context.print("\n" + comparisons);
    context.print(fmt::format("\n{}\nresults  {}\nreport   {}\n", headline(result), run.file("results.csv"), report));
    return finish(context, result, report);
  }

 private:
  // What would else be said when the run has begun.
  static void require_possible(const LoadedModel& model, const EvaluationSettings& settings) {
    const ModelCard* card = &model.source.card;
    const Sampler teacher = make_sampler(settings.teacher, model.info(), card);
    if (settings.measured_from_teacher()) require_one_answer(teacher);
    require_made_for(teacher, model.info(), settings.draw);
    for (const SamplerSpec& spec : settings.samplers)
      require_made_for(make_sampler(spec, model.info(), card), model.info(), settings.draw);
  }

  // Options that nothing in this evaluation looks at.
  static std::vector<std::string> without_use(const OptionValues& options, const EvaluationSettings& settings) {
    std::vector<std::string> out;
    const auto has = [&](bool MetricNeeds::*need) {
      return std::any_of(settings.metrics.begin(), settings.metrics.end(),
                         [&](const std::string& metric) { return metric_needs(metric).*need; });
    };
    const auto note = [&](const char* option, const char* why) {
      if (options.asked(option)) out.push_back(fmt::format("`{}` has no effect: {}", option, why));
    };
    const auto any = [&](const auto& test) {
      return std::any_of(settings.samplers.begin(), settings.samplers.end(), test);
    };
    const auto own_levels = [](const SamplerSpec& spec) { return spec.solver.starts_with("plan:"); };
    const auto adaptive = [](const SamplerSpec& spec) { return spec.policy != "fixed"; };
    const bool on_grids = any([&](const SamplerSpec& spec) { return !adaptive(spec) && !own_levels(spec); });
    if (!any([&](const SamplerSpec& spec) { return !adaptive(spec) && !own_levels(spec) && !is_hybrid(spec.solver); }))
      for (const char* option : {"nfe", "steps"})
        note(option, "plans, hybrids and adaptive policies have their own counts");
    if (!on_grids) note("schedule", "plans bring their levels, and adaptive policies choose them");
    if (std::all_of(settings.samplers.begin(), settings.samplers.end(), own_levels))
      for (const char* option : {"final", "noise-schedule"}) note(option, "plans bring their levels and their end");
    if (any(adaptive) && options.text("final") == "both")
      out.push_back("`final` both: adaptive policies are run to one end, zero");
    for (const std::string& name : options.list("solver")) {
      const std::string own = resolve_sampler_name(name).schedule;
      if (!own.empty() && options.asked("schedule"))
        out.push_back(fmt::format("`schedule` has no effect on {}, whose name says {}", name, own));
    }
    if (!has(&MetricNeeds::features)) note("features", "no metric here is measured in features");
    if (!settings.features.features) note("quantise", "it is for a feature network, and there is none");
    if (!has(&MetricNeeds::reference)) note("ref", "no metric here compares with real samples");
    return out;
  }

  static std::vector<std::pair<std::string, std::string>> plan_of(const Context& context, const LoadedModel& model,
                                                                  const EvaluationSettings& settings) {
    std::vector<std::pair<std::string, std::string>> lines = {
        {"model", fmt::format("{} ({}), {}", model.info().name, model.info().kind, model.source.where)},
        {"device", context.device().str()},
        {"samples", fmt::format("{}, in {} blocks", context.seeds_text(), settings.blocks)},
        {"teacher", teacher_text(settings.teacher)},
        {"metrics", fmt::format("{}", fmt::join(settings.metrics, ", "))}};
    if (settings.features.features)
      lines.emplace_back("features",
                         fmt::format("{}, quantisation {}", settings.features.name, settings.features.quantisation));
    for (const SamplerSpec& spec : settings.samplers) {
      const Sampler sampler = make_sampler(spec, model.info(), &model.source.card);
      const auto nfe = sampler.claimed_nfe();
      lines.emplace_back("sampler", fmt::format("{} · {} · {} · {}{}", spec.solver, sampler.spec.schedule,
                                                to_string(sampler.spec.final), spec.policy,
                                                nfe ? fmt::format(" · NFE {}", *nfe) : ""));
    }
    return lines;
  }

  static ExitCode finish(Context& context, const EvaluationResult& result, const std::string& report) {
    nlohmann::json out = {{"samplers", result.samplers.size()}, {"headline", headline(result)}, {"report", report}};
    const int64_t bad = not_finite(result), short_of_end = gave_up(result);
    out["not_finite"] = bad;
    out["gave_up"] = short_of_end;
    if (bad + short_of_end == 0) return context.done(out.dump());
    if (bad > 0)
      context.log().error(fmt::format("{} samples did not stay finite; results.json says of which samplers", bad));
    if (short_of_end > 0)
      context.log().error(
          fmt::format("{} samples ran out of steps before their end, and metrics hold them as they "
                      "stood; results.json says of which samplers",
                      short_of_end));
    return context.done(out.dump(), ExitCode::non_finite);
  }

  CommandInfo info_{
      .name = "evaluate",
      .summary = "compare samplers and policies on one denoiser",
      .description =
          "Runs every solver at every NFE on every schedule from the same seeds, and measures each against a teacher: "
          "quality with 95 % intervals over "
          "blocks of seeds, network evaluations, time and memory. Ends in results.csv, results.json and report.html.",
      .example =
          "stride evaluate --solver ipndm --solver plan:plan-5.json --nfe 3-6 --seeds 10000-10511\n"
          "compares the plan with ipndm at 3 to 6 evaluations",
      .common = {.compute = true, .seeds = true, .run = true},
      .options =
          sampling_options({.several = true, .grid = false, .policy = false, .trust = false, .solver = ""}) +
          OptionTable{{.name = "solver",
                       .fallback = "ipndm",
                       .value = "NAME[:key=value,...]",
                       .help = "what to compare, e.g. ipndm, plan:FILE.json",
                       .group = "Samplers",
                       .key = "evaluate.solver",
                       .repeatable = true},
                      {.name = "policy",
                       .fallback = "fixed",
                       .value = "NAME[:key=value,...]",
                       .help = "who chooses the steps: fixed, pi:atol=A, predictor:FILE",
                       .group = "Samplers",
                       .key = "evaluate.policy",
                       .repeatable = true},
                      {.name = "schedule",
                       .fallback = "karras",
                       .value = "NAME[:key=value,...]",
                       .help = "grids for the fixed policy",
                       .group = "Samplers",
                       .key = "evaluate.schedule",
                       .repeatable = true},
                      {.name = "nfe",
                       .value = "LIST",
                       .help = "evaluations per sample, e.g. 3-6,8 (default 4,6,8)",
                       .group = "Samplers",
                       .key = "evaluate.nfe"},
                      {.name = "steps",
                       .value = "LIST",
                       .help = "in place of --nfe: intervals of the grid",
                       .group = "Samplers",
                       .key = "evaluate.steps"},
                      {.name = "final",
                       .fallback = "zero",
                       .value = "END",
                       .help = "end of the grids: zero, sigma_min or both",
                       .group = "Samplers",
                       .key = "evaluate.final",
                       .choices = {"zero", "sigma_min", "both"}},
                      {.name = "sigma-min",
                       .kind = ValueKind::number,
                       .value = "S",
                       .help = "smallest noise level (default: the model's)",
                       .group = "Samplers",
                       .key = "evaluate.sigma_min"},
                      {.name = "sigma-max",
                       .kind = ValueKind::number,
                       .value = "S",
                       .help = "where sampling starts (default: the model's)",
                       .group = "Samplers",
                       .key = "evaluate.sigma_max"},
                      {.name = "noise-schedule",
                       .value = "NAME[:key=value,...]",
                       .help = "the noise levels behind timestep grids; `stride list noise-schedules` shows all "
                               "(default: the model's, else linear)",
                       .group = "Samplers",
                       .key = "evaluate.noise_schedule"},
                      {.name = "teacher",
                       .fallback = "heun:steps=40",
                       .value = "NAME:steps=N",
                       .help = "what samples are measured against; also nfe=, schedule=, final=",
                       .group = "Measuring",
                       .key = "evaluate.teacher"},
                      {.name = "metric",
                       .fallback = "rmse",
                       .value = "LIST",
                       .help = "of " + metric_names() + "; docs/evaluation.md defines them",
                       .group = "Measuring",
                       .key = "evaluate.metric"},
                      {.name = "ref",
                       .value = "FILE|DIR|NAME",
                       .help = "real images, or their statistics (.npz), that fd, kid and the like compare with; "
                               "`digits` and `cifar10` are embedded",
                       .group = "Measuring",
                       .key = "evaluate.ref"},
                      {.name = "blocks",
                       .kind = ValueKind::integer,
                       .fallback = "8",
                       .value = "N",
                       .help = "blocks of seeds behind the intervals",
                       .group = "Measuring",
                       .key = "evaluate.blocks"},
                      {.name = "images",
                       .kind = ValueKind::integer,
                       .fallback = "16",
                       .value = "N",
                       .help = "samples shown in the report",
                       .group = "Measuring",
                       .key = "evaluate.images"}} +
          feature_options("evaluate") + image_options("evaluate"),
      .default_seeds = "10000-10255"};
};

}  // namespace

std::unique_ptr<Command> make_cmd_evaluate() { return std::make_unique<EvaluateCommand>(); }

}  // namespace stride
