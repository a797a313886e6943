#include "tests/catch_torch.h"

#include "framework/error.h"
#include "neural/networks/model_loader.h"
#include "neural/networks/unet.h"
#include "tests/temporary_folder.h"

#include <ATen/CPUGeneratorImpl.h>

#include <cmath>

using namespace stride;

namespace {

UNetConfig small(bool attention = false, int64_t classes = 3) {
  UNetConfig config;
  config.channels = {8, 16};
  config.embedding = 16;
  config.groups = 4;
  config.classes = classes;
  config.attention = attention;
  config.sigma_data = 0.75;
  return config;
}

// Every tensor random: the zero-initialised ones would hide whatever lies behind them.
Weights random_weights(const UNetConfig& config) {
  const Layout layout = unet_layout(config);
  return unpack(layout,
                initial_parameters(layout, 1) + 0.1 * at::randn({count(layout)}, at::detail::createCPUGenerator(5)));
}

Tensor gradient_of(const Tensor& value, const Tensor& input) {
  value.backward();
  return input.grad();
}

ModelInfo info_of(const UNetConfig& config) {
  ModelInfo info;
  info.name = "small";
  info.shape = {config.image_channels, 8, 8};
  info.sigma_data = config.sigma_data;
  if (config.classes > 0) info.conditions = {{"class", config.classes, {}}};
  return info;
}

std::string refusal(const std::function<void()>& work) {
  try {
    work();
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("unet: output has the shape and dtype of its input, in every dtype and variant") {
  for (const bool attention : {false, true}) {
    for (const int64_t classes : {int64_t{0}, int64_t{3}}) {
      const UNetConfig config = small(attention, classes);
      const UNet network(config, random_weights(config));
      const Tensor input = at::randn({5, 1, 8, 8}, at::detail::createCPUGenerator(1), at::kDouble);
      const Tensor time = at::linspace(-1.0, 1.0, 5, at::kDouble);
      const BatchState condition = classes > 0 ? BatchState({at::arange(5, at::kLong) % 3}) : BatchState();
      const Tensor exact = network.forward(input, time, condition);
      CHECK(exact.scalar_type() == at::kDouble);
      CHECK(exact.sizes() == input.sizes());
      CHECK(exact.abs().max().item<double>() > 0.1);
      for (const auto& [dtype, tolerance] : {std::pair{at::kFloat, 1e-4}, std::pair{at::kBFloat16, 0.2}}) {
        const Tensor rough = network.forward(input.to(dtype), time, condition);
        CHECK(rough.scalar_type() == dtype);
        CHECK((rough.to(at::kDouble) - exact).abs().max().item<double>() < tolerance);
      }
    }
  }
}

TEST_CASE("unet: noise level, label and position all matter, and rows do not mix") {
  const UNetConfig config = small();
  const UNet network(config, random_weights(config));
  const Tensor input = at::randn({4, 1, 8, 8}, at::detail::createCPUGenerator(1), at::kDouble);
  const Tensor time = at::full({4}, 0.2, at::kDouble);
  const Tensor labels = at::full({4}, 1, at::kLong);
  const Tensor base = network.forward(input, time, BatchState({labels}));
  const auto differs = [&](const Tensor& other) { return (other - base).abs().flatten(1).amax(1) > 1e-9; };
  CHECK(differs(network.forward(input, time + 0.1, BatchState({labels}))).all().item<bool>());
  CHECK(differs(network.forward(input, time, BatchState({labels + 1}))).all().item<bool>());
  CHECK(differs(network.forward(input, time, BatchState({labels * 0 - 1}))).all().item<bool>());
  // No condition at all is the label "none".
  CHECK(at::equal(network.forward(input, time, {}), network.forward(input, time, BatchState({labels * 0 - 1}))));
  CHECK(at::equal(network.null_condition(BatchState({labels}))[0], at::full({4}, -1, at::kLong)));

  Tensor changed = input.clone();
  changed[2].fill_(std::nan(""));
  const Tensor rows = differs(network.forward(changed, time, BatchState({labels})));
  const Tensor untouched = network.forward(changed, time, BatchState({labels})).index({torch::tensor({0, 1, 3})});
  CHECK(at::equal(untouched, base.index({torch::tensor({0, 1, 3})})));
  CHECK(rows.sum().item<int64_t>() <= 1);

  // One row alone gives what it gives in the batch, to rounding.
  const Tensor alone =
      network.forward(input.narrow(0, 1, 1), time.narrow(0, 1, 1), BatchState({labels.narrow(0, 1, 1)}));
  CHECK(at::allclose(alone, base.narrow(0, 1, 1), 1e-10, 1e-10));
}

TEST_CASE("unet: evaluation is pure and leaves autograd alone") {
  const UNetConfig config = small();
  const UNet network(config, random_weights(config));
  const Tensor input = at::randn({3, 1, 8, 8}, at::kFloat).requires_grad_();
  const Tensor copy = input.detach().clone();
  const Tensor time = at::zeros({3}, at::kDouble);
  const bool before = at::GradMode::is_enabled();
  const Tensor first = network.forward(input, time, {});
  CHECK(at::equal(first, network.forward(input, time, {})));
  CHECK(at::equal(input.detach(), copy));
  CHECK(at::GradMode::is_enabled() == before);
  CHECK(first.requires_grad());  // gradients flow to the input where the caller wants them
  const Tensor gradient = gradient_of(first.sum(), input);
  CHECK(gradient.abs().sum().item<double>() > 0.0);
}

namespace {

// The same network written again, with other functions of ATen where there are any, and for two levels of one block
// only.
Tensor reference(const UNetConfig& config, const Weights& w, const Tensor& input, const Tensor& time,
                 const Tensor& labels) {
  const auto linear = [&](const std::string& name, const Tensor& x) {
    return at::matmul(x, w.at(name + ".weight").t()) + w.at(name + ".bias");
  };
  const auto conv = [&](const std::string& name, const Tensor& x, int64_t padding) {
    const Tensor& weight = w.at(name + ".weight");
    const Tensor columns = at::im2col(x, weight.sizes().slice(2), {1, 1}, {padding, padding}, {1, 1});  // [B, C·k², HW]
    return (at::matmul(weight.flatten(1), columns) + w.at(name + ".bias").unsqueeze(1))
        .view({x.size(0), weight.size(0), x.size(2), x.size(3)});
  };
  const auto norm = [&](const std::string& name, const Tensor& x) {
    const Tensor grouped = x.reshape({x.size(0), config.groups, -1});
    const Tensor centred = grouped - grouped.mean(2, true);
    const Tensor unit = (centred / (centred.square().mean(2, true) + 1e-5).sqrt()).view(x.sizes());
    return unit * w.at(name + ".weight").view({1, -1, 1, 1}) + w.at(name + ".bias").view({1, -1, 1, 1});
  };
  const auto silu = [](const Tensor& x) { return x * x.sigmoid(); };
  std::vector<Tensor> waves;
  const int64_t half = config.embedding / 2;
  for (int64_t i = 0; i < half; ++i)
    waves.push_back(time * std::pow(2.0, -1.0 + 6.0 * static_cast<double>(i) / static_cast<double>(half - 1)));
  const Tensor phase = at::stack(waves, 1);
  Tensor emb = linear("time.0", at::cat({at::cos(phase), at::sin(phase)}, 1));
  emb = emb + w.at("class.weight").index_select(0, at::where(labels < 0, config.classes, labels));
  emb = silu(linear("time.1", silu(emb)));
  const auto block = [&](const std::string& name, const Tensor& x, bool skip) {
    Tensor h = conv(name + ".conv1", silu(norm(name + ".norm1", x)), 1);
    const Tensor both = linear(name + ".embedding", emb);
    const int64_t width = h.size(1);
    const Tensor scale = both.narrow(1, 0, width).reshape({-1, width, 1, 1}),
                 shift = both.narrow(1, width, width).reshape({-1, width, 1, 1});
    h = conv(name + ".conv2", silu(norm(name + ".norm2", h) * (1 + scale) + shift), 1);
    return ((skip ? conv(name + ".skip", x, 0) : x) + h) / std::sqrt(2.0);
  };
  const Tensor top = block("down.0.0", conv("in", input, 1), false);
  const Tensor low = block("down.1.0", at::avg_pool2d(top, 2), true);
  Tensor x = block("middle.0", low, false);
  if (config.attention) {
    const Tensor qkv = conv("attention.qkv", norm("attention.norm", x), 0).flatten(2).transpose(1, 2);  // [B, HW, 3C]
    const int64_t c = x.size(1);
    const Tensor mixed =
        at::scaled_dot_product_attention(qkv.narrow(2, 0, c), qkv.narrow(2, c, c), qkv.narrow(2, 2 * c, c));
    x = (x + conv("attention.out", mixed.transpose(1, 2).reshape(x.sizes()), 0)) / std::sqrt(2.0);
    x = block("middle.1", x, false);
  }
  x = block("up.1.0", at::cat({x, low}, 1), true);
  x = at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)});
  x = block("up.0.0", at::cat({x, top}, 1), true);
  return conv("out.conv", silu(norm("out.norm", x)), 1);
}

}  // namespace

