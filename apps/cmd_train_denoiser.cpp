// stride train-denoiser: a UNet denoiser, or the feature network that judges one, from images.
#include "apps/command.h"
#include "apps/training_look.h"
#include "apps/training_output.h"
#include "framework/file.h"
#include "framework/hash.h"
#include "framework/spec.h"
#include "neural/features.h"
#include "neural/model_loader.h"
#include "neural/train_denoiser.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

constexpr const char* kCheckpoint = "checkpoint.safetensors";
constexpr const char* kUNet = "unet.safetensors";
constexpr const char* kFeatures = "weights.safetensors";

std::vector<int64_t> widths(const std::string& text, const std::string& option) {
  std::vector<int64_t> out;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    out.push_back(parse_integer(text.substr(at, comma - at), "--" + option));
    at = comma + 1;
  }
  return out;
}

class TrainDenoiser final : public Command {
 public:
  [[nodiscard]] const CommandInfo& info() const noexcept override { return info_; }

  [[nodiscard]] ExitCode run(Context& context) const override {
    if (!context.arguments().empty()) throw UsageError("stride train-denoiser takes options only");
    const OptionValues& options = context.options();
    const bool judge = options.text("network") == "features";
    if (judge && context.dtype() != at::kFloat) throw UsageError("--dtype: feature networks are trained in float32");
    if (judge && options.flag("mirror"))
      throw UsageError("--mirror: twins of the images that are trained on would be among those that test the features");
    ProgressBar bar = context.progress("reading images");
    const ImageData data =
        training_images(options.text("data"),
                        {.transform = image_transform(options), .labels = !options.flag("unconditional")}, bar.fn());
    bar.close();
    if (data.stopped) return context.stopped("the images were still being read: nothing was trained");
    return judge ? train_judge(context, data) : train(context, data);
  }

 private:
  static UNetConfig network_of(const OptionValues& options, const ImageData& data) {
    UNetConfig config;
    config.image_channels = data.images.size(1);
    config.channels = widths(options.text("channels"), "channels");
    config.blocks = options.integer("blocks");
    config.embedding = options.integer("embedding");
    config.attention = options.flag("attention");
    config.classes = options.flag("unconditional") ? 0 : data.classes;
    // Two digits are enough for a scale, and read better in a card.
    config.sigma_data =
        options.has("sigma-data") ? options.number("sigma-data") : std::round(100.0 * data.std()) / 100.0;
    if (const std::string reason = config.invalid_reason(); !reason.empty()) throw UsageError("the network: " + reason);
    for (const int64_t size : {data.images.size(2), data.images.size(3)})
      if (size % config.stride() != 0)
        throw UsageError(fmt::format("--channels {}: {} levels need image sizes divisible by {}",
                                     options.text("channels"), config.channels.size(), config.stride()));
    return config;
  }

  static DenoiserTraining training_of(const Context& context) {
    const OptionValues& options = context.options();
    DenoiserTraining training;
    training.dtype = context.dtype();
    training.images = options.integer("images");
    training.batch = options.integer("minibatch");
    training.learning_rate = options.number("learning-rate");
    training.warmup = options.integer("warmup");
    training.ema_half_life = options.number("ema-half-life");
    training.dropout = options.number("dropout");
    training.class_dropout = options.number("class-dropout");
    training.log_sigma_mean = options.number("log-sigma-mean");
    training.log_sigma_std = options.number("log-sigma-std");
    training.seed = static_cast<uint64_t>(options.integer("seed"));
    training.checkpoint_every = options.integer("checkpoint-every");
    training.look_every = std::max<int64_t>(1, options.integer("look-every"));
    training.weight_decay = options.number("weight-decay");
    training.flip = options.flag("flip");
    training.recompute = options.flag("recompute");
    if (const std::string reason = training.invalid_reason(); !reason.empty()) throw UsageError("training: " + reason);
    return training;
  }

