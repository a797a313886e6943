#include "neural/features.h"

#include "framework/error.h"
#include "framework/file.h"
#include "framework/hash.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

constexpr int64_t kChunk = 1024;
constexpr const char* kFormat = "stride-features";
constexpr int kVersion = 1;

}  // namespace

std::string FeatureConfig::invalid_reason() const {
  if (shape.size() != 3 || shape[0] < 1 || shape[1] < 2 || shape[2] < 2 || shape[1] % 2 != 0 || shape[2] % 2 != 0 ||
      shape[0] > 4096 || shape[1] > 65536 || shape[2] > 65536)
    return "shape must be [C, H, W] with even H and W";
  if (channels.size() != 3) return "channels must name the widths of three convolutions";
  for (const int64_t width : channels)
    if (width < 1 || width > 65536) return "each of the channels must lie between 1 and 65536";
  if (features < 1 || features > 65536) return "features must lie between 1 and 65536";
  if (classes < 2 || classes > 1'000'000) return "classes must lie between 2 and 1000000";
  return "";
}

std::string FeatureConfig::to_json() const {
  const nlohmann::json json = {{"format", kFormat},    {"version", kVersion},  {"shape", shape},
                               {"channels", channels}, {"features", features}, {"classes", classes}};
  return json.dump();
}

FeatureConfig FeatureConfig::from_json(const std::string& text, const std::string& where) {
  FeatureConfig config;
  try {
    const auto json = nlohmann::json::parse(text);
    if (json.at("format") != kFormat || json.at("version") != kVersion)
      throw InputError(fmt::format("{}: is not a {} of version {}", where, kFormat, kVersion));
    json.at("shape").get_to(config.shape);
    json.at("channels").get_to(config.channels);
    json.at("features").get_to(config.features);
    json.at("classes").get_to(config.classes);
  } catch (const nlohmann::json::exception& error) {
    throw InputError(fmt::format("{}: the network's description cannot be read: {}", where, error.what()));
  }
  const std::string reason = config.invalid_reason();
  if (!reason.empty()) throw InputError(fmt::format("{}: the network's description is wrong: {}", where, reason));
  return config;
}

Layout feature_layout(const FeatureConfig& config) {
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

FeatureOutput feature_forward(const FeatureConfig& /*config*/, const Weights& weights, const Tensor& images,
                              double dropout_keep, const Tensor& dropout_mask) {
  const auto weight = [&](const std::string& name) { return weights.at(name).to(images.scalar_type()); };
  Tensor x = images;
  for (int i = 0; i < 3; ++i) {
    const auto name = fmt::format("conv{}", i);
    x = at::silu(
        at::conv2d(x, weight(name + ".weight"), weight(name + ".bias"), /*stride=*/i == 1 ? 2 : 1, /*padding=*/1));
  }
  FeatureOutput output;
  output.features = at::linear(x.flatten(1), weight("features.weight"), weight("features.bias"));
  Tensor active = at::silu(output.features);
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

FeatureOutput FeatureNetwork::run(const Tensor& images) const {
  if (images.dim() != 4 || images.sizes().slice(1) != at::IntArrayRef(config_.shape))
    throw UsageError(fmt::format("the features '{}' are of images [{}], not of [{}]", name_,
                                 fmt::join(config_.shape, ", "), fmt::join(images.sizes().slice(1), ", ")));
  const at::NoGradGuard no_grad;
  std::vector<Tensor> features, logits;
  for (int64_t at = 0; at == 0 || at < images.size(0); at += kChunk) {
    const Tensor chunk = images.slice(0, at, at + kChunk).to(at::kCPU, at::kDouble).contiguous();
    const FeatureOutput output = feature_forward(config_, weights_, chunk);
    features.push_back(output.features);
    logits.push_back(output.logits);
  }
  return {at::cat(features), at::cat(logits)};
}

Tensor FeatureNetwork::features(const Tensor& images) const { return run(images).features; }

Tensor FeatureNetwork::classify(const Tensor& images) const { return run(images).logits.argmax(1); }

}  // namespace stride
