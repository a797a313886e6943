// stride demo: the main job, end to end.
#include "apps/cli/command.h"
#include "apps/cli/sampling_options.h"
#include "apps/commands/demo_stages.h"
#include "evaluation/evaluation_summary.h"
#include "evaluation/results_table.h"
#include "framework/files/file.h"
#include "framework/stopwatch.h"
#include "pipeline/seeds.h"
#include "pipeline/shipped_models.h"
#include "pipeline/teacher.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

constexpr const char *kAuto = "auto", *kPhotographs = "cifar10", *kDigits = "digits";

class DemoCommand final : public Command {
 public:
  [[nodiscard]] const CommandInfo& info() const noexcept override { return info_; }

  [[nodiscard]] ExitCode run(Context& context) const override {
    const OptionValues& options = context.options();
    DemoSettings settings;
    settings.model = model_of(context);
    const LoadedModel model =
        load_model(settings.model, context.device(), context.dtype(), context.options().flag("trust-model"));
    settings.nfe = parse_seeds(options.text("nfe"), "nfe");
    settings.fit_seeds = parse_seeds(options.text("fit-seeds"), "fit_seeds");
    settings.validation_seeds = parse_seeds(options.text("val-seeds"), "val_seeds");
    settings.teacher_text = options.text("teacher");
    settings.teacher = parse_teacher(settings.teacher_text);
    settings.iterations = options.integer("iterations");
    settings.draw = draw_settings(context, model.info());
    if (const std::string reason = settings.invalid_reason(); !reason.empty()) throw UsageError(reason);
    require_one_answer(make_sampler(settings.teacher, model.info(), &model.source.card, context.device()));
    if (context.dry_run()) {
      return context.plan({{"model", fmt::format("{} ({})", model.info().name, model.source.where)},
                           {"device", context.device().str()},
                           {"teacher", teacher_text(settings.teacher)},
                           {"fits", fmt::format("plans for NFE {}", options.text("nfe"))},
                           {"evaluates", fmt::format("{} samples of each sampler", settings.draw.seeds.size())}});
    }
    note_model(context, model);
    const Stopwatch watch;
    RunDir& folder = context.run_dir();
    DemoRun demo{context, folder, model, settings, StageNotes(folder.file("stages.json"))};
    for (const auto stage : {demo_sample, demo_record, demo_fit, demo_predictor, demo_evaluate})
      if (!stage(demo))
        return context.stopped(fmt::format("finished stages are in {}; continue with stride demo --resume {}",
                                           demo.folder.path(), demo.folder.path()));
    return report(context, demo, watch.seconds());
  }

 private:
  static std::string model_of(const Context& context) {
    const std::string& name = context.options().text("model");
    if (name != kAuto) return name;
    return context.device().is_cuda() && shipped_card(kPhotographs) ? kPhotographs : kDigits;
  }

  static OptionTable model_options() {
    OptionTable table = sampling_options({.grid = false, .policy = false, .starts = false, .solver = ""});
    for (Option& option : table) {
      if (option.name != "model") continue;
      option.fallback = kAuto;
      option.help += fmt::format("; auto: {} on a GPU, else {}", kPhotographs, kDigits);
    }
    return table;
  }

  static ExitCode report(Context& context, const DemoRun& demo, double seconds) {
    ReportData data = load_report({demo.folder.path()});
    data.title = fmt::format("Stride on '{}'", demo.model.info().name);
    data.stages = demo.stages.all();
    demo.folder.write("report.json", report_json(data));
    const std::string path = demo.folder.file("report.html");
    demo.folder.write("report.html", report_html(data));
    const EvaluationResult& result = data.evaluations.at(0);
    context.print(results_table(result) + "\n" + comparison_text(result) + "\n" + headline(result) + "\n");
    context.print(
        fmt::format("\ntime     {:.0f} s\nresults  {}\nreport   {}\n", seconds, demo.folder.file("results.csv"), path));
    const int64_t bad = not_finite(result);
    const nlohmann::json out = {
        {"report", path}, {"headline", headline(result)}, {"seconds", seconds}, {"not_finite", bad}};
    return context.done(out.dump(), bad == 0 ? ExitCode::ok : ExitCode::non_finite);
  }

  CommandInfo info_{
      .name = "demo",
      .summary = "the main job, end to end, on an embedded model",
      .description =
          "Samples from a trained denoiser, records teacher trajectories, fits few-step plans and trains a step "
          "predictor on them, evaluates both against other samplers on seeds that neither saw, and writes a report. "
          "Few-step plans are what it shows; steps chosen per sample are work in progress.",
      .example =
          "stride demo\n"
          "takes 40 to 95 s on two CPU cores and ends with a table and the path of report.html",
      .common = {.compute = true, .seeds = true, .run = true},
      .options = model_options() + OptionTable{{.name = "nfe",
                                                .fallback = "3-5",
                                                .value = "LIST",
                                                .help = "evaluations that plans are fitted for",
                                                .group = "Demo",
                                                .key = "demo.nfe"},
                                               {.name = "fit-seeds",
                                                .fallback = "0-127",
                                                .value = "LIST",
                                                .help = "seeds that are recorded and fitted to",
                                                .group = "Demo",
                                                .key = "demo.fit_seeds"},
                                               {.name = "val-seeds",
                                                .fallback = "1000-1127",
                                                .value = "LIST",
                                                .help = "seeds that plans are chosen on",
                                                .group = "Demo",
                                                .key = "demo.val_seeds"},
                                               {.name = "teacher",
                                                .fallback = "heun:steps=32",
                                                .value = "NAME:steps=N",
                                                .help = "what the others are measured against",
                                                .group = "Demo",
                                                .key = "demo.teacher"},
                                               {.name = "iterations",
                                                .kind = ValueKind::integer,
                                                .fallback = "8",
                                                .value = "N",
                                                .help = "Levenberg-Marquardt steps a plan",
                                                .group = "Demo",
                                                .key = "demo.iterations"}},
      .default_seeds = "10000-10255"};
};

}  // namespace

std::unique_ptr<Command> make_cmd_demo() { return std::make_unique<DemoCommand>(); }

}  // namespace stride