  static ExitCode train(Context& context, const ImageData& data) {
    const OptionValues& options = context.options();
    const UNetConfig config = network_of(options, data);
    const DenoiserTraining training = training_of(context);
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
    const std::string checkpoint = (std::filesystem::path(out) / kCheckpoint).string();
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

    // Twenty noise levels an image, or one where there are many images.
    const int64_t repeats = std::clamp<int64_t>(40'000 / data.size(), 1, 20);
    const double loss =
        denoiser_loss(config, convert(trained.weights, context.device(), at::kFloat), data, training, repeats);
    const std::string path = (std::filesystem::path(out) / kUNet).string();
    const nlohmann::json facts = {{"images_seen", trained.steps * training.batch},
                                  {"data", data.name},
                                  {"data_sha256", data.sha256},
                                  {"seed", training.seed}};
    write_unet(path, config, trained.weights, options.text("store-dtype") == "float16" ? at::kHalf : at::kFloat,
               {{"training", facts.dump()}});
    const std::string name = options.text_or("name", folder_name(out));
    write_file_atomic((std::filesystem::path(out) / "card.toml").string(),
                      unet_card({.name = name,
                                 .file = kUNet,
                                 .sha256 = sha256_file(path),
                                 .sigma_min = low,
                                 .sigma_max = high,
                                 .parameters = parameters,
                                 .images_seen = trained.steps * training.batch,
                                 .loss = loss,
                                 .command = training_command(context)},
                                config, data));
    remove_file(checkpoint);
    const nlohmann::json result = {
        {"model", out + "/card.toml"}, {"parameters", parameters}, {"loss", loss}, {"steps", trained.steps}};
    run.write("results.json", result.dump(2) + "\n");
    context.print(fmt::format("parameters  {}\nimages      {}\nloss        {:.5f}\nmodel       {}/card.toml\n",
                              parameters, trained.steps * training.batch, loss, out));
    return context.done(result.dump());
  }

  static ExitCode train_judge(Context& context, const ImageData& data) {
    const OptionValues& options = context.options();
    FeatureConfig config;
    config.shape = data.shape();
    config.classes = data.classes;
    if (const std::string reason = config.invalid_reason(); !reason.empty())
      throw UsageError("the feature network: " + reason);
    FeatureTraining training;
    training.seed = static_cast<uint64_t>(options.integer("seed"));
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
    const TrainedFeatures trained = train_features(config, data, training, bar.fn());
    bar.close();
    if (trained.stopped) return context.stopped("nothing was written: this training takes seconds and starts again");
    const std::string path = (std::filesystem::path(out) / kFeatures).string();
    const std::string name = options.text_or("name", folder_name(out));
    write_features(path, trained, name, {{"data_sha256", data.sha256}});
    write_file_atomic((std::filesystem::path(out) / "card.toml").string(),
                      feature_card(name, kFeatures, sha256_file(path), trained, data, training_command(context)));
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

  static OptionTable table() {
    const DenoiserTraining training;
    const auto number = [](double value) { return fmt::format("{}", value); };
    const auto whole = [](int64_t value) { return fmt::format("{}", value); };
    return {
        {.name = "data",
         .fallback = "digits",
         .value = "PATH",
         .help =
             "images: CIFAR, IDX, LMDB, dataset.zip, HDF5, safetensors, a folder or tar (docs/images.md), or digits, "
             "which the program holds",
         .group = "Training",
         .key = "training.data"},
        {.name = "out",
         .value = "DIR",
         .help = "where the model goes: its card, its weights, a checkpoint until it is done",
         .group = "Training",
         .key = "training.out"},
        {.name = "name",
         .value = "NAME",
         .help = "in the card; default: the folder's",
         .group = "Training",
         .key = "training.name"},
        {.name = "network",
         .fallback = "unet",
         .value = "KIND",
         .help = "what is trained: the denoiser, or the classifier whose features judge it",
         .group = "Training",
         .key = "training.network",
         .choices = {"unet", "features"}},
        {.name = "images",
         .kind = ValueKind::integer,
         .fallback = whole(training.images),
         .value = "N",
         .help = "images seen in all",
         .group = "Training",
         .key = "training.images"},
        {.name = "minibatch",
         .kind = ValueKind::integer,
         .fallback = whole(training.batch),
         .value = "N",
         .help = "images a step",
         .group = "Training",
         .key = "training.minibatch"},
        {.name = "learning-rate",
         .kind = ValueKind::number,
         .fallback = number(training.learning_rate),
         .value = "R",
         .help = "the highest; warm-up, then a cosine to 0",
         .group = "Training",
         .key = "training.learning_rate"},
        {.name = "warmup",
         .kind = ValueKind::integer,
         .fallback = whole(training.warmup),
         .value = "N",
         .help = "steps",
         .group = "Training",
         .key = "training.warmup"},
        {.name = "ema-half-life",
         .kind = ValueKind::number,
         .fallback = number(training.ema_half_life),
         .value = "N",
         .help = "of the average of the weights, in images",
         .group = "Training",
         .key = "training.ema_half_life"},
        {.name = "look-every",
         .kind = ValueKind::integer,
         .fallback = whole(training.look_every),
         .value = "N",
         .help = "steps between residuals by noise level and samples in tb/; 0: none",
         .group = "Training",
         .key = "training.look_every",
         .may_change = true},
        {.name = "weight-decay",
         .kind = ValueKind::number,
         .fallback = number(training.weight_decay),
         .value = "D",
         .help = "decoupled from the gradient (AdamW)",
         .group = "Training",
         .key = "training.weight_decay"},
        {.name = "flip",
         .kind = ValueKind::flag,
         .help = "change left and right in half of the images of each step",
         .group = "Training",
         .key = "training.flip"},
        {.name = "recompute",
         .kind = ValueKind::flag,
         .help = "compute activations again for the gradient: less memory, a third more time",
         .group = "Training",
         .key = "training.recompute",
         .may_change = true},
        {.name = "dropout",
         .kind = ValueKind::number,
         .fallback = number(training.dropout),
         .value = "P",
         .help = "inside the residual blocks",
         .group = "Training",
         .key = "training.dropout"},
        {.name = "class-dropout",
         .kind = ValueKind::number,
         .fallback = number(training.class_dropout),
         .value = "P",
         .help = "labels hidden, so that guidance works",
         .group = "Training",
         .key = "training.class_dropout"},
        {.name = "log-sigma-mean",
         .kind = ValueKind::number,
         .fallback = number(training.log_sigma_mean),
         .value = "M",
         .help = "of the noise levels seen",
         .group = "Training",
         .key = "training.log_sigma_mean"},
        {.name = "log-sigma-std",
         .kind = ValueKind::number,
         .fallback = number(training.log_sigma_std),
         .value = "S",
         .help = "of the noise levels seen",
         .group = "Training",
         .key = "training.log_sigma_std"},
        {.name = "seed",
         .kind = ValueKind::integer,
         .fallback = "0",
         .value = "N",
         .help = "of weights, batches and noise",
         .group = "Training",
         .key = "training.seed"},
        {.name = "checkpoint-every",
         .kind = ValueKind::integer,
         .fallback = whole(training.checkpoint_every),
         .value = "N",
         .help = "steps",
         .group = "Training",
         .key = "training.checkpoint_every",
         .may_change = true},
        {.name = "channels",
         .fallback = "16,48",
         .value = "A,B,…",
         .help = "width of each level; each halves the resolution",
         .group = "Network",
         .key = "network.channels"},
        {.name = "blocks",
         .kind = ValueKind::integer,
         .fallback = "1",
         .value = "N",
         .help = "residual blocks a level",
         .group = "Network",
         .key = "network.blocks"},
        {.name = "embedding",
         .kind = ValueKind::integer,
         .fallback = "64",
         .value = "N",
         .help = "width of the noise-level embedding",
         .group = "Network",
         .key = "network.embedding"},
        {.name = "attention",
         .kind = ValueKind::flag,
         .help = "self-attention at the lowest resolution",
         .group = "Network",
         .key = "network.attention"},
        {.name = "unconditional",
         .kind = ValueKind::flag,
         .help = "ignore the labels",
         .group = "Network",
         .key = "network.unconditional"},
        {.name = "sigma-data",
         .kind = ValueKind::number,
         .value = "S",
         .help = "default: the standard deviation of the pixels, to two digits",
         .group = "Network",
         .key = "network.sigma_data"},
        {.name = "sigma-min",
         .kind = ValueKind::number,
         .fallback = "0.02",
         .value = "S",
         .help = "the card's range for sampling",
         .group = "Network",
         .key = "network.sigma_min"},
        {.name = "sigma-max",
         .kind = ValueKind::number,
         .fallback = "20",
         .value = "S",
         .help = "the card's range for sampling",
         .group = "Network",
         .key = "network.sigma_max"},
        {.name = "store-dtype",
         .fallback = "float16",
         .value = "TYPE",
         .help = "of the weights in the file",
         .group = "Network",
         .key = "network.store_dtype",
         .choices = {"float32", "float16"}}};
  }

  CommandInfo info_{
      .name = "train-denoiser",
      .summary = "train a denoiser on images",
      .description =
          "Trains a small UNet with the EDM loss and writes a model folder: weights and card. A run that was stopped "
          "or killed "
          "goes on from its checkpoint when the same command is given again, and ends with the same bits.",
      .example =
          "stride train-denoiser --data digits --out my-digits --threads 1\n"
          "trains the embedded default anew (20 minutes on one core); then: stride sample --model my-digits/card.toml",
      .common = {.compute = true, .run = true},
      .options = table() + image_options()};
};

}  // namespace

std::unique_ptr<Command> make_cmd_train_denoiser() { return std::make_unique<TrainDenoiser>(); }

}  // namespace stride
