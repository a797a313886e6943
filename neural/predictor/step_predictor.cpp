#include "neural/predictor/step_predictor.h"

#include "framework/error.h"
#include "framework/files/json_place.h"
#include "framework/files/json_text.h"
#include "neural/predictor/step_features.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cmath>
#include <tuple>

namespace stride {
namespace {

constexpr const char* kKey = "predictor";
constexpr const char* kFormat = "stride-predictor";
constexpr int kVersion = 1;

int64_t inputs() { return static_cast<int64_t>(step_feature_names().size()) + 1; }

// at::linear may add in another order for another batch size, and at::silu gives a row other last bits in a batch than
// alone; a sum over a fixed axis and at::exp do not.
Tensor rowwise_silu(const Tensor& x) { return x / ((-x).exp() + 1.0); }

Tensor rowwise_linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  return (x.unsqueeze(1) * weight.unsqueeze(0)).sum(2) + bias;
}

template <typename Linear, typename Activation>
Tensor forward(const PredictorInfo& info, const Weights& weights, Tensor x, const Linear& linear,
               const Activation& activation) {
  const std::size_t layers = info.hidden.size();
  for (std::size_t i = 0; i <= layers; ++i) {
    x = linear(x, weights.at(fmt::format("layer{}.weight", i)), weights.at(fmt::format("layer{}.bias", i)));
    if (i < layers) x = activation(x);
  }
  return x.squeeze(1);
}

std::string to_json(const PredictorInfo& info) {
  nlohmann::json json = {{"format", kFormat},
                         {"version", kVersion},
                         {"base", info.base},
                         {"model_sha256", info.model_sha256},
                         {"sample_shape", info.sample_shape},
                         {"sigma", {info.sigma_min, info.sigma_max}},
                         {"tolerance", {info.tolerance_min, info.tolerance_max}},
                         {"quantile", info.quantile},
                         {"hidden", info.hidden},
                         {"features", step_feature_names()}};
  if (info.made_with.recorded) json["made_with"] = nlohmann::json::parse(to_json(info.made_with));
  return json.dump();
}

std::pair<double, double> range_at(const JsonPlace<nlohmann::json>& root, const std::string& key) {
  const std::vector<double> ends = root.at(key).numbers();
  if (ends.size() != 2) root.at(key).fail("must be two numbers");
  return {ends[0], ends[1]};
}

PredictorInfo from_json(const std::string& text, const std::string& where) {
  PredictorInfo info;
  const auto json = parse_json_text(text, where);
  const JsonPlace<nlohmann::json> root(json, where + ": the predictor's description");
  if (root.at("format").value() != kFormat || root.at("version").value() != kVersion)
    throw InputError(fmt::format("{}: is not a {} of version {}", where, kFormat, kVersion));
  if (root.at("features").texts() != step_feature_names())
    throw InputError(
        fmt::format("{}: was trained on other features than this program computes; train it again", where));
  info.base = root.at("base").text();
  info.model_sha256 = root.at("model_sha256").text();
  info.sample_shape = root.at("sample_shape").wholes(1);
  std::tie(info.sigma_min, info.sigma_max) = range_at(root, "sigma");
  std::tie(info.tolerance_min, info.tolerance_max) = range_at(root, "tolerance");
  info.quantile = root.at("quantile").number();
  info.hidden = root.at("hidden").wholes();
  if (const auto made_with = root.find("made_with"))
    info.made_with = made_with_from_json(made_with->value().dump(), where);
  bool widths = info.hidden.size() <= 8;
  for (const int64_t width : info.hidden) widths = widths && width >= 1 && width <= 4096;
  if (!widths) throw InputError(fmt::format("{}: the predictor's hidden layers are not of a plausible size", where));
  if (!(info.tolerance_min > 0.0 && info.tolerance_min <= info.tolerance_max))
    throw InputError(fmt::format("{}: the predictor's range of tolerances is wrong", where));
  if (!(info.sigma_min > 0.0 && info.sigma_min < info.sigma_max))
    throw InputError(fmt::format("{}: the predictor's range of noise levels is wrong", where));
  return info;
}

}  // namespace

Layout predictor_layout(const PredictorInfo& info) {
  Layout layout;
  int64_t in = inputs();
  for (std::size_t i = 0; i <= info.hidden.size(); ++i) {
    const bool last = i == info.hidden.size();
    const int64_t out = last ? 1 : info.hidden[i];
    layout.push_back({fmt::format("layer{}.weight", i), {out, in}, last ? Init::zero : Init::fan_in});
    layout.push_back({fmt::format("layer{}.bias", i), {out}, Init::zero});
    in = out;
  }
  return layout;
}

Tensor predictor_forward(const PredictorInfo& info, const Weights& weights, const Tensor& normalised) {
  return forward(
      info, weights, normalised,
      [](const Tensor& x, const Tensor& weight, const Tensor& bias) { return at::linear(x, weight, bias); },
      [](const Tensor& x) { return at::silu(x); });
}

StepPredictor::StepPredictor(PredictorInfo info, Weights weights, Tensor mean, Tensor scale, const std::string& where)
    : info_(std::move(info)), weights_(std::move(weights)), mean_(std::move(mean)), scale_(std::move(scale)) {
  check_weights(predictor_layout(info_), weights_, where);
  check_weights({{"feature_mean", {inputs()}}, {"feature_scale", {inputs()}}},
                {{"feature_mean", mean_}, {"feature_scale", scale_}}, where);
  if (!scale_.gt(0.0).all().item<bool>())
    throw InputError(fmt::format("{}: tensor 'feature_scale' must be positive", where));
  weights_ = convert(weights_, mean_.device(), at::kDouble);
  mean_ = mean_.to(at::kDouble);
  scale_ = scale_.to(at::kDouble);
}

StepPredictor StepPredictor::to(const at::Device& device) const {
  return {info_, convert(weights_, device, at::kDouble), mean_.to(device), scale_.to(device), "predictor"};
}

Tensor StepPredictor::step(const Tensor& features, double tolerance) const {
  const Tensor log_tolerance = at::full({features.size(0), 1}, std::log(tolerance), features.options());
  const Tensor normalised = (at::cat({features, log_tolerance}, 1) - mean_) / scale_;
  return forward(info_, weights_, normalised, rowwise_linear, rowwise_silu).exp();
}

void StepPredictor::save(const std::string& path, const std::map<std::string, std::string>& facts) const {
  std::map<std::string, std::string> metadata = facts;
  metadata[kKey] = to_json(info_);
  Weights tensors = weights_;
  tensors.emplace("feature_mean", mean_);
  tensors.emplace("feature_scale", scale_);
  write_safetensors(path, tensors, metadata);
}

StepPredictor StepPredictor::from_file(const Safetensors& file, const std::string& where) {
  const auto found = file.metadata.find(kKey);
  if (found == file.metadata.end())
    throw InputError(fmt::format("{}: is not a step predictor; `stride train-predictor` makes one", where));
  Weights weights = file.tensors;
  const auto take = [&](const std::string& name) {
    auto node = weights.extract(name);
    if (node.empty()) throw InputError(fmt::format("{}: tensor '{}' is missing", where, name));
    return node.mapped();
  };
  const Tensor mean = take("feature_mean");
  const Tensor scale = take("feature_scale");
  return {from_json(found->second, where), std::move(weights), mean, scale, where};
}

StepPredictor StepPredictor::load(const std::string& path) { return from_file(read_safetensors_file(path), path); }

bool is_step_predictor(const std::map<std::string, std::string>& metadata) { return metadata.contains(kKey); }

}  // namespace stride
