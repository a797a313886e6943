#include "apps/commands/demo_stages.h"

#include "datasets/store/trajectory_store.h"
#include "evaluation/evaluation_output.h"
#include "evaluation/evaluation_summary.h"
#include "evaluation/feature_setup.h"
#include "evaluation/sweep.h"
#include "framework/files/file.h"
#include "framework/stopwatch.h"
#include "neural/predictor/train_predictor.h"
#include "pipeline/fitting.h"
#include "pipeline/recording.h"
#include "pipeline/samples_output.h"
#include "pipeline/store_path.h"
#include "pipeline/trajectory_tap.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace stride {
namespace {

constexpr const char* kPredictor = "predictor.safetensors";
constexpr int64_t kGridImages = 64;
// What a model's samples are measured in; its real images have its name.
struct Judge {
  const char* model;
  const char* features;
  const char* quantisation;
};
constexpr Judge kJudges[] = {{"digits", "features-digits", "none"}, {"cifar10", "features-cifar10", "uint8"}};
const std::vector<int64_t> kMoreNfe = {8, 12, 16, 24};  // where adaptive policies want something to compare with

void note(DemoRun& run, const char* name, const std::string& summary, double seconds, bool goes_on = false) {
  const ReportStage& stage = run.stages.note(name, summary, seconds, goes_on);
  if (!summary.empty()) run.context.log().info(fmt::format("{:<10} {} ({:.1f} s)", name, summary, stage.seconds));
}

bool passes_over(DemoRun& run, const std::string& file) { return run.stages.passes_over(run.folder.file(file)); }

std::string plan_name(int64_t nfe) { return fmt::format("plan-{}.json", nfe); }

Sampler teacher_of(const DemoRun& run) {
  return make_sampler(run.settings.teacher, run.model.info(), &run.model.source.card, run.context.device());
}

}  // namespace

std::string DemoSettings::invalid_reason() const {
  if (nfe.empty()) return "demo: give at least one NFE to fit a plan for";
  for (const int64_t n : nfe)
    if (n < 1 || n > 16)
      return fmt::format("demo: NFE {} is out of range; plans of 1 to 16 evaluations are fitted here", n);
  if (fit_seeds.size() < 16 || validation_seeds.size() < 8 || draw.seeds.size() < 8)
    return "demo: needs at least 16 seeds to fit to, 8 to choose on and 8 to evaluate on";
  for (const int64_t seed : draw.seeds)
    for (const auto* others : {&fit_seeds, &validation_seeds})
      if (std::find(others->begin(), others->end(), seed) != others->end())
        return fmt::format("demo: seed {} is fitted to; evaluate on others, e.g. --seeds 10000-10255", seed);
  return {};
}

bool demo_sample(DemoRun& run) {
  const std::vector<std::string> files =
      parse_save(run.model.info().shape.size() == 3 ? "h5,png" : "h5", run.model.info(), kGridImages);
  // What is written last says that all is there.
  if (passes_over(run, files.size() > 1 ? "grid.png" : "samples.h5")) {
    const MappedSamples sound(run.folder.file("samples.h5"));  // an error where it is damaged
    return true;
  }
  const Stopwatch watch;
  std::vector<int64_t> seeds = run.settings.draw.seeds;
  seeds.resize(std::min<std::size_t>(seeds.size(), kGridImages));
  ProgressBar bar = run.context.progress("sampling", static_cast<int64_t>(seeds.size()));
  DrawHooks hooks;
  hooks.progress = bar.fn();
  const Sampler teacher = teacher_of(run);
  SamplesWriter writer(run.folder.file("samples.h5"),
                       samples_head(teacher, run.model.info(), run.context.dtype(), seeds.size()));
  hooks.chunk = [&](const Tensor& chunk, const RunResult& result) { writer.append(sample_rows(chunk, result)); };
  hooks.keep = false;
  const Draws draws = draw(teacher, *run.model.denoiser, for_seeds(run.settings.draw, seeds), hooks);
  bar.close();
  if (draws.stopped) return false;
  writer.finish();
  save_pictures(run.folder.path(), MappedSamples(run.folder.file("samples.h5")).get(), files);
  note(run, "sample", fmt::format("{} images with the teacher, {}", seeds.size(), run.settings.teacher.solver),
       watch.seconds());
  return true;
}

bool demo_record(DemoRun& run) {
  const Stopwatch watch;
  const Sampler teacher = teacher_of(run);
  const auto points = parse_save_at("all", teacher.grid.steps());
  std::map<std::string, std::string> conditions = store_settings(run.settings.draw);
  const TrajectoryConfig config =
      trajectory_config(run.model.info(), teacher, points, at::kFloat, std::move(conditions));
  std::vector<int64_t> seeds = run.settings.fit_seeds;
  seeds.insert(seeds.end(), run.settings.validation_seeds.begin(), run.settings.validation_seeds.end());
  TrajectoryWriter writer(run.folder.file(kStoreFolder), config, {});
  DrawSettings rest = run.settings.draw;
  rest.seeds = writer.missing(seeds);
  if (rest.seeds.empty() && passes_over(run, kStoreFolder)) return true;
  ProgressBar bar = run.context.progress("recording", static_cast<int64_t>(rest.seeds.size()));
  const Draws draws = record_trajectories(teacher, *run.model.denoiser, rest, points, writer, bar.fn()).draws;
  bar.close();
  const std::string summary =
      fmt::format("{} teacher trajectories of {} points, checksummed and sealed", writer.size(), config.points());
  note(run, "record", draws.stopped ? "" : summary, watch.seconds(), true);
  return !draws.stopped;
}

