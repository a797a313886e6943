#include "tests/catch_torch.h"

#include "framework/error.h"
#include "framework/models/gaussian_mixture.h"
#include "neural/networks/encoder_features.h"
#include "neural/networks/model_loader.h"
#include "tests/temporary_folder.h"

#include <ATen/CPUGeneratorImpl.h>

using namespace stride;

namespace {

std::shared_ptr<const Denoiser> unet(const testing::TemporaryFolder& folder) {
  UNetConfig config;
  config.channels = {8, 16};
  config.embedding = 16;
  config.groups = 4;
  config.classes = 3;
  const Layout layout = unet_layout(config);
  auto generator = at::detail::createCPUGenerator(5);
  const Tensor values = initial_parameters(layout, 1) + 0.1 * at::randn({count(layout)}, generator);
  write_unet(folder / "unet.safetensors", config, unpack(layout, values), at::kFloat);
  ModelInfo info;
  info.name = "small";
  info.shape = {1, 8, 8};
  info.sigma_data = config.sigma_data;
  info.conditions = {{"class", 3, {}}};
  return load_unet(info, folder / "unet.safetensors", at::kCPU, at::kFloat);
}

}  // namespace

TEST_CASE("encoder features: one unit vector a block and place, row by row") {
  const testing::TemporaryFolder folder;
  const auto features = encoder_features(unet(folder));
  const Tensor x = at::randn({5, 1, 8, 8}, at::detail::createCPUGenerator(1)).to(at::kFloat);
  const Tensor seen = features(x);
  CHECK(seen.sizes() == at::IntArrayRef({5, 8 * 64 + 16 * 16}));
  // Two blocks, each of mean squared length 1: so the distance of two images lies between 0 and 4 · 2.
  CHECK(at::allclose(seen.square().sum(1), at::full({5}, 2.0f), 1e-4));
  CHECK(at::allclose(features(x.slice(0, 2, 3)), seen.slice(0, 2, 3), 1e-4, 1e-5));
  const double near = (features(x + 0.01) - seen).square().sum(1).mean().item<double>();
  const double far = (features(x + 0.5) - seen).square().sum(1).mean().item<double>();
  CHECK(near > 0.0);
  CHECK(near < 0.1 * far);
}

TEST_CASE("encoder features: a denoiser that is no UNet has none") {
  ModelInfo info;
  info.name = "mixture";
  info.shape = {2};
  const auto mixture = std::make_shared<GaussianMixture>(
      info, GaussianMixtureOptions{.weights = {1.0}, .means = {{0.0, 1.0}}, .std = {0.5}, .classes = {}});
  CHECK_THROWS_AS(encoder_features(mixture), UsageError);
}
