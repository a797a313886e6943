#include "neural/foreign/scripted_features.h"

#include "framework/error.h"
#include "neural/foreign/script.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <utility>

namespace stride {
namespace {

constexpr int64_t kChunk = 64;

}  // namespace

Tensor scripted_input(const Tensor& images, const ScriptedInput& input) {
  if (images.dim() != 4) throw UsageError("a scripted feature network takes images [N, C, H, W]");
  Tensor x = images.to(at::kFloat);
  if (!input.resize.empty()) x = at::upsample_bilinear2d(x, input.resize, /*align_corners=*/false);
  if (input.range == "signed") return x.contiguous();
  if (input.range == "unit") return ((x + 1.0) / 2.0).contiguous();
  if (input.range == "byte") return ((x + 1.0) * 127.5).round().clamp(0, 255).to(at::kByte).contiguous();
  throw UsageError(
      fmt::format("a feature network's input cannot be '{}'; there are signed, unit and byte", input.range));
}

struct ScriptedFeatures::Impl {
  Script script;
  std::string where;
  ScriptedInput input;
  at::Device device;
};

ScriptedFeatures::ScriptedFeatures(const std::string& bytes, const std::string& where, ScriptedInput input,
                                   at::Device device)
    : impl_(new Impl{Script(bytes, where, device), where, std::move(input), device}) {}
ScriptedFeatures::~ScriptedFeatures() = default;

Tensor ScriptedFeatures::features(const Tensor& images) const {
  const at::NoGradGuard no_grad;
  const std::vector<std::string> flags(impl_->input.return_features ? 1 : 0, "return_features");
  std::vector<Tensor> parts;
  for (int64_t begin = 0; begin == 0 || begin < images.size(0); begin += kChunk) {
    const Tensor chunk = images.slice(0, begin, begin + kChunk).to(impl_->device);
    Tensor features = impl_->script({scripted_input(chunk, impl_->input)}, flags);
    if (features.defined() && features.dim() == 4 && features.size(2) == 1 && features.size(3) == 1)
      features = features.flatten(1);
    if (!features.defined() || features.dim() != 2 || features.size(0) != chunk.size(0))
      throw InputError(fmt::format("{}: the network does not return features [N, F]", impl_->where));
    parts.push_back(features.to(at::kCPU, at::kDouble));
  }
  return at::cat(parts);
}

}  // namespace stride
