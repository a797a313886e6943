#include "neural/networks/features.h"

#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "framework/files/json_place.h"
#include "framework/files/json_text.h"
#include "framework/full_float32.h"
#include "neural/networks/norm_act.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

constexpr int64_t kChunk = 1024;
constexpr int64_t kGroups = 8;
constexpr double kHalf = 0.70710678118654752;  // keeps the variance of a sum of two
constexpr const char* kFormat = "stride-features";
constexpr int kVersion = 1;

void add_conv(Layout& layout, const std::string& name, int64_t in, int64_t out, int64_t size, Init init) {
  layout.push_back({name + ".weight", {out, in, size, size}, init});
  layout.push_back({name + ".bias", {out}, Init::zero});
}

void add_norm(Layout& layout, const std::string& name, int64_t width) {
  layout.push_back({name + ".weight", {width}, Init::one});
  layout.push_back({name + ".bias", {width}, Init::zero});
}

Layout residual_layout(const FeatureConfig& config) {
  Layout layout;
  int64_t in = config.channels[0];
  add_conv(layout, "stem", config.shape[0], in, 3, Init::fan_in);
  for (std::size_t level = 0; level < config.channels.size(); ++level) {
    const int64_t out = config.channels[level];
    for (int64_t i = 0; i < config.blocks; ++i) {
      const std::string name = fmt::format("block.{}.{}", level, i);
      add_norm(layout, name + ".norm1", in);
      add_conv(layout, name + ".conv1", in, out, 3, Init::fan_in);
      add_norm(layout, name + ".norm2", out);
      add_conv(layout, name + ".conv2", out, out, 3, Init::fan_in);
      if (in != out) add_conv(layout, name + ".skip", in, out, 1, Init::fan_in);
      in = out;
    }
  }
  add_norm(layout, "norm", in);
  layout.push_back({"classes.weight", {config.classes, in}, Init::fan_in});
  layout.push_back({"classes.bias", {config.classes}, Init::zero});
  return layout;
}

Tensor residual_features(const FeatureConfig& config, const Weights& weights, const Tensor& images) {
  const auto conv = [&](const std::string& name, const Tensor& x, int64_t padding) {
    const auto dtype = images.scalar_type();
    return at::conv2d(x, weights.at(name + ".weight").to(dtype), weights.at(name + ".bias").to(dtype), 1, padding);
  };
  const auto act = [&](const std::string& name, const Tensor& x) {
    return norm_act(x, {kGroups, 1e-5, weights.at(name + ".weight"), weights.at(name + ".bias"), {}, {}});
  };
  Tensor x = conv("stem", has_kernels(images) ? images.contiguous(at::MemoryFormat::ChannelsLast) : images, 1);
  for (std::size_t level = 0; level < config.channels.size(); ++level) {
    if (level > 0) x = at::avg_pool2d(x, 2);
    for (int64_t i = 0; i < config.blocks; ++i) {
      const std::string name = fmt::format("block.{}.{}", level, i);
      const Tensor h =
          conv(name + ".conv2", act(name + ".norm2", conv(name + ".conv1", act(name + ".norm1", x), 1)), 1);
      const bool same = weights.find(name + ".skip.weight") == weights.end();
      x = add_scaled(same ? x : conv(name + ".skip", x, 0), h, {}, kHalf);
    }
  }
  return act("norm", x).mean({2, 3});
}

}  // namespace

std::string FeatureConfig::invalid_reason() const {
  if (shape.size() != 3 || shape[0] < 1 || shape[1] < 2 || shape[2] < 2 || shape[1] % 2 != 0 || shape[2] % 2 != 0 ||
      shape[0] > 4096 || shape[1] > 65536 || shape[2] > 65536)
    return "shape must be [C, H, W] with even H and W";
  if (blocks < 0 || blocks > 64) return "blocks must lie between 0 and 64";
  if (blocks == 0 && channels.size() != 3) return "channels must name the widths of three convolutions";
  if (blocks > 0) {
    if (channels.empty() || channels.size() > 8) return "channels must name one to eight levels";
    const int64_t stride = int64_t{1} << (channels.size() - 1);
    if (shape[1] % stride != 0 || shape[2] % stride != 0)
      return fmt::format("{} levels need H and W divisible by {}", channels.size(), stride);
    for (const int64_t width : channels)
      if (width % kGroups != 0) return fmt::format("each of the channels must be divisible by {}", kGroups);
    if (features != channels.back()) return "features must be the last of the channels";
  }
  for (const int64_t width : channels)
    if (width < 1 || width > 65536) return "each of the channels must lie between 1 and 65536";
  if (features < 1 || features > 65536) return "features must lie between 1 and 65536";
  if (classes < 2 || classes > 1'000'000) return "classes must lie between 2 and 1000000";
  return "";
}

std::string FeatureConfig::to_json() const {
  nlohmann::json json = {{"format", kFormat},    {"version", kVersion},  {"shape", shape},
                         {"channels", channels}, {"features", features}, {"classes", classes}};
  if (blocks > 0) json["blocks"] = blocks;
  return json.dump();
}

