// stride train-denoiser: a UNet denoiser, or the feature network that judges one, from images.
#include "apps/cli/command.h"
#include "apps/cli/outputs.h"
#include "apps/commands/train_denoiser_options.h"
#include "apps/commands/training_look.h"
#include "apps/commands/training_output.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "framework/spec.h"
#include "framework/stopped.h"
#include "neural/networks/features.h"
#include "neural/networks/model_loader.h"
#include "neural/training/train_denoiser.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

namespace stride {
namespace {

constexpr const char* kCheckpoint = "checkpoint.safetensors";
constexpr const char* kUNet = "unet.safetensors";
constexpr const char* kFeatures = "weights.safetensors";
constexpr const char* kCard = "card.toml";
// What --out gets is kept in the run folder too.
constexpr const char* kKept = "model/";
constexpr const char* kKeptCard = "model/card.toml";

class TrainDenoiser final : public Command {
 public:
  [[nodiscard]] const CommandInfo& info() const noexcept override { return info_; }

  [[nodiscard]] ExitCode run(Context& context) const override {
    if (!context.arguments().empty()) throw UsageError("stride train-denoiser takes options only");
    const OptionValues& options = context.options();
    if (const auto code = context.finished({kKeptCard})) {
      remove_file(checkpoint_of(options));
      return *code;
    }
    require_own_place(context);
    std::optional<LockFile> claim;
    if (!context.dry_run()) claim = claim_output(options.text("out"));
    const bool judge = options.text("network") == "features";
    if (judge && options.flag("mirror"))
      throw UsageError("--mirror: twins of the images that are trained on would be among those that test the features");
    // What can be known to be wrong before the images are read.
    refuse_options_of_other_network(options);
    judge ? (void)feature_training(context) : (void)denoiser_training(context);
    ProgressBar bar = context.progress("reading images");
    const ImageData data = training_images(
        options.text("data"),
        {.transform = image_transform(options), .labels = !options.flag("unconditional"), .floats = judge}, bar.fn());
    bar.close();
    if (data.stopped) return context.stopped("the images were still being read: nothing was trained");
    return judge ? train_judge(context, data) : train(context, data);
  }

 private:
  static void stop_where_asked(const Context& context) {
    if (context.stop()) throw Stopped();
  }

  static std::string checkpoint_of(const OptionValues& options) {
    return (std::filesystem::path(options.text("out")) / kCheckpoint).string();
  }

  // A finished model of another run stays. Where a checkpoint is beside it, it is this training's, and nearly done.
  static void require_own_place(const Context& context) {
    const std::string& out = context.options().text("out");
    const std::string card = (std::filesystem::path(out) / kCard).string();
    if (!file_exists(card) || file_exists(checkpoint_of(context.options()))) return;
    const std::string kept = context.resumed_from().value_or("") + "/" + kKeptCard;
    if (context.resumed_from() && file_exists(kept) && read_file(kept) == read_file(card)) return;
    throw UsageError(
        fmt::format("--out {}: a finished model is there already; name another folder, or move it away", out));
  }

  // The card last: it promises the weights.
  static void copy_model(const RunDir& run, const std::string& weights, const std::string& out) {
    for (const std::string& name : {weights, std::string(kCard)})
      copy_out(run.file(kKept + name), (std::filesystem::path(out) / name).string());
  }

