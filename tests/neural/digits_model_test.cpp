#include "tests/catch_torch.h"

#include <ATen/core/grad_mode.h>

#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "framework/fixed_grid.h"
#include "framework/models/narrow_denoiser.h"
#include "framework/sample.h"
#include "neural/networks/features.h"
#include "neural/networks/model_loader.h"
#include "neural/training/train_denoiser.h"
#include "solvers/registry.h"
#include "tests/precision_bench.h"

using namespace stride;

namespace {

const std::string kModels = std::string(STRIDE_SOURCE_DIR) + "/models/";

ModelInfo digits_info() {
  ModelInfo info;
  info.name = "digits";
  info.shape = {1, 8, 8};
  info.sigma_min = 0.02;
  info.sigma_max = 20.0;
  info.sigma_data = 0.75;
  info.conditions = {{"class", 10, {}}};
  return info;
}

}  // namespace

TEST_CASE("digits: the embedded weights are what their card says") {
  const std::string card = read_file(kModels + "digits/card.toml");
  CHECK(card.find("sha256 = \"" + sha256_file(kModels + "digits/unet.safetensors") + "\"") != std::string::npos);
  CHECK(card.find("data_sha256 = \"" + sha256_file(kModels + "digits/digits.safetensors") + "\"") != std::string::npos);
  const std::string judge = read_file(kModels + "features-digits/card.toml");
  CHECK(judge.find("sha256 = \"" + sha256_file(kModels + "features-digits/weights.safetensors") + "\"") !=
        std::string::npos);

  const Safetensors file = read_safetensors_file(kModels + "digits/unet.safetensors");
  const UNetConfig config = unet_description(file, "digits");
  CHECK(count(unet_layout(config)) <= 350'000);
  CHECK(read_file(kModels + "digits/unet.safetensors").size() <= 1'000'000);
  // As good on its training loss as the card says (a fresh network has 1.0).
  const ImageData data = load_images(kModels + "digits/digits.safetensors");
  CHECK(denoiser_loss(config, convert(file.tensors, at::kCPU, at::kFloat), data, {}, 4) < 0.29);
}

TEST_CASE("digits: what is sampled under a label is that digit") {
  const auto denoiser = load_unet(digits_info(), kModels + "digits/unet.safetensors", at::kCPU, at::kFloat);
  const FeatureNetwork judge = FeatureNetwork::load(kModels + "features-digits/weights.safetensors");
  const int64_t n = 200;
  const ProbabilityFlow term;
  const NoNoise noise;
  const auto solver = make_solver("dpmpp_2m");
  GridRequest request;
  request.steps = 15;
  request.sigma_min = 0.02;
  request.sigma_max = 20.0;
  const TimeGrid grid = make_grid(Spec::parse("karras"), request);
  const FixedGrid controller(grid);
  const Tensor ids = at::arange(n, at::kLong);
  const Tensor labels = ids % 10;
  const auto draw = [&](const Tensor& condition) {
    const Tensor x = PhiloxNoise(0).initial(ids, {1, 8, 8}, at::kFloat) * grid.start();
    const RunConstant constant{ids, BatchState({condition}), grid.rows(n, at::kCPU), {}};
    const RunState start = start_run(*solver, controller, constant, x, at::full({n}, grid.start(), at::kDouble));
    return sample({*denoiser, term, noise}, *solver, controller, start).x.clamp(-1.0, 1.0);
  };
  const auto share = [](const Tensor& right) { return right.to(at::kDouble).mean().item<double>(); };
  CHECK(share(judge.classify(draw(labels)).eq(labels)) >= 0.9);
  // Without a label every digit comes up, and none rules.
  const Tensor counts = at::bincount(judge.classify(draw(at::full_like(labels, -1))), {}, 10);
  CHECK(counts.min().item<int64_t>() >= 5);
  CHECK(counts.max().item<int64_t>() <= 60);
}

TEST_CASE("campaign precision-digits: on a network every solver keeps DDIM's digits in every dtype and on every grid",
          "[.campaign]") {
  const auto load = [](at::ScalarType dtype) -> std::shared_ptr<const Denoiser> {
    return load_unet(digits_info(), kModels + "digits/unet.safetensors", at::kCPU, dtype);
  };
  const at::NoGradGuard no_grad;
  for (const int64_t steps : {2, 5, 20, 50})
    testing::check_all(
        {load(at::kDouble),
         {std::make_shared<NarrowDenoiser>(load(at::kFloat), at::kFloat), load(at::kBFloat16), load(at::kHalf)},
         steps,
         4},
        steps);
}
