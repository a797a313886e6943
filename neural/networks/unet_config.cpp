#include "neural/networks/unet_config.h"

#include "framework/error.h"
#include "framework/files/json_place.h"
#include "framework/files/json_text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

constexpr const char* kFormat = "stride-unet";
constexpr int kVersion = 1;

void conv(Layout& layout, const std::string& name, int64_t in, int64_t out, int64_t size, Init init = Init::fan_in) {
  layout.push_back({name + ".weight", {out, in, size, size}, init});
  layout.push_back({name + ".bias", {out}, Init::zero});
}

void linear(Layout& layout, const std::string& name, int64_t in, int64_t out, Init init = Init::fan_in) {
  layout.push_back({name + ".weight", {out, in}, init});
  layout.push_back({name + ".bias", {out}, Init::zero});
}

void norm(Layout& layout, const std::string& name, int64_t channels) {
  layout.push_back({name + ".weight", {channels}, Init::one});
  layout.push_back({name + ".bias", {channels}, Init::zero});
}

void block(Layout& layout, const std::string& name, int64_t in, int64_t out, int64_t embedding) {
  norm(layout, name + ".norm1", in);
  conv(layout, name + ".conv1", in, out, 3);
  linear(layout, name + ".embedding", embedding, 2 * out);
  norm(layout, name + ".norm2", out);
  conv(layout, name + ".conv2", out, out, 3, Init::zero);
  if (in != out) conv(layout, name + ".skip", in, out, 1);
}

}  // namespace

std::string UNetConfig::invalid_reason() const {
  if (image_channels < 1 || image_channels > 4096) return "image_channels must lie between 1 and 4096";
  if (channels.empty() || channels.size() > 8) return "channels must name one to eight levels";
  if (groups < 1) return "groups must be positive";
  for (const int64_t width : channels)
    if (width < 1 || width > 8192 || width % groups != 0)
      return fmt::format("the width {} must lie between 1 and 8192 and be divisible by the {} groups", width, groups);
  if (blocks < 1 || blocks > 64) return "blocks must lie between 1 and 64";
  if (embedding < 2 || embedding > 8192 || embedding % 2 != 0)
    return "embedding must be even and lie between 2 and 8192";
  if (classes < 0 || classes > 1'000'000) return "classes must lie between 0 and 1000000";
  if (!(sigma_data > 0.0 && sigma_data < 1e6)) return "sigma_data must be positive";
  return "";
}

std::string UNetConfig::to_json() const {
  const nlohmann::json json = {{"format", kFormat},       {"version", kVersion}, {"image_channels", image_channels},
                               {"channels", channels},    {"blocks", blocks},    {"embedding", embedding},
                               {"groups", groups},        {"classes", classes},  {"attention", attention},
                               {"sigma_data", sigma_data}};
  return json.dump();
}

UNetConfig UNetConfig::from_json(const std::string& text, const std::string& where) {
  UNetConfig config;
  const auto json = parse_json_text(text, where);
  const JsonPlace<nlohmann::json> root(json, where + ": the network's description");
  if (root.at("format").value() != kFormat || root.at("version").value() != kVersion)
    throw InputError(fmt::format("{}: is not a {} of version {}", where, kFormat, kVersion));
  config.image_channels = root.at("image_channels").whole();
  config.channels = root.at("channels").wholes();
  config.blocks = root.at("blocks").whole();
  config.embedding = root.at("embedding").whole();
  config.groups = root.at("groups").whole();
  config.classes = root.at("classes").whole();
  config.attention = root.at("attention").flag();
  config.sigma_data = root.at("sigma_data").number();
  if (json.size() != 10) throw InputError(fmt::format("{}: the network's description has unknown entries", where));
  const std::string reason = config.invalid_reason();
  if (!reason.empty()) throw InputError(fmt::format("{}: the network's description is wrong: {}", where, reason));
  return config;
}

Layout unet_layout(const UNetConfig& config) {
  Layout layout;
  const int64_t embedding = config.embedding;
  const auto levels = static_cast<int64_t>(config.channels.size());
  const auto width = [&](int64_t level) { return config.channels[static_cast<std::size_t>(level)]; };

  linear(layout, "time.0", embedding, embedding);
  if (config.classes > 0) layout.push_back({"class.weight", {config.classes + 1, embedding}, Init::normal});
  linear(layout, "time.1", embedding, embedding);
  conv(layout, "in", config.image_channels, width(0), 3);

  std::vector<int64_t> skips;
  int64_t current = width(0);
  for (int64_t level = 0; level < levels; ++level) {
    for (int64_t i = 0; i < config.blocks; ++i) {
      block(layout, fmt::format("down.{}.{}", level, i), current, width(level), embedding);
      current = width(level);
      skips.push_back(current);
    }
  }
  block(layout, "middle.0", current, current, embedding);
  if (config.attention) {
    norm(layout, "attention.norm", current);
    conv(layout, "attention.qkv", current, 3 * current, 1);
    conv(layout, "attention.out", current, current, 1, Init::zero);
    block(layout, "middle.1", current, current, embedding);
  }
  for (int64_t level = levels - 1; level >= 0; --level) {
    for (int64_t i = 0; i < config.blocks; ++i) {
      block(layout, fmt::format("up.{}.{}", level, i), current + skips.back(), width(level), embedding);
      skips.pop_back();
      current = width(level);
    }
  }
  norm(layout, "out.norm", current);
  conv(layout, "out.conv", current, config.image_channels, 3, Init::zero);
  return layout;
}

}  // namespace stride
