// stride train-predictor: a step predictor from recorded trajectories.
#include "apps/cli/command.h"
#include "apps/cli/outputs.h"
#include "framework/text_list.h"
#include "neural/predictor/train_predictor.h"
#include "pipeline/store_path.h"
#include "solvers/names.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

constexpr const char* kPredictor = "predictor.safetensors";

class TrainPredictor final : public Command {
 public:
  [[nodiscard]] const CommandInfo& info() const noexcept override { return info_; }

  [[nodiscard]] ExitCode run(Context& context) const override {
    if (!context.arguments().empty()) throw UsageError("stride train-predictor takes options only: --store DIR");
    const OptionValues& options = context.options();
    if (const auto code = context.finished({kPredictor})) return *code;
    PredictorTraining training = training_of(options);
    training.device = context.device();
    const TrajectoryStore store(find_store(options.text("store")));
    const TrajectoryConfig& config = store.config();
    (void)make_base(training, config);  // refused before the work
    if (context.dry_run())
      return context.plan(
          {{"store", fmt::format("{} trajectories of {} points, {}", store.size(), config.points(), config.solver)},
           {"steps of", training.base},
           {"tolerances", fmt::format("{} to {}", training.examples.tolerance_min, training.examples.tolerance_max)},
           {"training", fmt::format("{} steps of {} jumps", training.steps, training.batch)},
           {"predictor", out_of(context).value_or("predictor.safetensors in the run folder")}});

    RunDir& run = context.run_dir();
    if (context.resumed_from()) context.log().info("the training begins again: it takes seconds, and nothing was kept");
    context.add_input(store.folder(), store_sha256(store.folder()));
    ProgressBar bar = context.progress("training", training.steps);
    const TrainedPredictor trained = train_predictor(store, training, bar.fn());
    bar.close();
    if (trained.stopped) return context.stopped("nothing was written: this training takes seconds and starts again");
    const std::string kept = run.file(kPredictor);
    const std::string path = out_of(context).value_or(kept);
    const PredictorReport& report = trained.report;
    const nlohmann::json result = {{"predictor", path},
                                   {"trajectories", store.size()},
                                   {"examples", report.examples},
                                   {"held_out_examples", report.held_out},
                                   {"loss", report.loss},
                                   {"loss_of_best_constant", report.constant_loss},
                                   {"loss_without_content", report.schedule_loss},
                                   {"within_tolerance", report.within},
                                   {"within_twice_the_step", report.within_double}};
    trained.predictor.save(kept, {{"training", result.dump()}});
    if (path != kept) copy_out(kept, path);
    context.metric(nlohmann::json{{"step", training.steps},
                                  {"loss", report.loss},
                                  {"loss_of_best_constant", report.constant_loss},
                                  {"loss_without_content", report.schedule_loss},
                                  {"within_tolerance", report.within},
                                  {"within_twice_the_step", report.within_double}}
                       .dump());
    run.write("results.json", result.dump(2) + "\n");
    context.print(fmt::format(
        "examples              {} ({} held out)\nloss, best constant   {:.4f}\nloss without content  {:.4f}\n"
        "loss                  {:.4f}\nsteps in tolerance    {:.1f} % (aim {:.1f} %)\npredictor             {}\n",
        report.examples, report.held_out, report.constant_loss, report.schedule_loss, report.loss,
        100.0 * report.within, 100.0 * (1.0 - training.quantile), path));
    return context.done(result.dump());
  }

 private:
  static std::optional<std::string> out_of(const Context& context) {
    if (!context.options().has("out")) return std::nullopt;
    return context.options().text("out");
  }

