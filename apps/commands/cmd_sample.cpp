// stride sample: draw samples.
#include "apps/cli/command.h"
#include "apps/cli/image_options.h"
#include "apps/cli/refine_option.h"
#include "apps/cli/sampling_options.h"
#include "apps/commands/invert_options.h"
#include "evaluation/text_table.h"
#include "framework/files/file.h"
#include "pipeline/inverting.h"
#include "pipeline/samples_output.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <exception>
#include <nlohmann/json.hpp>
#include <optional>

namespace stride {
namespace {

class SampleCommand final : public Command {
 public:
  [[nodiscard]] const CommandInfo& info() const noexcept override { return info_; }

  [[nodiscard]] ExitCode run(Context& context) const override {
    const OptionValues& options = context.options();
    if (const auto code = context.finished({"samples.h5"})) return *code;
    const LoadedModel model = model_of(context);
    const bool inverts = options.flag("invert");
    if (inverts && (options.has("mask") || strength_of(options) != 1.0))
      throw UsageError("--invert walks from the whole image to its noise: leave --mask and --strength out");
    if (!inverts && options.flag("round-trip"))
      throw UsageError("--round-trip shows the error of --invert: add --invert");
    if (!inverts && options.asked("invert-iterations"))
      throw UsageError("--invert-iterations are of --invert: add --invert");
    const SamplerSpec spec = inverts ? inversion_spec(options) : sampler_specs(options).at(0);
    const Sampler sampler = make_sampler(spec, model.info(), &model.source.card, context.device());
    const DrawSettings settings = draw_settings(context, model.info());
    const ImageStages pictures = image_stages(context);
    ModelInfo shown = model.info();
    shown.shape = pictures.out_shape(shown.shape);
    const auto save = parse_save(options.text("save"), shown, settings.seeds.size());
    if (!pictures.empty() && save.size() == 1)
      throw UsageError("--decoder and --post make pictures, and --save h5 keeps the samples alone: add npz or png");
    if (settings.tile) (void)TiledDenoiser(*model.denoiser, *settings.tile);  // refused before anything is written
    check_run(context, sampler, model.info(), settings);
    if (context.dry_run()) return context.plan(plan_of(context, model, sampler));

    note_model(context, model);
    RunDir& run = context.run_dir();
    const std::string path = run.file("samples.h5");
    std::optional<MappedSamples> earlier = finished_before(context, path);
    if (earlier) require_same_run(earlier->get(), path, sampler, model.info(), context.dtype(), settings.seeds);
    const auto before = static_cast<std::size_t>(earlier ? earlier->get().x.size(0) : 0);
    const auto all = settings.seeds.size();
    const DrawSettings rest =
        before > 0 ? for_seeds(settings, {settings.seeds.begin() + before, settings.seeds.end()}) : settings;

    SamplesHead head = samples_head(sampler, model.info(), context.dtype(), all);
    if (inverts) head.attributes["solver"] = kInverted;
    SamplesWriter writer(path, std::move(head));
    if (earlier) writer.append(earlier->get());
    earlier.reset();
    const Draws draws = draw_with_progress(context, sampler, model, rest, all, writer);
    writer.finish();
    const MappedSamples samples(path);
    const SamplesSummary summary = summarise(samples.get());
    // Who was told to stop has no time for pictures; --resume draws them from the samples.
    if (draws.stopped) return context.stopped(fmt::format("{} of {} samples are in {}", summary.samples, all, path));
    save_pictures(run.path(), samples.get(), save, pictures);
    std::optional<double> round_trip;
    if (options.flag("round-trip")) round_trip = round_trip_error(sampler, *model.denoiser, rest, draws);
    return report(context, run, summary, draws, round_trip, saved_files(run.path(), samples.get(), save));
  }

 private:
  static std::vector<std::pair<std::string, std::string>> plan_of(const Context& context, const LoadedModel& model,
                                                                  const Sampler& sampler) {
    auto lines = describe(sampler);
    lines.insert(lines.begin(),
                 {{"model", fmt::format("{} ({}), {}", model.info().name, model.info().kind, model.source.where)},
                  {"device", context.device().str()},
                  {"samples", context.seeds_text()}});
    lines.emplace_back("saves", context.options().text("save"));
    return lines;
  }

  static std::optional<MappedSamples> finished_before(const Context& context, const std::string& path) {
    if (!context.resumed_from() || !file_exists(path)) return std::nullopt;
    return MappedSamples(path);
  }