bool demo_fit(DemoRun& run) {
  const TrajectoryStore store(run.folder.file(kStoreFolder));
  FitTask task;
  task.teacher = run.settings.teacher;
  task.teacher_text = run.settings.teacher_text;
  task.seeds = run.settings.fit_seeds;
  task.validation_seeds = run.settings.validation_seeds;
  task.draw = run.settings.draw;
  task.fit.sigma_min = run.model.info().sigma_min;
  task.fit.sigma_max = run.model.info().sigma_max;
  task.fit.iterations = run.settings.iterations;
  const FitData data = recorded_end_points(store, *run.model.denoiser, task);
  for (const int64_t nfe : run.settings.nfe) {
    if (passes_over(run, plan_name(nfe))) {
      (void)Plan::load(run.folder.file(plan_name(nfe)));
      continue;
    }
    const Stopwatch watch;
    task.fit.nfe = nfe;
    ProgressBar bar = run.context.progress(fmt::format("fitting NFE {}", nfe), 0);
    const PlanFitResult fit = fit_to(data, *run.model.denoiser, task, bar.fn());
    bar.close();
    if (fit.stopped) return false;
    run.folder.write(plan_name(nfe), fit.plan.to_json());
    note(run, "fit",
         fmt::format("a plan for NFE {}: validation RMSE {} from iPNDM's {}", nfe, number_text(fit.validation_after),
                     number_text(fit.validation_before)),
         watch.seconds());
  }
  return true;
}

bool demo_predictor(DemoRun& run) {
  if (passes_over(run, kPredictor)) {
    (void)StepPredictor::load(run.folder.file(kPredictor));
    return true;
  }
  const Stopwatch watch;
  const TrajectoryStore store(run.folder.file(kStoreFolder));
  PredictorTraining training;
  training.steps = 1500;
  ProgressBar bar = run.context.progress("training the step predictor", training.steps);
  const TrainedPredictor trained = train_predictor(store, training, bar.fn());
  bar.close();
  if (trained.stopped) return false;
  trained.predictor.save(run.folder.file(kPredictor));
  note(
      run, "predictor",
      fmt::format("a step predictor from {} stored jumps; held-out loss {} against {} for the best constant",
                  trained.report.examples, number_text(trained.report.loss), number_text(trained.report.constant_loss)),
      watch.seconds());
  return true;
}

bool demo_evaluate(DemoRun& run) {
  const Stopwatch watch;
  EvaluationSettings settings;
  settings.teacher = run.settings.teacher;
  settings.draw = run.settings.draw;
  settings.metrics = {"rmse"};
  for (const Judge& judge : kJudges) {
    if (run.settings.model != judge.model) continue;
    settings.metrics = {"rmse", "fd", "fd-teacher"};
    settings.features = make_feature_setup(
        {.features = judge.features, .quantisation = judge.quantisation, .device = run.context.device()}, judge.model,
        run.model.info());
  }
  const ModelCard* card = &run.model.source.card;
  std::vector<std::string> skipped;
  SamplerSweep sweep;
  for (const int64_t nfe : run.settings.nfe) sweep.solvers.push_back("plan:" + run.folder.file(plan_name(nfe)));
  sweep.schedules = {"karras"};
  sweep.policies = {"fixed"};
  sweep.nfe = run.settings.nfe;
  settings.samplers = sweep_specs(sweep, run.model.info(), card, skipped);
  const auto add = [&](const SamplerSweep& more) {
    for (SamplerSpec& spec : sweep_specs(more, run.model.info(), card, skipped))
      settings.samplers.push_back(std::move(spec));
  };
  SamplerSweep classic = sweep;
  classic.solvers = {"ipndm", "dpmpp_2m", "dpmpp_3m", "ddim"};
  classic.schedules = {"karras", "logsnr"};
  classic.finals = {Final::zero, Final::sigma_min};
  add(classic);
  // The first-order solver has lost by then; Heun has not, where it costs such a number.
  classic.solvers = {"ipndm", "dpmpp_2m", "heun"};
  classic.nfe = kMoreNfe;
  add(classic);
  const std::string predictor = run.folder.file(kPredictor);
  SamplerSweep adaptive = sweep;
  // At ten evaluations and fewer, the jump to 0 gains less than the evaluation that it costs.
  adaptive.finals = {Final::sigma_min};
  adaptive.solvers = {"dpmpp_2m"};
  adaptive.policies.clear();
  for (const char* tolerance : {"0.1", "0.05", "0.02"})
    adaptive.policies.push_back(fmt::format("predictor:{},tolerance={}", predictor, tolerance));
  add(adaptive);
  adaptive.solvers = {"ralston"};
  adaptive.policies = {"pi:atol=0.2", "pi:atol=0.1"};
  add(adaptive);
  if (const std::string reason = settings.invalid_reason(); !reason.empty()) throw UsageError(reason);

  EvaluationResult earlier;
  EvaluationHooks hooks;
  if (file_exists(run.folder.file("results.json"))) {
    earlier = load_evaluation(run.folder.path());
    hooks.earlier = &earlier;
  }
  ProgressBar bar = run.context.progress("evaluating");
  hooks.progress = bar.fn();
  hooks.finished = [&](const EvaluationResult& so_far) { save_evaluation(run.folder.path(), so_far); };
  const EvaluationResult result = evaluate(*run.model.denoiser, card, settings, hooks);
  bar.close();
  const std::string summary = fmt::format("{} samplers on {} fresh seeds", result.samplers.size(), result.n);
  note(run, "evaluate", result.complete ? summary : "", watch.seconds(), true);
  return result.complete;
}

}  // namespace stride
