#include "tests/catch_torch.h"

#include "framework/error.h"
#include "neural/training/edm_objective.h"
#include "neural/training/train_denoiser.h"
#include "neural/training/training_step.h"
#include "tests/temporary_folder.h"

#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

using namespace stride;

namespace {

UNetConfig tiny() {
  UNetConfig config;
  config.channels = {4, 8};
  config.embedding = 8;
  config.groups = 2;
  config.classes = 2;
  config.sigma_data = 0.5;
  return config;
}

// Two images, light above and light below, with a little noise.
ImageData stripes() {
  ImageData data;
  data.name = "stripes";
  data.sha256 = "stripes";
  data.classes = 2;
  data.labels = at::arange(40, at::kLong) % 2;
  data.images = at::randn({40, 1, 4, 4}, at::detail::createCPUGenerator(3), at::kFloat) * 0.05 - 0.5;
  for (int64_t i = 0; i < 40; ++i) data.images[i].narrow(1, i % 2 == 0 ? 0 : 2, 2).add_(1.0);
  return data;
}

DenoiserTraining quick() {
  DenoiserTraining training;
  training.batch = 16;
  training.images = 16 * 60;
  training.warmup = 5;
  training.learning_rate = 5e-3;
  training.ema_half_life = 200;
  training.checkpoint_every = 7;
  return training;
}

bool same(const Weights& a, const Weights& b) {
  return a.size() == b.size() &&
         std::all_of(a.begin(), a.end(), [&](const auto& entry) { return at::equal(entry.second, b.at(entry.first)); });
}

struct Folder {
  testing::TemporaryFolder folder;
  [[nodiscard]] std::string file() const { return folder / "checkpoint.safetensors"; }
};

}  // namespace

TEST_CASE("train denoiser: the residual of a network that says nothing is what the paper's scalings leave") {
  const Layout layout = unet_layout(tiny());
  const Weights silent = unpack(layout, initial_parameters(layout, 0));  // its last layer starts at zero
  const at::Generator generator = at::detail::createCPUGenerator(5);
  const Tensor images = at::randn({6, 1, 4, 4}, generator, at::kFloat);
  EdmDraws draws;
  draws.noise = at::randn({6, 1, 4, 4}, generator, at::kFloat);
  draws.log_sigma = at::linspace(-3.0, 3.0, 6, at::kDouble);
  draws.labels = at::zeros({6}, at::kLong);
  const Tensor found = edm_residual(tiny(), silent, images, draws, at::kFloat);
  for (int64_t i = 0; i < 6; ++i) {
    const double sigma = std::exp(-3.0 + 1.2 * static_cast<double>(i));
    const double skip = 0.25 / (sigma * sigma + 0.25);
    const double weight = (sigma * sigma + 0.25) / (sigma * sigma * 0.25);
    const Tensor wanted = weight * (skip * (images[i] + sigma * draws.noise[i]) - images[i]).square();
    CHECK(at::allclose(found[i], wanted, 1e-4, 1e-4 * wanted.max().item<double>()));
  }
}

TEST_CASE("train denoiser: the average forgets half in its half-life, and its start sooner") {
  DenoiserTraining training = quick();  // 16 images per step, half-life 200
  CHECK(std::pow(average_keeps(training, 1'000'000), 200.0 / 16.0) == Approx(0.5));
  CHECK(average_keeps(training, 0) == 0.0);
  CHECK(average_keeps(training, 10) == Approx(0.5));
  training.ema_half_life = 1e9;
  CHECK(average_keeps(training, 90) == Approx(0.9));
}

TEST_CASE("train denoiser: bytes and the floats that they stand for train alike, bit for bit") {
  ImageData bytes = stripes();
  bytes.maximum = 100;
  bytes.pixels = ((bytes.images + 1.0) * 50.0).round().clamp(0, 100).to(at::kByte);
  bytes.images = Tensor();
  ImageData floats = bytes;
  floats.images = bytes.scaled(bytes.pixels);
  floats.pixels = Tensor();
  CHECK(floats.images.max().item<double>() > 0.5);
  const Weights trained = train_denoiser(tiny(), bytes, quick(), "", at::kCPU, {}).weights;
  CHECK(same(trained, train_denoiser(tiny(), floats, quick(), "", at::kCPU, {}).weights));
  CHECK(denoiser_loss(tiny(), trained, bytes, quick(), 2) == denoiser_loss(tiny(), trained, floats, quick(), 2));
  CHECK(at::equal(denoiser_residuals(tiny(), trained, bytes, quick(), 0).loss,
                  denoiser_residuals(tiny(), trained, floats, quick(), 0).loss));
}

TEST_CASE("train denoiser: the loss falls, and the average of the weights is good") {
  DenoiserTraining training = quick();
  training.images = 16 * 200;
  const ImageData data = stripes();
  const Layout layout = unet_layout(tiny());
  const double before = denoiser_loss(tiny(), unpack(layout, initial_parameters(layout, 0)), data, training, 4);
  const TrainedDenoiser trained = train_denoiser(tiny(), data, training, "", at::kCPU, {});
  const double after = denoiser_loss(tiny(), trained.weights, data, training, 4);
  CHECK(trained.steps == 200);
  CHECK(trained.losses.size() == 2);
  CHECK(before > 0.5);
  CHECK(after < 0.6 * before);
}