FeatureConfig FeatureConfig::from_json(const std::string& text, const std::string& where) {
  FeatureConfig config;
  const auto json = parse_json_text(text, where);
  const JsonPlace<nlohmann::json> root(json, where + ": the network's description");
  if (root.at("format").value() != kFormat || root.at("version").value() != kVersion)
    throw InputError(fmt::format("{}: is not a {} of version {}", where, kFormat, kVersion));
  config.shape = root.at("shape").wholes();
  config.channels = root.at("channels").wholes();
  config.features = root.at("features").whole();
  if (const auto blocks = root.find("blocks")) config.blocks = blocks->whole();
  config.classes = root.at("classes").whole();
  const std::string reason = config.invalid_reason();
  if (!reason.empty()) throw InputError(fmt::format("{}: the network's description is wrong: {}", where, reason));
  return config;
}

Layout feature_layout(const FeatureConfig& config) {
  if (config.blocks > 0) return residual_layout(config);
  Layout layout;
  int64_t in = config.shape[0];
  for (std::size_t i = 0; i < 3; ++i) {
    const int64_t out = config.channels[i];
    layout.push_back({fmt::format("conv{}.weight", i), {out, in, 3, 3}, Init::fan_in});
    layout.push_back({fmt::format("conv{}.bias", i), {out}, Init::zero});
    in = out;
  }
  const int64_t flat = in * (config.shape[1] / 2) * (config.shape[2] / 2);
  layout.push_back({"features.weight", {config.features, flat}, Init::fan_in});
  layout.push_back({"features.bias", {config.features}, Init::zero});
  layout.push_back({"classes.weight", {config.classes, config.features}, Init::fan_in});
  layout.push_back({"classes.bias", {config.classes}, Init::zero});
  return layout;
}

FeatureOutput feature_forward(const FeatureConfig& config, const Weights& weights, const Tensor& images,
                              double dropout_keep, const Tensor& dropout_mask) {
  const auto weight = [&](const std::string& name) { return weights.at(name).to(images.scalar_type()); };
  FeatureOutput output;
  Tensor active;
  if (config.blocks > 0) {
    active = output.features = residual_features(config, weights, images);
  } else {
    Tensor x = images;
    for (int i = 0; i < 3; ++i) {
      const auto name = fmt::format("conv{}", i);
      x = at::silu(
          at::conv2d(x, weight(name + ".weight"), weight(name + ".bias"), /*stride=*/i == 1 ? 2 : 1, /*padding=*/1));
    }
    output.features = at::linear(x.flatten(1), weight("features.weight"), weight("features.bias"));
    active = at::silu(output.features);
  }
  if (dropout_mask.defined()) active = active * dropout_mask / dropout_keep;
  output.logits = at::linear(active, weight("classes.weight"), weight("classes.bias"));
  return output;
}

FeatureNetwork::FeatureNetwork(const Safetensors& file, const std::string& where, std::string sha256)
    : sha256_(std::move(sha256)) {
  const auto found = file.metadata.find("network");
  if (found == file.metadata.end())
    throw InputError(
        fmt::format("{}: has no description of a network in its metadata: it is not a feature network", where));
  config_ = FeatureConfig::from_json(found->second, where);
  check_weights(feature_layout(config_), file.tensors, where);
  weights_ = convert(file.tensors, at::kCPU, at::kDouble);
  const auto name = file.metadata.find("name");
  name_ = name == file.metadata.end() ? where : name->second;
}

FeatureNetwork FeatureNetwork::load(const std::string& path, const std::string& sha256) {
  const std::string bytes = read_file(path);
  const std::string found = stride::sha256(bytes);
  if (!sha256.empty() && sha256 != found)
    throw InputError(
        fmt::format("{}: has SHA-256 {}, expected {}: another file, or a damaged one", path, found, sha256));
  return {parse_safetensors(bytes, path), path, found};
}

FeatureOutput FeatureNetwork::run(const Tensor& images, const at::Device& device) const {
  if (images.dim() != 4 || images.sizes().slice(1) != at::IntArrayRef(config_.shape))
    throw UsageError(fmt::format("the features '{}' are of images [{}], not of [{}]", name_,
                                 fmt::join(config_.shape, ", "), fmt::join(images.sizes().slice(1), ", ")));
  const at::NoGradGuard no_grad;
  const FullFloat32 full;
  const at::ScalarType dtype = device.is_cuda() ? at::kFloat : at::kDouble;
  const Weights weights = device.is_cuda() ? convert(weights_, device, dtype) : weights_;
  std::vector<Tensor> features, logits;
  for (int64_t at = 0; at == 0 || at < images.size(0); at += kChunk) {
    const Tensor chunk = images.slice(0, at, at + kChunk).to(device, dtype).contiguous();
    const FeatureOutput output = feature_forward(config_, weights, chunk);
    features.push_back(output.features.to(at::kDouble).cpu());
    logits.push_back(output.logits.cpu());
  }
  return {at::cat(features), at::cat(logits)};
}

Tensor FeatureNetwork::features(const Tensor& images) const { return features(images, images.device()); }

Tensor FeatureNetwork::features(const Tensor& images, const at::Device& device) const {
  return run(images, device).features;
}

Tensor FeatureNetwork::classify(const Tensor& images) const { return run(images, images.device()).logits.argmax(1); }

}  // namespace stride