  static PredictorTraining training_of(const OptionValues& options) {
    PredictorTraining training;
    training.base = resolve_sampler_name(options.text("solver")).solver;
    const std::string& range = options.text("tolerance");
    const std::vector<double> ends = parse_numbers(range, "--tolerance");
    if (ends.size() != 2)
      throw UsageError(fmt::format("--tolerance {}: needs the smallest and the largest, as in 0.002,0.5", range));
    training.examples.tolerance_min = ends[0];
    training.examples.tolerance_max = ends[1];
    training.examples.jumps = options.integer("jumps");
    training.quantile = options.number("quantile");
    training.steps = options.integer("training-steps");
    training.learning_rate = options.number("learning-rate");
    training.seed = static_cast<uint64_t>(options.integer("seed"));
    if (const std::string reason = training.invalid_reason(); !reason.empty()) throw UsageError("training: " + reason);
    return training;
  }

  static OptionTable table() {
    const PredictorTraining training;
    const auto number = [](double value) { return fmt::format("{}", value); };
    const auto whole = [](int64_t value) { return fmt::format("{}", value); };
    return {{.name = "store",
             .value = "DIR",
             .help = "trajectories: a store, or the run folder of stride record",
             .group = "Training",
             .key = "training.store"},
            {.name = "solver",
             .fallback = training.base,
             .value = "NAME[:key=value,...]",
             .help = "whose steps are learned: any without noise and with one evaluation per step",
             .group = "Training",
             .key = "training.solver"},
            {.name = "head",
             .fallback = "mlp",
             .value = "KIND",
             .help = "the predictor's form",
             .group = "Training",
             .key = "training.head",
             .choices = {"mlp"}},
            {.name = "out",
             .value = "FILE",
             .help = "where the predictor goes, beside predictor.safetensors in the run folder",
             .group = "Training",
             .key = "training.out",
             .writes = Writes::file},
            {.name = "device",
             .fallback = "cpu",
             .value = "DEVICE",
             .help = "cpu, cuda or cuda:N; the network is small, and the CPU is often as fast",
             .group = "Training",
             .key = "run.device",
             .may_change = true},
            {.name = "tolerance",
             .fallback = fmt::format("{},{}", training.examples.tolerance_min, training.examples.tolerance_max),
             .value = "LOW,HIGH",
             .help = "the local errors that it can be asked for later",
             .group = "Training",
             .key = "training.tolerance"},
            {.name = "quantile",
             .kind = ValueKind::number,
             .fallback = number(training.quantile),
             .value = "Q",
             .help = "of the largest allowed step; smaller is more careful",
             .group = "Training",
             .key = "training.quantile"},
            {.name = "jumps",
             .kind = ValueKind::integer,
             .fallback = whole(training.examples.jumps),
             .value = "N",
             .help = "places per trajectory that steps are learned from",
             .group = "Training",
             .key = "training.jumps"},
            {.name = "training-steps",
             .kind = ValueKind::integer,
             .fallback = whole(training.steps),
             .value = "N",
             .help = "of the optimiser",
             .group = "Training",
             .key = "training.steps"},
            {.name = "learning-rate",
             .kind = ValueKind::number,
             .fallback = number(training.learning_rate),
             .value = "R",
             .help = "the highest",
             .group = "Training",
             .key = "training.learning_rate"},
            {.name = "seed",
             .kind = ValueKind::integer,
             .fallback = "0",
             .value = "N",
             .help = "of jumps, weights and batches",
             .group = "Training",
             .key = "training.seed"}};
  }

  CommandInfo info_{
      .name = "train-predictor",
      .summary = "train a step predictor on recorded trajectories",
      .description =
          "From what a run knows at a step, the predictor says how far the next one may go while the local error of a "
          "solver stays under a tolerance. It learns from a store alone: the denoiser is never called.",
      .example =
          "stride train-predictor --store teacher --out predictor.safetensors\n"
          "then: stride sample --solver dpmpp_2m --policy predictor:predictor.safetensors,tolerance=0.05",
      .common = {.run = true},
      .options = table()};
};

}  // namespace

std::unique_ptr<Command> make_cmd_train_predictor() { return std::make_unique<TrainPredictor>(); }

}  // namespace stride