  // `all` counts the samples of the run with those that an earlier process finished. What was finished is kept also
  // where a later chunk fails, so that --resume goes on from there.
  static Draws draw_with_progress(Context& context, const Sampler& sampler, const LoadedModel& model,
                                  const DrawSettings& settings, std::size_t all, SamplesWriter& writer) {
    ProgressBar bar = context.progress("sampling", static_cast<int64_t>(settings.seeds.size()));
    DrawHooks hooks;
    hooks.progress = bar.fn();
    auto finished = static_cast<int64_t>(all - settings.seeds.size());
    hooks.chunk = [&](const Tensor& seeds, const RunResult& result) {
      writer.append(sample_rows(seeds, result));
      finished += seeds.size(0);
      context.metric(fmt::format(R"({{"step": {}, "samples": {}, "nfe_mean": {}}})", finished, seeds.size(0),
                                 result.nfe.to(at::kDouble).mean().item<double>()));
    };
    hooks.keep = false;
    const OptionValues& options = context.options();
    try {
      if (options.flag("invert"))
        return invert_images(sampler, *model.denoiser, settings, options.integer("invert-iterations"), hooks);
      return draw(sampler, *model.denoiser, settings, hooks);
    } catch (...) {
      const std::exception_ptr failure = std::current_exception();
      try {
        if (finished > 0) {
          writer.finish();
          context.log().warning(fmt::format("{} of {} samples were finished and are kept; continue with --resume {}",
                                            finished, all, context.run_dir().path()));
        }
      } catch (const std::exception& error) {
        context.log().error(fmt::format("what was finished could not be kept: {}", error.what()));
      }
      std::rethrow_exception(failure);
    }
  }

  static ExitCode report(Context& context, const RunDir& run, const SamplesSummary& summary, const Draws& draws,
                         std::optional<double> round_trip,
                         const std::vector<std::pair<std::string, std::string>>& pictures) {
    nlohmann::json result = {{"samples", summary.samples},
                             {"ok", summary.ok},
                             {"nfe_mean", summary.nfe_mean},
                             {"nfe_max", summary.nfe_max},
                             {"model_evals_mean", summary.model_evals_mean},
                             {"seconds", draws.seconds},
                             {"batch", draws.batch},
                             {"file", run.file("samples.h5")}};
    if (round_trip) result["round_trip_rmse"] = *round_trip;
    for (const auto& [kind, path] : pictures) result[kind] = path;
    if (draws.capture_seconds > 0) result["capture_seconds"] = draws.capture_seconds;
    if (!draws.stepwise.empty()) {
      result["stepwise"] = draws.stepwise;
      context.log().info(fmt::format("run step by step, not as a CUDA graph: {}", draws.stepwise));
    }
    run.write("results.json", result.dump(2) + "\n");
    if (round_trip) context.print(fmt::format("back     {:.3g} from the images (root mean square)\n", *round_trip));
    context.print(fmt::format("samples  {}\nnfe      {:.4g} per sample (most {})\nseconds  {:.3g}\nfile     {}\n",
                              summary.samples, summary.nfe_mean, summary.nfe_max, draws.seconds,
                              run.file("samples.h5")));
    for (const auto& [kind, path] : pictures) context.print(fmt::format("{:7}  {}\n", kind, path));
    if (summary.ok == summary.samples) return context.done(result.dump());
    context.log().error(fmt::format("{} samples did not end well: {}; /status in samples.h5 says which",
                                    summary.samples - summary.ok, summary.failures));
    return context.done(result.dump(), ExitCode::non_finite);
  }

  CommandInfo info_{
      .name = "sample",
      .summary = "draw samples",
      .description = "Draws one sample per seed and writes them to samples.h5 in the run folder.",
      .example =
          "stride sample --solver dpmpp_2m --steps 8 --seeds 0-99 --save h5,png\n"
          "draws 100 digits with 8 evaluations each and writes runs/…/samples.h5, images/ and grid.png",
      .common = {.compute = true, .seeds = true, .run = true},
      .options = sampling_options({.refine = true}) + invert_options() + image_options("output") +
                 OptionTable{{.name = "tile",
                              .value = "RxC[:key=value,...]",
                              .help = "images in rows by columns of tiles, to save memory. Keys: overlap, context, "
                                      "multiple, at_once",
                              .group = "Sampler",
                              .key = "sampling.tile"},
                             {.name = "save",
                              .fallback = "h5",
                              .value = "LIST",
                              .help = "h5 always; npz: arr_0 uint8 [N, H, W, C]; png: one file per sample and a grid",
                              .group = "Output",
                              .key = "output.save"}}};
};

}  // namespace

std::unique_ptr<Command> make_cmd_sample() { return std::make_unique<SampleCommand>(); }

}  // namespace stride
