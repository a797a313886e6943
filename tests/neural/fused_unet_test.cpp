// The UNet of fused kernels against the plain one.
#include "tests/catch_torch.h"

#include "framework/full_float32.h"
#include "neural/networks/fused_conv.h"
#include "neural/networks/fused_unet.h"
#include "neural/networks/unet.h"

#include <ATen/CPUGeneratorImpl.h>

using namespace stride;

namespace {

UNetConfig config_of(std::vector<int64_t> channels, bool attention, int64_t classes) {
  UNetConfig config;
  config.image_channels = 3;
  config.channels = std::move(channels);
  config.embedding = 64;
  config.classes = classes;
  config.attention = attention;
  return config;
}

// Every tensor random: the zero-initialised ones would hide whatever lies behind them.
Weights random_weights(const UNetConfig& config, at::ScalarType dtype, at::Device device) {
  const Layout layout = unet_layout(config);
  const Tensor flat =
      initial_parameters(layout, 1) + 0.05 * at::randn({count(layout)}, at::detail::createCPUGenerator(5));
  return convert(unpack(layout, flat.to(at::kBFloat16)), device, dtype);
}

}  // namespace

TEST_CASE("fused unet: the tile that is chosen fits, and smaller batches get smaller ones") {
  for (const int outputs : {16, 32, 64, 96, 128, 160, 192, 480}) {
    for (const int side : {8, 16, 32, 64}) {
      int64_t before = 0;
      for (const int64_t batch : {1, 3, 16, 64, 256, 1000}) {
        const int chosen = cuda::choose_conv_tile(batch, side, side, outputs);
        REQUIRE(chosen >= 0);
        const cuda::ConvTile& tile = cuda::conv_tiles().at(static_cast<std::size_t>(chosen));
        CHECK(side % tile.height == 0);
        CHECK(side % tile.width == 0);
        CHECK(outputs % tile.outputs == 0);
        const int64_t size = int64_t{tile.height} * tile.width * tile.outputs;
        CHECK(size >= before);
        before = size;
      }
    }
  }
  CHECK(cuda::choose_conv_tile(1, 12, 8, 96) == -1);
  CHECK(cuda::choose_conv_tile(1, 8, 8, 24) == -1);
}

TEST_CASE("fused unet: only where its kernels run") {
  const UNetConfig config = config_of({32, 64}, true, 0);
  CHECK(FusedUNet::of(config, random_weights(config, at::kBFloat16, at::kCPU)) == nullptr);
}

TEST_CASE("fused unet: says what the plain network says, nearer to float32 than layers of 16 bits do", "[cuda]") {
  const at::ScalarType dtype = GENERATE(at::kBFloat16, at::kHalf);
  for (const auto& [channels, attention, classes, side] : {std::tuple{std::vector<int64_t>{96, 160, 160}, true, 10, 32},
                                                           {std::vector<int64_t>{32, 64}, false, 0, 16},
                                                           {std::vector<int64_t>{64, 128}, true, 3, 32}}) {
    UNetConfig config = config_of(channels, attention, classes);
    config.blocks = 2;
    const Weights narrow = random_weights(config, dtype, at::kCUDA);
    const Weights wide = random_weights(config, at::kFloat, at::kCUDA);
    const std::unique_ptr<FusedUNet> fused = FusedUNet::of(config, narrow);
    REQUIRE(fused != nullptr);
    for (const int64_t batch : {1, 5, 33, 256}) {
      const auto generator = at::detail::createCPUGenerator(static_cast<uint64_t>(batch));
      const Tensor x = at::randn({batch, 3, side, side}, generator).to(at::kCUDA, dtype);
      const Tensor time = at::randn({batch}, generator).to(at::kCUDA);
      const Tensor labels = (at::arange(batch, at::kLong) % (classes + 1) - 1).to(at::kCUDA);
      REQUIRE(fused->takes(x));
      const Tensor wanted = unet_forward(config, wide, x.to(at::kFloat), time, labels);
      const Tensor got = fused->forward(x, time, labels);
      const auto error = [&](const Tensor& said) {
        return ((said.to(at::kFloat) - wanted).norm() / wanted.norm()).item<double>();
      };
      INFO("batch " << batch << ", channels " << channels.front() << ": " << error(got));
      CHECK(got.sizes() == x.sizes());
      CHECK(error(got) < (dtype == at::kHalf ? 0.003 : 0.02));
      CHECK(error(got) < 1.2 * error(unet_forward(config, narrow, x, time, labels)));
      CHECK(got.equal(fused->forward(x, time, labels)));
    }
    CHECK_FALSE(fused->takes(at::zeros({1, 3, side + 4, side}, at::TensorOptions(at::kCUDA).dtype(dtype))));
    CHECK_FALSE(fused->takes(at::zeros({1, 3, side, side}, at::TensorOptions(at::kCUDA))));  // float32
  }
}

