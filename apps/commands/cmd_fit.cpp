// stride fit: a few-step plan from a denoiser.
#include "adaptive/plan/plan_fit.h"
#include "adaptive/plan/plan_memory.h"
#include "apps/cli/command.h"
#include "apps/cli/sampling_options.h"
#include "apps/commands/fit_request.h"
#include "framework/files/file.h"
#include "pipeline/provenance.h"
#include "pipeline/seeds.h"
#include "pipeline/teacher.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

constexpr const char* kPlanName = "plan.json";

class FitCommand final : public Command {
 public:
  [[nodiscard]] const CommandInfo& info() const noexcept override { return info_; }

  [[nodiscard]] ExitCode run(Context& context) const override {
    const LoadedModel model = load_model(context.options().text("model"), context.device(), context.dtype());
    FitRequest request = fit_request(context.options(), context.seeds(), model);
    const Sampler teacher = make_sampler(request.teacher, model.info(), &model.source.card, context.device());
    require_one_answer(teacher);
    const DrawSettings settings = draw_settings(context, model.info());
    require_made_for(teacher, model.info(), settings);
    warn(context, run_warnings(teacher, settings));
    if (context.dry_run()) return context.plan(plan_of(context, model, request));

    note_model(context, model);
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

    if (request.memory)
      request.fit.rows = std::min(request.fit.rows, rows_within(*request.memory, model, settings, train, request.fit));
    PlanFitResult fit;
    {
      ProgressBar bar = context.progress(fmt::format("fitting NFE {}", request.fit.nfe));
      fit = fit_plan(*model.denoiser, settings.guidance, train, validation, request.fit, bar.fn());
    }
    if (fit.plan.nfe() == 0) return context.stopped("nothing yet: no plan was measured");
    fit.plan.model_sha256 = model.info().sha256;
    fit.plan.made_with = record_of(teacher, model.info(), settings, settings.seeds, request.validation_seeds);
    fit.plan.fit_json = fit_report_json(
        fit, request.fit, {request.teacher_text, format_seeds(settings.seeds), format_seeds(request.validation_seeds)});
    return report(context, run, request.fit, fit);
  }

 private:
  static std::vector<std::pair<std::string, std::string>> plan_of(const Context& context, const LoadedModel& model,
                                                                  const FitRequest& request) {
    const PlanFitOptions& fit = request.fit;
    const PlanParameters space(
        {.nfe = fit.nfe, .sigma_min = fit.sigma_min, .sigma_max = fit.sigma_max, .free = fit.free});
    std::string ends;
    for (const Final end : fit.ends) ends += (ends.empty() ? "" : " and ") + std::string(to_string(end));
    return {{"model", fmt::format("{} ({}), {}", model.info().name, model.info().kind, model.source.where)},
            {"device", context.device().str()},
            {"plan", fmt::format("{} evaluations, {} parameters: {}", fit.nfe, space.size(), fit.free.text())},
            {"residual", fit.residual},
            {"ends", fit.initial ? "the plan's" : ends},
            {"sigma", fmt::format("{} to {}", fit.sigma_max, fit.sigma_min)},
            {"teacher", request.teacher_text},
            {"samples",
             fmt::format("{} to fit to, {} to choose by", context.seeds().size(), request.validation_seeds.size())}};
  }

  static int64_t rows_within(int64_t bytes, const LoadedModel& model, const DrawSettings& settings,
                             const PlanFitData& data, const PlanFitOptions& fit) {
    const PlanParameters space({.nfe = fit.nfe, .sigma_min = fit.sigma_min, .sigma_max = fit.sigma_max});
    const Plan plan = space.plan(std::vector<double>(static_cast<std::size_t>(space.size()), 0.0));
    return plan_rows_within(bytes, plan, {*model.denoiser, settings.guidance, data.start, data.condition, fit.compare});
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

  static ExitCode report(Context& context, const RunDir& run, const PlanFitOptions& options, const PlanFitResult& fit) {
    const std::string in_pixels =
        options.compare ? fmt::format(", in {}; in pixels {:.4g}", options.residual, fit.validation_pixels) : "";
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
    context.print(fmt::format(
        "plan         {} evaluations, ends at {}\n"
        "fitted       {}\n"
        "rmse         {:.4g} on the validation seeds, iPNDM's there {:.4g}{}\n"
        "fit          {} iterations, {} denoiser calls, {:.1f} s; {}\n"
        "saved        {}\n",
        fit.plan.nfe(), fit.plan.final_zero() ? "zero" : "sigma_min", options.free.text(), fit.validation_after,
        fit.validation_before, in_pixels, fit.iterations, fit.evaluations, fit.seconds, fit.end, where));
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
      .options = sampling_options({.grid = false, .policy = false, .starts = false, .solver = ""}) + fit_options(),
      .default_seeds = "0-255"};
};

}  // namespace

std::unique_ptr<Command> make_cmd_fit() { return std::make_unique<FitCommand>(); }

}  // namespace stride
