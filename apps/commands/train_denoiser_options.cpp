#include "apps/commands/train_denoiser_options.h"

#include "apps/commands/training_output.h"
#include "framework/error.h"
#include "framework/text_list.h"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>

namespace stride {
UNetConfig training_network(const OptionValues& options, const ImageData& data) {
  UNetConfig config;
  config.image_channels = data.shape()[0];
  config.channels = parse_integers(options.text("channels"), "--channels");
  config.blocks = options.integer("blocks");
  config.embedding = options.integer("embedding");
  config.attention = options.flag("attention");
  config.classes = options.flag("unconditional") ? 0 : data.classes;
  // Two digits are enough for a scale, and read better in a card.
  config.sigma_data = options.has("sigma-data") ? options.number("sigma-data") : std::round(100.0 * data.std()) / 100.0;
  if (const std::string reason = config.invalid_reason(); !reason.empty()) throw UsageError("the network: " + reason);
  for (const int64_t size : {data.shape()[1], data.shape()[2]})
    if (size % config.stride() != 0)
      throw UsageError(fmt::format("--channels {}: {} levels need image sizes divisible by {}",
                                   options.text("channels"), config.channels.size(), config.stride()));
  return config;
}

DenoiserTraining denoiser_training(const Context& context) {
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

FeatureConfig feature_network(const OptionValues& options, const ImageData& data) {
  FeatureConfig config;
  config.shape = data.shape();
  config.classes = data.classes;
  if (options.given("channels")) config.channels = parse_integers(options.text("channels"), "--channels");
  if (options.given("blocks")) {
    config.blocks = options.integer("blocks");
    if (config.blocks > 0 && !config.channels.empty()) config.features = config.channels.back();
  }
  if (const std::string reason = config.invalid_reason(); !reason.empty())
    throw UsageError("the feature network: " + reason);
  return config;
}

FeatureTraining feature_training(const Context& context) {
  const OptionValues& options = context.options();
  FeatureTraining training;
  const auto number = [&](const char* name, double& value) {
    if (options.given(name)) value = options.number(name);
  };
  training.seed = static_cast<uint64_t>(options.integer("seed"));
  training.dtype = context.dtype();
  training.epochs = options.given("epochs") ? options.integer("epochs") : training.epochs;
  training.batch = options.given("minibatch") ? options.integer("minibatch") : training.batch;
  training.shift = options.integer("shift");
  training.flip = options.flag("flip");
  number("learning-rate", training.learning_rate);
  number("weight-decay", training.weight_decay);
  number("dropout", training.dropout);
  number("smoothing", training.smoothing);
  number("noise", training.noise);
  if (const std::string reason = training.invalid_reason(); !reason.empty()) throw UsageError("training: " + reason);
  return training;
}

void refuse_options_of_other_network(const OptionValues& options) {
  const std::string& network = options.text("network");
  const std::vector<const char*> unet = {"images",           "warmup",        "ema-half-life",  "look-every",
                                         "recompute",        "class-dropout", "log-sigma-mean", "log-sigma-std",
                                         "embedding",        "attention",     "unconditional",  "sigma-data",
                                         "checkpoint-every", "sigma-min",     "sigma-max"};
  const std::vector<const char*> features = {"test-data", "epochs", "shift", "smoothing", "noise"};
  for (const char* name : network == "unet" ? features : unet)
    if (options.asked(name))
      throw UsageError(fmt::format("--{} does nothing for --network {}: leave it out, or choose --network {}", name,
                                   network, network == "unet" ? "features" : "unet"));
}

OptionTable train_denoiser_options() {
  const DenoiserTraining training;
  const FeatureTraining features;
  const auto number = [](double value) { return fmt::format("{}", value); };
  const auto whole = [](int64_t value) { return fmt::format("{}", value); };
  return {
      {.name = "data",
       .fallback = "digits",
       .value = "PATH",
       .help = "images: CIFAR, IDX, LMDB, dataset.zip, HDF5, safetensors, a folder or tar (docs/images.md), or digits, "
               "which the program holds",
       .group = "Training",
       .key = "training.data"},
      {.name = "out",
       .value = "DIR",
       .help = "where the model goes: its card, its weights, a checkpoint until it is done",
       .group = "Training",
       .key = "training.out",
       .writes = Writes::folder},
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
       .help = "images per step",
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
      {.name = "test-data",
       .value = "PATH",
       .help = "features: labelled images to test on (default: a fifth of --data, kept back)",
       .group = "Training",
       .key = "training.test_data"},
      {.name = "epochs",
       .kind = ValueKind::integer,
       .fallback = whole(features.epochs),
       .value = "N",
       .help = "features: passes over the images",
       .group = "Training",
       .key = "training.epochs"},
      {.name = "shift",
       .kind = ValueKind::integer,
       .fallback = whole(features.shift),
       .value = "N",
       .help = "features: move images by up to N pixels, at random",
       .group = "Training",
       .key = "training.shift"},
      {.name = "smoothing",
       .kind = ValueKind::number,
       .fallback = number(features.smoothing),
       .value = "P",
       .help = "features: of the labels",
       .group = "Training",
       .key = "training.smoothing"},
      {.name = "noise",
       .kind = ValueKind::number,
       .fallback = number(features.noise),
       .value = "S",
       .help = "features: standard deviation of the noise added to the images",
       .group = "Training",
       .key = "training.noise"},
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
       .help = "residual blocks per level",
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

}  // namespace stride