TEST_CASE("fused unet: in TF32, as near to float64 as cuDNN's TF32", "[cuda]") {
  for (const auto& [channels, attention, classes, side] :
       {std::tuple{std::vector<int64_t>{96, 160, 160}, true, 10, 32}, {std::vector<int64_t>{32, 64}, false, 0, 16}}) {
    UNetConfig config = config_of(channels, attention, classes);
    config.blocks = 2;
    const Weights weights = random_weights(config, at::kFloat, at::kCUDA);
    const Weights wide = random_weights(config, at::kDouble, at::kCUDA);
    {
      const FullFloat32 none;
      CHECK(FusedUNet::of(config, weights) == nullptr);
    }
    const std::unique_ptr<FusedUNet> fused = FusedUNet::of(config, weights);
    REQUIRE(fused != nullptr);
    for (const int64_t batch : {1, 5, 33, 256}) {
      const auto generator = at::detail::createCPUGenerator(static_cast<uint64_t>(batch));
      const Tensor x = at::randn({batch, 3, side, side}, generator).to(at::kCUDA);
      const Tensor time = at::randn({batch}, generator).to(at::kCUDA);
      const Tensor labels = (at::arange(batch, at::kLong) % (classes + 1) - 1).to(at::kCUDA);
      REQUIRE(fused->takes(x));
      const Tensor wanted = unet_forward(config, wide, x.to(at::kDouble), time, labels);
      const Tensor got = fused->forward(x, time, labels);
      const auto error = [&](const Tensor& said) { return ((said - wanted).norm() / wanted.norm()).item<double>(); };
      CAPTURE(batch, channels.front(), error(got));
      CHECK(error(got) < 2e-3);
      CHECK(error(got) < 1.2 * error(unet_forward(config, weights, x, time, labels)));
      CHECK(got.equal(fused->forward(x, time, labels)));
      const FullFloat32 none;
      CHECK_FALSE(fused->takes(x));
    }
  }
}

TEST_CASE("fused unet: runs what needs no gradient of a UNet in bfloat16", "[cuda]") {
  const UNetConfig config = config_of({32, 64}, true, 3);
  const Weights weights = random_weights(config, at::kBFloat16, at::kCUDA);
  const std::unique_ptr<FusedUNet> fused = FusedUNet::of(config, weights);
  REQUIRE(fused != nullptr);
  const UNet unet(config, weights);
  const auto generator = at::detail::createCPUGenerator(1);
  const Tensor x = at::randn({5, 3, 16, 16}, generator).to(at::kCUDA, at::kBFloat16);
  const Tensor time = at::randn({5}, generator).to(at::kCUDA);
  const BatchState labels({(at::arange(5, at::kLong) % 4 - 1).to(at::kCUDA)});
  const Tensor by_kernels = fused->forward(x, time, labels[0]);
  CHECK(unet.forward(x, time, labels).equal(by_kernels));

  // What wants a gradient, and images of other sizes, run on the plain network.
  const Tensor plain = unet_forward(config, weights, x, time, labels[0]);
  CHECK_FALSE(plain.equal(by_kernels));
  const Tensor leaf = x.clone().requires_grad_();
  const Tensor y = unet.forward(leaf, time, labels);
  CHECK(y.requires_grad());
  CHECK(((y - plain).norm() / plain.norm()).item<double>() < 1e-2);
  const Tensor odd = x.narrow(2, 0, 12).contiguous();
  CHECK(unet.forward(odd, time, labels).equal(unet_forward(config, weights, odd, time, labels[0])));
}