  static ExitCode train(Context& context, const ImageData& data) {
    const OptionValues& options = context.options();
    const UNetConfig config = training_network(options, data);
    const DenoiserTraining training = denoiser_training(context);
    const std::string out = options.text("out");
    const double low = options.number("sigma-min"), high = options.number("sigma-max");
    if (!(low > 0.0 && low < high && std::isfinite(high)))
      throw UsageError("--sigma-min must be positive and below --sigma-max");
    const int64_t parameters = count(unet_layout(config));
    if (context.dry_run())
      return context.plan(
          {{"images", fmt::format("{} of {} from {}", data.size(), fmt::join(data.shape(), "×"), data.name)},
           {"network", fmt::format("{} parameters: {}", parameters, config.to_json())},
           {"training", fmt::format("{} steps of {} images", training.steps(), training.batch)},
           {"model", out}});

    RunDir& run = context.run_dir();
    context.add_input(options.text("data"), data.sha256);
    make_folders(out);
    const std::string checkpoint = checkpoint_of(options);
    if (file_exists(checkpoint)) context.log().info(fmt::format("going on from {}", checkpoint));
    ProgressBar bar = context.progress("training", training.steps());
    const auto recorded = [&](const LossRecord& record) {
      context.metric(nlohmann::json{{"step", record.step},
                                    {"images", record.step * training.batch},
                                    {"loss", record.loss},
                                    {"images_per_second", record.images_per_second}}
                         .dump());
    };
    TrainingHooks::Look look;
    if (options.integer("look-every") > 0) look = TrainingLook(context, config, data, training, low, high);
    const TrainedDenoiser trained = train_denoiser(config, data, training, checkpoint, context.device(),
                                                   {.progress = bar.fn(), .recorded = recorded, .look = look});
    bar.close();
    if (trained.stopped)
      return context.stopped(fmt::format("{} of {} steps are in {}; the same command goes on", trained.steps,
                                         training.steps(), checkpoint));

    // Twenty noise levels per image, or one where there are many images.
    const int64_t repeats = std::clamp<int64_t>(40'000 / data.size(), 1, 20);
    const double loss = denoiser_loss(config, convert(trained.weights, context.device(), at::kFloat), data, training,
                                      repeats, [&] { stop_where_asked(context); });
    const std::string kept = run.file(fmt::format("{}{}", kKept, kUNet));
    make_folder_of(kept);
    const nlohmann::json facts = {{"images_seen", trained.steps * training.batch},
                                  {"data", data.name},
                                  {"data_sha256", data.sha256},
                                  {"seed", training.seed}};
    write_unet(kept, config, trained.weights, options.text("store-dtype") == "float16" ? at::kHalf : at::kFloat,
               {{"training", facts.dump()}});
    const std::string name = options.text_or("name", folder_name(out));
    run.write(kKeptCard, unet_card({.name = name,
                                    .file = kUNet,
                                    .sha256 = sha256_file(kept),
                                    .sigma_min = low,
                                    .sigma_max = high,
                                    .parameters = parameters,
                                    .images_seen = trained.steps * training.batch,
                                    .loss = loss,
                                    .command = training_command(context)},
                                   config, data));
    copy_model(run, kUNet, out);
    const nlohmann::json result = {
        {"model", out + "/card.toml"}, {"parameters", parameters}, {"loss", loss}, {"steps", trained.steps}};
    run.write("results.json", result.dump(2) + "\n");
    context.print(fmt::format("parameters  {}\nimages      {}\nloss        {:.5f}\nmodel       {}/card.toml\n",
                              parameters, trained.steps * training.batch, loss, out));
    const ExitCode code = context.done(result.dump());
    remove_file(checkpoint);  // after DONE: what fails before it goes on from here
    return code;
  }

  static ExitCode train_judge(Context& context, const ImageData& data) {
    const OptionValues& options = context.options();
    const FeatureConfig config = feature_network(options, data);
    const FeatureTraining training = feature_training(context);
    std::optional<ImageData> test;
    if (options.has("test-data"))
      test = training_images(options.text("test-data"), {.transform = image_transform(options)}, {}, "`test_data`");
    const std::string out = options.text("out");
    if (context.dry_run())
      return context.plan(
          {{"images", fmt::format("{} of {} from {}", data.size(), fmt::join(data.shape(), "×"), data.name)},
           {"network", fmt::format("{} parameters: {}", count(feature_layout(config)), config.to_json())},
           {"model", out}});
    RunDir& run = context.run_dir();
    context.add_input(options.text("data"), data.sha256);
    make_folders(out);
    ProgressBar bar = context.progress("training features");
    const TrainedFeatures trained =
        train_features(config, data, training, bar.fn(), context.device(), test ? &*test : nullptr);
    bar.close();
    if (trained.stopped) return context.stopped("nothing was written: this training takes seconds and starts again");
    const std::string kept = run.file(fmt::format("{}{}", kKept, kFeatures));
    make_folder_of(kept);
    const std::string path = (std::filesystem::path(out) / kFeatures).string();
    const std::string name = options.text_or("name", folder_name(out));
    const bool half = options.given("store-dtype") && options.text("store-dtype") == "float16";
    write_features(kept, trained, name, half ? at::kHalf : at::kFloat, {{"data_sha256", data.sha256}});
    run.write(kKeptCard, feature_card(name, kFeatures, sha256_file(kept), trained, data, training_command(context)));
    copy_model(run, kFeatures, out);
    const nlohmann::json result = {{"features", path},
                                   {"train_accuracy", trained.train_accuracy},
                                   {"test_accuracy", trained.test_accuracy},
                                   {"test_images", trained.test_images},
                                   {"parameters", count(feature_layout(config))}};
    run.write("results.json", result.dump(2) + "\n");
    context.print(fmt::format(
        "parameters      {}\ntrain accuracy  {:.4f}\ntest accuracy   {:.4f} ({} images)\nfeatures        {}\n",
        count(feature_layout(config)), trained.train_accuracy, trained.test_accuracy, trained.test_images, path));
    return context.done(result.dump());
  }

  CommandInfo info_{
      .name = "train-denoiser",
      .summary = "train a denoiser on images",
      .description =
          "Trains a small UNet with the EDM loss and writes a model folder: weights and card. A run that was stopped "
          "or killed goes on from its checkpoint when the same command is given again, and ends with the same bits.",
      .example =
          "stride train-denoiser --data digits --out my-digits --threads 1\n"
          "trains the embedded default anew (20 minutes on one core); then: stride sample --model my-digits/card.toml",
      .common = {.compute = true, .run = true},
      .options = train_denoiser_options() + image_options()};
};

}  // namespace

std::unique_ptr<Command> make_cmd_train_denoiser() { return std::make_unique<TrainDenoiser>(); }

}  // namespace stride