TEST_CASE("unet: the network agrees with one written otherwise") {
  for (const bool attention : {false, true}) {
    const UNetConfig config = small(attention);
    const Weights weights = convert(random_weights(config), at::kCPU, at::kDouble);
    const Tensor input = at::randn({4, 1, 8, 12}, at::detail::createCPUGenerator(1), at::kDouble);
    const Tensor time = at::linspace(-1.0, 1.0, 4, at::kDouble);
    const Tensor labels = torch::tensor({0, 2, -1, 1}, at::kLong);
    const Tensor expected = reference(config, weights, input, time, labels);
    CHECK(at::allclose(unet_forward(config, weights, input, time, labels), expected, 1e-11, 1e-11));
  }
}

TEST_CASE("unet: images that do not fit are refused with the sizes") {
  const UNetConfig config = small();
  const UNet network(config, random_weights(config));
  const Tensor time = at::zeros({1}, at::kDouble);
  CHECK_THROWS_AS(network.forward(at::zeros({1, 1, 7, 8}), time, {}), UsageError);
  CHECK_THROWS_AS(network.forward(at::zeros({1, 2, 8, 8}), time, {}), UsageError);
  CHECK_THROWS_AS(network.forward(at::zeros({1, 8, 8}), time, {}), UsageError);
}