TEST_CASE("train denoiser: a run that is stopped and resumed ends bit for bit where the other one does") {
  const Folder folder;
  const ImageData data = stripes();
  const TrainedDenoiser whole = train_denoiser(tiny(), data, quick(), "", at::kCPU, {});
  const TrainedDenoiser again = train_denoiser(tiny(), data, quick(), "", at::kCPU, {});
  CHECK(same(whole.weights, again.weights));
  // Killed between two checkpoints (an exception, after step 24 of checkpoints at 7, 14, 21), then stopped, then ended.
  struct Killed {};
  CHECK_THROWS_AS(train_denoiser(tiny(), data, quick(), folder.file(), at::kCPU,
                                 {.progress = [](int64_t done, int64_t, const std::string&) -> bool {
                                   if (done == 24) throw Killed();
                                   return true;
                                 }}),
                  Killed);
  const TrainedDenoiser stopped =
      train_denoiser(tiny(), data, quick(), folder.file(), at::kCPU,
                     {.progress = [](int64_t done, int64_t, const std::string&) { return done < 33; }});
  CHECK(stopped.stopped);
  CHECK(stopped.steps == 33);
  CHECK_FALSE(same(stopped.weights, whole.weights));
  int64_t first = 0;
  const TrainedDenoiser ended = train_denoiser(tiny(), data, quick(), folder.file(), at::kCPU,
                                               {.progress = [&](int64_t done, int64_t, const std::string&) {
                                                 if (first == 0) first = done;
                                                 return true;
                                               }});
  CHECK(first == 34);
  CHECK(same(ended.weights, whole.weights));
}

TEST_CASE("train denoiser: a look at which a run was killed is made up when it goes on") {
  const ImageData data = stripes();
  DenoiserTraining training = quick();
  training.images = 16 * 21;
  training.checkpoint_every = training.look_every = 7;
  const auto looks_after_kill_at = [&](int64_t kill) {
    const Folder folder;
    struct Killed {};
    std::vector<std::pair<int64_t, double>> looks;
    const auto look = [&](bool killed) {
      return TrainingHooks{.look = [&looks, kill, killed](int64_t step, const Weights& average) {
        if (killed && step == kill) throw Killed();
        looks.emplace_back(step, average.begin()->second.sum().item<double>());
      }};
    };
    if (kill > 0) CHECK_THROWS_AS(train_denoiser(tiny(), data, training, folder.file(), at::kCPU, look(true)), Killed);
    (void)train_denoiser(tiny(), data, training, folder.file(), at::kCPU, look(false));
    return looks;
  };
  const auto whole = looks_after_kill_at(0);
  REQUIRE(whole.size() == 3);
  for (const int64_t kill : {7, 14, 21}) {
    INFO("killed at the look of step " << kill);
    CHECK(looks_after_kill_at(kill) == whole);
  }
}

TEST_CASE("train denoiser: a checkpoint of another training is refused, a damaged one too") {
  const Folder folder;
  const ImageData data = stripes();
  (void)train_denoiser(tiny(), data, quick(), folder.file(), at::kCPU, {});
  DenoiserTraining other = quick();
  other.seed = 1;
  CHECK_THROWS_AS(train_denoiser(tiny(), data, other, folder.file(), at::kCPU, {}), UsageError);
  std::filesystem::resize_file(folder.file(), std::filesystem::file_size(folder.file()) - 100);
  CHECK_THROWS_AS(train_denoiser(tiny(), data, quick(), folder.file(), at::kCPU, {}), InputError);
}

TEST_CASE("train denoiser: a loss that is not finite stops the training and keeps the checkpoint") {
  const Folder folder;
  ImageData data = stripes();
  DenoiserTraining training = quick();
  training.images = 16 * 300;
  data.images[7].fill_(std::nan(""));
  CHECK_THROWS_AS(train_denoiser(tiny(), data, training, folder.file(), at::kCPU, {}), QualityError);
  CHECK_FALSE(std::filesystem::exists(folder.file()));
}

TEST_CASE("train denoiser: options and data that make no sense are refused") {
  const ImageData data = stripes();
  const auto refused = [&](const std::function<void(DenoiserTraining&)>& change) {
    DenoiserTraining training = quick();
    change(training);
    return !training.invalid_reason().empty();
  };
  CHECK(refused([](auto& t) { t.batch = 0; }));
  CHECK(refused([](auto& t) { t.images = 3; }));
  CHECK(refused([](auto& t) { t.learning_rate = -1.0; }));
  CHECK(refused([](auto& t) { t.learning_rate = std::nan(""); }));
  CHECK(refused([](auto& t) { t.dropout = 1.0; }));
  CHECK(refused([](auto& t) { t.class_dropout = 1.5; }));
  CHECK(refused([](auto& t) { t.ema_half_life = 0.0; }));
  CHECK(refused([](auto& t) { t.log_sigma_std = 0.0; }));
  CHECK(refused([](auto& t) { t.checkpoint_every = 0; }));
  UNetConfig channels = tiny();
  channels.image_channels = 3;
  CHECK_THROWS_AS(train_denoiser(channels, data, quick(), "", at::kCPU, {}), UsageError);
  UNetConfig classes = tiny();
  classes.classes = 7;
  CHECK_THROWS_AS(train_denoiser(classes, data, quick(), "", at::kCPU, {}), UsageError);
}
