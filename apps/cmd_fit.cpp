// stride fit: a few-step plan from a denoiser.
#include "adaptive/plan_fit.h"
#include "apps/command.h"
#include "apps/evaluation.h"
#include "apps/sampling.h"
#include "framework/file.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <algorithm>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

constexpr const char* kPlanName = "plan.json";
constexpr const char* kGroup = "Fit";

/// What the options ask for, checked.
struct FitRequest {
  PlanFitOptions fit;
  SamplerSpec teacher;
  std::string teacher_text;
  std::vector<int64_t> validation_seeds;
};

FitRequest request_of(const Context& context, const ModelInfo& model) {
  const OptionValues& options = context.options();
  FitRequest request;
  PlanFitOptions& fit = request.fit;
  fit.sigma_min = options.has("sigma-min") ? options.number("sigma-min") : model.sigma_min;
  fit.sigma_max = options.has("sigma-max") ? options.number("sigma-max") : model.sigma_max;
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
  if (const std::string reason = fit.invalid_reason(); !reason.empty()) throw UsageError(reason);
  if (fit.initial) {
    const Final end = fit.initial->final_zero() ? Final::zero : Final::sigma_min;
    const PlanParameters space({.nfe = fit.nfe, .final = end, .sigma_min = fit.sigma_min, .sigma_max = fit.sigma_max});
    (void)space.parameters(*fit.initial);  // throws when the plan lies elsewhere
  }
  request.teacher_text = options.text("teacher");
  request.teacher = parse_teacher(request.teacher_text);
  request.teacher.sigma_min = fit.sigma_min;
  request.teacher.sigma_max = fit.sigma_max;
  request.validation_seeds = parse_seeds(options.text("val-seeds"));
  for (const int64_t seed : request.validation_seeds) {
    if (std::find(context.seeds().begin(), context.seeds().end(), seed) != context.seeds().end())
      throw UsageError(fmt::format("--val-seeds: seed {} is fitted to; choose the plan on other seeds", seed));
  }
  return request;
}

class FitCommand final : public Command {
 public:
  [[nodiscard]] const CommandInfo& info() const noexcept override { return info_; }

  [[nodiscard]] ExitCode run(Context& context) const override {
    const LoadedModel model = load_model(context.options().text("model"), context.device(), context.dtype());
    const FitRequest request = request_of(context, model.info());
    const Sampler teacher = make_sampler(request.teacher, model.info(), &model.source.card, context.device());
    if (!teacher.fixed() || teacher.solver->traits().stochastic)
      throw UsageError(fmt::format("--teacher {}: plans are fitted to the end points of a deterministic solver",
                                   request.teacher_text));
    const DrawSettings settings = draw_settings(context, model.info());
    if (context.dry_run()) return context.plan(plan_of(context, model, request));

    context.add_input(model.source.where, model.info().sha256);
    RunDir& run = context.run_dir();
    std::vector<int64_t> all = settings.seeds;
    all.insert(all.end(), request.validation_seeds.begin(), request.validation_seeds.end());
    DrawSettings both = settings;
    both.seeds = all;
    const Draws ends = teach(context, teacher, model, both);
    if (ends.stopped) return context.stopped("nothing yet: the teacher's end points were not finished");
    const auto split = static_cast<int64_t>(settings.seeds.size());
    const auto total = static_cast<int64_t>(all.size());
    const PlanFitData train = data(model, both, request, ends, 0, split);
    const PlanFitData validation = data(model, both, request, ends, split, total - split);

    PlanFitResult fit;
    {
      ProgressBar bar = context.progress(fmt::format("fitting NFE {}", request.fit.nfe));
      fit = fit_plan(*model.denoiser, settings.guidance, train, validation, request.fit, bar.fn());
    }
    if (fit.plan.nfe() == 0) return context.stopped("nothing yet: no plan was measured");
    fit.plan.model_sha256 = model.info().sha256;
    fit.plan.fit_json = fit_report_json(
        fit, request.fit, {request.teacher_text, format_seeds(settings.seeds), format_seeds(request.validation_seeds)});
    return report(context, run, fit);
  }