TEST_CASE("unet: a file gives back the network, and misfits are named") {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "unet.safetensors";
  const UNetConfig config = small();
  const Weights weights = random_weights(config);
  write_unet(path, config, weights, at::kFloat, {{"trained", "by nobody"}});
  const ModelInfo info = info_of(config);
  const auto denoiser = load_unet(info, path, at::kCPU, at::kFloat);
  const Tensor x = at::randn({3, 1, 8, 8}, at::kFloat) * 5.0;
  const Times sigma = torch::tensor({0.1, 1.0, 10.0}, at::kDouble);
  const BatchState labels({torch::tensor({0, 1, -1}, at::kLong)});
  const Tensor denoised = denoiser->evaluate(x, sigma, labels).denoised;

  // The EDM formula written out, Karras et al. 2022 eq. 7.
  const Tensor s = sigma.to(at::kFloat).view({3, 1, 1, 1});
  const double v = config.sigma_data * config.sigma_data;
  const Tensor norm = (s * s + v).sqrt();
  const Tensor output = unet_forward(config, weights, x / norm, sigma.log() / 4.0, labels[0]);
  CHECK(at::allclose(denoised, v / (norm * norm) * x + s * config.sigma_data / norm * output, 1e-4, 1e-5));

  const Safetensors file = read_safetensors_file(path);
  CHECK(unet_description(file, path) == config);
  CHECK(file.metadata.at("trained") == "by nobody");
  Safetensors broken = file;
  broken.tensors.erase("middle.0.conv1.weight");
  CHECK(refusal([&] { (void)make_unet(info, broken, "f", at::kCPU, at::kFloat); }).find("middle.0.conv1.weight") !=
        std::string::npos);
  broken = file;
  broken.tensors["in.bias"] = at::zeros({9});
  CHECK(refusal([&] { (void)make_unet(info, broken, "f", at::kCPU, at::kFloat); }).find("in.bias") !=
        std::string::npos);
  broken = file;
  broken.tensors["intruder"] = at::zeros({1});
  CHECK(refusal([&] { (void)make_unet(info, broken, "f", at::kCPU, at::kFloat); }).find("intruder") !=
        std::string::npos);
  ModelInfo other = info;
  other.sigma_data = 0.5;
  CHECK(refusal([&] { (void)make_unet(other, file, "f", at::kCPU, at::kFloat); }).find("sigma_data") !=
        std::string::npos);
  other = info;
  other.shape = {1, 9, 8};
  CHECK(refusal([&] { (void)make_unet(other, file, "f", at::kCPU, at::kFloat); }).find("divisible by 2") !=
        std::string::npos);
  other = info;
  other.conditions.clear();
  CHECK(refusal([&] { (void)make_unet(other, file, "f", at::kCPU, at::kFloat); }).find("3 classes") !=
        std::string::npos);
  other = info;
  other.sha256 = std::string(64, '0');
  CHECK_FALSE(refusal([&] { (void)load_unet(other, path, at::kCPU, at::kFloat); }).empty());
}

TEST_CASE("unet: descriptions that are malformed are refused") {
  const std::string good = small().to_json();
  CHECK(UNetConfig::from_json(good, "f") == small());
  const auto with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    return text.replace(at, from.size(), to);
  };
  const std::vector<std::string> bad = {"",
                                        "[]",
                                        "{",
                                        "{}",
                                        with("\"version\":1", "\"version\":2"),
                                        with("stride-unet", "other"),
                                        with("\"groups\":4", "\"groups\":3"),
                                        with("\"groups\":4", "\"groups\":0"),
                                        with("[8,16]", "[]"),
                                        with("[8,16]", "[8,-16]"),
                                        with("[8,16]", "\"8\""),
                                        with("\"embedding\":16", "\"embedding\":15"),
                                        with("\"blocks\":1", "\"blocks\":0"),
                                        with("\"blocks\":1", "\"blocks\":\"1\""),
                                        with("0.75", "-0.75"),
                                        with("0.75", "null"),
                                        with("\"classes\":3", "\"classes\":-3"),
                                        with("{", "{\"more\":1,")};
  for (const auto& text : bad) {
    INFO(text);
    CHECK_FALSE(refusal([&] { (void)UNetConfig::from_json(text, "f"); }).empty());
  }
}
