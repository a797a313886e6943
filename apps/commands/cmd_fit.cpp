// stride fit: a few-step plan from a denoiser.
#include "apps/cli/command.h"
#include "apps/cli/outputs.h"
#include "apps/cli/sampling_options.h"
#include "apps/commands/fit_request.h"
#include "framework/files/file.h"
#include "pipeline/provenance.h"

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
    if (const auto code = context.finished({kPlanName})) return *code;
    const LoadedModel model = model_of(context);
    const FitTask task = fit_task(context, model);
    const Sampler teacher = fit_teacher(task, model.info(), &model.source.card);
    warn(context, run_warnings(teacher, task.draw));
    if (context.dry_run()) return context.plan(plan_of(context, model, task));

    note_model(context, model);
    RunDir& run = context.run_dir();
    if (context.resumed_from()) context.log().info("the fit begins again: it keeps its best plan, not where it stood");
    std::optional<FitData> data;
    {
      const auto samples = static_cast<int64_t>(task.seeds.size() + task.validation_seeds.size());
      ProgressBar bar = context.progress("teacher", samples);
      data = teacher_end_points(teacher, *model.denoiser, task, bar.fn());
    }
    if (!data) return context.stopped("nothing yet: the teacher's end points were not finished");
    PlanFitResult fit;
    {
      ProgressBar bar = context.progress(fmt::format("fitting NFE {}", task.fit.nfe));
      fit = fit_to(*data, *model.denoiser, task, bar.fn());
    }
    if (fit.plan.nfe() == 0) return context.stopped("nothing yet: no plan was measured");
    return report(context, run, task.fit, fit);
  }

 private:
  static std::vector<std::pair<std::string, std::string>> plan_of(const Context& context, const LoadedModel& model,
                                                                  const FitTask& task) {
    const PlanFitOptions& fit = task.fit;
    const PlanParameters space(
        {.nfe = fit.nfe, .sigma_min = fit.sigma_min, .sigma_max = fit.sigma_max, .free = fit.free});
    std::string ends;
    for (const Final end : fit.ends) ends += (ends.empty() ? "" : " and ") + std::string(to_string(end));
    return {
        {"model", fmt::format("{} ({}), {}", model.info().name, model.info().kind, model.source.where)},
        {"device", context.device().str()},
        {"plan", fmt::format("{} evaluations, {} parameters: {}", fit.nfe, space.size(), fit.free.text())},
        {"residual", fit.residual},
        {"ends", fit.initial ? "the plan's" : ends},
        {"sigma", fmt::format("{} to {}", fit.sigma_max, fit.sigma_min)},
        {"teacher", task.teacher_text},
        {"samples", fmt::format("{} to fit to, {} to choose by", context.seed_count(), task.validation_seeds.size())}};
  }

  static ExitCode report(Context& context, const RunDir& run, const PlanFitOptions& options, const PlanFitResult& fit) {
    const std::string in_pixels =
        options.compare ? fmt::format(", in {}; in pixels {:.4g}", options.residual, fit.validation_pixels) : "";
    const std::string text = fit.plan.to_json();
    run.write(kPlanName, text);
    const std::string kept = run.file(kPlanName);
    const std::string where = context.options().text_or("plan-out", kept);
    if (where != kept) copy_out(kept, where);
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