 private:
  static std::vector<std::pair<std::string, std::string>> plan_of(const Context& context, const LoadedModel& model,
                                                                  const FitRequest& request) {
    const PlanFitOptions& fit = request.fit;
    const PlanParameters space({.nfe = fit.nfe, .sigma_min = fit.sigma_min, .sigma_max = fit.sigma_max});
    std::string ends;
    for (const Final end : fit.ends) ends += (ends.empty() ? "" : " and ") + std::string(to_string(end));
    return {{"model", fmt::format("{} ({}), {}", model.info().name, model.info().kind, model.source.where)},
            {"device", context.device().str()},
            {"plan", fmt::format("{} evaluations, {} parameters", fit.nfe, space.size())},
            {"ends", fit.initial ? "the plan's" : ends},
            {"sigma", fmt::format("{} to {}", fit.sigma_max, fit.sigma_min)},
            {"teacher", request.teacher_text},
            {"samples",
             fmt::format("{} to fit to, {} to choose by", context.seeds().size(), request.validation_seeds.size())}};
  }

  static Draws teach(Context& context, const Sampler& teacher, const LoadedModel& model, const DrawSettings& settings) {
    ProgressBar bar = context.progress("teacher", static_cast<int64_t>(settings.seeds.size()));
    DrawHooks hooks;
    hooks.progress = bar.fn();
    Draws ends = draw(teacher, *model.denoiser, settings, hooks);
    if (!ends.stopped && ends.status.ne(static_cast<int8_t>(Status::ok)).any().item<bool>())
      throw QualityError("the teacher has samples that did not end well; check the model and its sigma range");
    return ends;
  }

  static PlanFitData data(const LoadedModel& model, const DrawSettings& settings, const FitRequest& request,
                          const Draws& ends, int64_t first, int64_t count) {
    return {start_points(settings, model.info(), request.fit.sigma_max, first, count),
            ends.x.slice(0, first, first + count).to(settings.device),
            make_condition(model.info(), settings.label, count, settings.device)};
  }

  static ExitCode report(Context& context, const RunDir& run, const PlanFitResult& fit) {
    const std::string text = fit.plan.to_json();
    run.write(kPlanName, text);
    std::string where = run.file(kPlanName);
    if (context.options().has("plan-out")) write_file_atomic(where = context.options().text("plan-out"), text);
    if (context.stop()) return context.stopped(fmt::format("the best plan so far is in {}", where));
    const nlohmann::json result = {{"plan", where},
                                   {"nfe", fit.plan.nfe()},
                                   {"final", fit.plan.final_zero() ? "zero" : "sigma_min"},
                                   {"fit", nlohmann::json::parse(fit.plan.fit_json)}};
    run.write("results.json", result.dump(2) + "\n");
    context.print(
        fmt::format("plan         {} evaluations, ends at {}\n"
                    "rmse         {:.4g} on the validation seeds, iPNDM's there {:.4g}\n"
                    "fit          {} iterations, {} denoiser calls, {:.1f} s; {}\n"
                    "saved        {}\n",
                    fit.plan.nfe(), fit.plan.final_zero() ? "zero" : "sigma_min", fit.validation_after,
                    fit.validation_before, fit.iterations, fit.evaluations, fit.seconds, fit.end, where));
    return context.done(result.dump());
  }

  CommandInfo info_{
      .name = "fit",
      .summary = "fit a few-step plan to a denoiser",
      .description =
          "Finds the grid, history weights and model times of an N-evaluation sampler whose end points lie nearest to "
          "a teacher's, by Levenberg-Marquardt with finite differences: the denoiser is only evaluated. The plan that "
          "is best on the validation seeds is kept; run it as --solver plan:FILE.",
      .example =
          "stride fit --nfe 5 --plan-out plan5.json\n"
          "stride sample --solver plan:plan5.json --seeds 0-15\n"
          "draws 16 samples with 5 evaluations each",
      .common = {.compute = true, .seeds = true, .run = true},
      .options = sampling_options({.grid = false, .policy = false, .starts = false, .solver = ""}) +
                 OptionTable{{.name = "nfe",
                              .kind = ValueKind::integer,
                              .fallback = "5",
                              .value = "N",
                              .help = "evaluations of the plan",
                              .group = kGroup,
                              .key = "fit.nfe"},
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
                              .help = "turned plans' samples that run together: bounds the memory",
                              .group = kGroup,
                              .key = "fit.rows"},
                             {.name = "init-plan",
                              .value = "FILE",
                              .help = "start from this plan, at its own end",
                              .group = kGroup,
                              .key = "fit.init_plan"},
                             {.name = "plan-out",
                              .value = "FILE",
                              .help = "where the plan goes, beside plan.json in the run folder",
                              .group = kGroup,
                              .key = "fit.plan_out"}},
      .default_seeds = "0-255"};
};

}  // namespace

std::unique_ptr<Command> make_cmd_fit() { return std::make_unique<FitCommand>(); }

}  // namespace stride
