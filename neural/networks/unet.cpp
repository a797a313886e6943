#include "neural/networks/unet.h"

#include "framework/error.h"
#include "neural/networks/fused_unet.h"
#include "neural/networks/norm_act.h"
#include "neural/networks/recompute.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace stride {
namespace {

constexpr double kHalf = std::numbers::sqrt2 / 2.0;
constexpr double kEpsilon = 1e-5;  // of the group normalisation

// Average pooling and nearest-neighbour upsampling by two. On the CPU of plain slices and copies: on small images
// ATen's own kernels cost as much as a convolution (0.8 and 2.4 ms against 1.1 ms, 128 images of 32 × 8 × 8, one core).
Tensor halve(const Tensor& x) {
  if (x.is_cuda()) return at::avg_pool2d(x, 2);
  const Tensor rows = x.slice(2, 0, {}, 2) + x.slice(2, 1, {}, 2);
  return (rows.slice(3, 0, {}, 2) + rows.slice(3, 1, {}, 2)) * 0.25;
}

Tensor twice(const Tensor& x) {
  if (x.is_cuda()) return at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)});
  const auto n = x.sizes();
  return x.unsqueeze(3).unsqueeze(5).expand({n[0], n[1], n[2], 2, n[3], 2}).reshape({n[0], n[1], 2 * n[2], 2 * n[3]});
}

// One pass: the pieces share the configuration, the weights and the dtype.
class Pass final {
 public:
  Pass(const UNetConfig& config, const Weights& weights, const Tensor& like, const PassOptions& options)
      : config_(config), weights_(weights), dtype_(like.scalar_type()), fused_(has_kernels(like)), options_(options) {}

  [[nodiscard]] std::vector<Tensor> encode(const Tensor& input, const Tensor& time, const Tensor& labels) const {
    return down(input, embed(time, labels));
  }

  [[nodiscard]] Tensor run(const Tensor& input, const Tensor& time, const Tensor& labels) const {
    const auto levels = static_cast<int64_t>(config_.channels.size());
    const Tensor emb = embed(time, labels);
    std::vector<Tensor> skips = down(input, emb);
    Tensor x = block("middle.0", skips.back(), emb);
    if (config_.attention) x = block("middle.1", attend(x), emb);
    for (int64_t level = levels - 1; level >= 0; --level) {
      if (level < levels - 1) x = twice(x);
      for (int64_t i = 0; i < config_.blocks; ++i) {
        x = block(fmt::format("up.{}.{}", level, i), at::cat({x, skips.back()}, 1), emb);
        skips.pop_back();
      }
    }
    return conv("out.conv", norm_act(x, named("out.norm")), 1).contiguous();
  }

 private:
  // The way down: what each block says.
  [[nodiscard]] std::vector<Tensor> down(const Tensor& input, const Tensor& emb) const {
    Tensor x = conv("in", fused_ ? input.contiguous(at::MemoryFormat::ChannelsLast) : input, 1);
    std::vector<Tensor> skips;
    for (std::size_t level = 0; level < config_.channels.size(); ++level) {
      if (level > 0) x = halve(x);
      for (int64_t i = 0; i < config_.blocks; ++i) {
        x = block(fmt::format("down.{}.{}", level, i), x, emb);
        skips.push_back(x);
      }
    }
    return skips;
  }

  [[nodiscard]] Tensor weight(const std::string& name) const { return weights_.at(name).to(dtype_); }

  [[nodiscard]] Tensor conv(const std::string& name, const Tensor& x, int64_t padding) const {
    return at::conv2d(x, weight(name + ".weight"), weight(name + ".bias"), 1, padding);
  }

  // A convolution whose bias what follows adds: that saves a pass over memory where it is fused.
  [[nodiscard]] Tensor bare_conv(const std::string& name, const Tensor& x, int64_t padding) const {
    return fused_ ? at::conv2d(x, weight(name + ".weight"), {}, 1, padding) : conv(name, x, padding);
  }
  [[nodiscard]] Tensor left_bias(const std::string& name) const {
    return fused_ ? weights_.at(name + ".bias") : Tensor();
  }

  [[nodiscard]] Tensor linear(const std::string& name, const Tensor& x) const {
    return at::linear(x, weight(name + ".weight"), weight(name + ".bias"));
  }

  [[nodiscard]] NormAct named(const std::string& name) const {
    return {config_.groups, kEpsilon, weights_.at(name + ".weight"), weights_.at(name + ".bias"), {}, {}};
  }

  // Sines and cosines of frequencies from 1/2 to 32 in geometric progression: time = ln σ / 4 spans about [−2, 1].
  [[nodiscard]] Tensor embed(const Tensor& time, const Tensor& labels) const {
    const int64_t half = config_.embedding / 2;
    const Tensor wide = time.to(at::kDouble).unsqueeze(1);
    const Tensor phase = wide * at::logspace(-1.0, 5.0, half, 2.0, wide.options()).unsqueeze(0);
    Tensor emb = linear("time.0", at::cat({phase.cos(), phase.sin()}, 1).to(dtype_));
    if (config_.classes > 0) {
      const Tensor row = at::where(labels < 0, at::full_like(labels, config_.classes), labels);
      emb = emb + at::embedding(weight("class.weight"), row);
    }
    return at::silu(linear("time.1", at::silu(emb)));
  }

  [[nodiscard]] Tensor block(const std::string& name, const Tensor& x, const Tensor& emb) const {
    if (!options_.recompute || !at::GradMode::is_enabled()) return block_now(name, x, emb);
    std::vector<std::string> names;
    std::vector<Tensor> inputs = {x, emb};
    for (auto at = weights_.lower_bound(name + "."); at != weights_.end() && at->first.starts_with(name + "."); ++at) {
      names.push_back(at->first);
      inputs.push_back(at->second);
    }
    return recomputed(
        [config = config_, names, name](const std::vector<Tensor>& given) {
          Weights own;
          for (std::size_t i = 0; i < names.size(); ++i) own.emplace(names[i], given[i + 2]);
          const PassOptions plain;
          return Pass(config, own, given[0], plain).block_now(name, given[0], given[1]);
        },
        inputs);
  }

  [[nodiscard]] Tensor block_now(const std::string& name, const Tensor& x, const Tensor& emb) const {
    Tensor h = bare_conv(name + ".conv1", norm_act(x, named(name + ".norm1")), 1);
    NormAct second = named(name + ".norm2");
    second.before = left_bias(name + ".conv1");
    second.scale_shift = linear(name + ".embedding", emb);
    h = norm_act(h, second);
    if (options_.regulariser) h = options_.regulariser(h);
    h = bare_conv(name + ".conv2", h, 1);
    Tensor bias = left_bias(name + ".conv2");
    if (weights_.find(name + ".skip.weight") == weights_.end()) return add_scaled(x, h, bias, kHalf);
    if (fused_) bias = bias + left_bias(name + ".skip");
    return add_scaled(bare_conv(name + ".skip", x, 0), h, bias, kHalf);
  }

  [[nodiscard]] Tensor attend(const Tensor& x) const {
    const Tensor normal =
        at::group_norm(x, config_.groups, weight("attention.norm.weight"), weight("attention.norm.bias"), kEpsilon);
    if (fused_) return attend_fused(x, normal.contiguous(at::MemoryFormat::ChannelsLast));
    const auto qkv = conv("attention.qkv", normal, 0).flatten(2).chunk(3, 1);
    const double scale = 1.0 / std::sqrt(static_cast<double>(x.size(1)));
    const Tensor mix = at::softmax(at::bmm(qkv[0].transpose(1, 2), qkv[1]) * scale, -1);
    return (x + conv("attention.out", at::bmm(qkv[2], mix.transpose(1, 2)).view(x.sizes()), 0)) * kHalf;
  }

  // Channels lie last in memory: pixels by channels is a view.
  [[nodiscard]] Tensor attend_fused(const Tensor& x, const Tensor& normal) const {
    const int64_t batch = x.size(0), channels = x.size(1), pixels = x.size(2) * x.size(3);
    const auto qkv =
        conv("attention.qkv", normal, 0).permute({0, 2, 3, 1}).view({batch, 1, pixels, 3 * channels}).chunk(3, 3);
    const Tensor mixed = at::scaled_dot_product_attention(qkv[0], qkv[1], qkv[2]);
    const Tensor image = mixed.reshape({batch, x.size(2), x.size(3), channels})
                             .permute({0, 3, 1, 2})
                             .contiguous(at::MemoryFormat::ChannelsLast);
    return add_scaled(x, bare_conv("attention.out", image, 0), left_bias("attention.out"), kHalf);
  }

  const UNetConfig& config_;
  const Weights& weights_;
  at::ScalarType dtype_;
  bool fused_;  ///< CUDA: activations are channels-last, and norm_act and add_scaled take the convolutions' biases
  const PassOptions& options_;
};

void check_input(const UNetConfig& config, const Tensor& input, const Tensor& labels) {
  if (input.dim() != 4 || input.size(1) != config.image_channels || input.size(2) % config.stride() != 0 ||
      input.size(3) % config.stride() != 0)
    throw UsageError(fmt::format(
        "the UNet takes [B, {}, H, W] with H and W divisible by {}, not a tensor of {} dimensions{}",
        config.image_channels, config.stride(), input.dim(),
        input.dim() == 4 ? fmt::format(" [{}, {}, {}, {}]", input.size(0), input.size(1), input.size(2), input.size(3))
                         : std::string()));
  if (config.classes > 0 && !labels.defined())
    throw UsageError("this UNet has classes: a label is needed (−1 means none)");
}

}  // namespace

Tensor unet_forward(const UNetConfig& config, const Weights& weights, const Tensor& input, const Tensor& time,
                    const Tensor& labels, const PassOptions& options) {
  check_input(config, input, labels);
  if (options.recompute && options.regulariser)
    throw UsageError("activations that are computed again cannot have dropout: its mask would be another one");
  return Pass(config, weights, input, options).run(input, time, labels);
}

std::vector<Tensor> unet_encoder(const UNetConfig& config, const Weights& weights, const Tensor& input,
                                 const Tensor& time, const Tensor& labels) {
  check_input(config, input, labels);
  const PassOptions none;  // Pass keeps a reference
  return Pass(config, weights, input, none).encode(input, time, labels);
}

UNet::UNet(UNetConfig config, Weights weights) : config_(std::move(config)), weights_(std::move(weights)) {
  check_weights(unet_layout(config_), weights_, "UNet");
  fused_ = FusedUNet::of(config_, weights_);
  // As the convolutions read them: else each pass would turn them round.
  for (auto& [name, weight] : weights_)
    if (weight.is_cuda() && weight.dim() == 4) weight = weight.contiguous(at::MemoryFormat::ChannelsLast);
}

UNet::~UNet() = default;

Tensor UNet::forward(const Tensor& input, const Tensor& time, const BatchState& condition) const {
  Tensor labels;
  if (config_.classes > 0)
    labels = condition.empty() ? at::full({input.size(0)}, -1, input.options().dtype(at::kLong)) : condition[0];
  const auto wants_gradient = [&] {
    return at::GradMode::is_enabled() &&
           (input.requires_grad() || time.requires_grad() ||
            std::ranges::any_of(weights_, [](const auto& weight) { return weight.second.requires_grad(); }));
  };
  check_input(config_, input, labels);
  if (fused_ && fused_->takes(input) && !wants_gradient()) return fused_->forward(input, time, labels);
  return unet_forward(config_, weights_, input, time, labels);
}

std::vector<Tensor> UNet::encode(const Tensor& input, const Tensor& time) const {
  return unet_encoder(config_, weights_, input, time, at::full({input.size(0)}, -1, input.options().dtype(at::kLong)));
}

BatchState UNet::null_condition(const BatchState& condition) const {
  if (config_.classes == 0 || condition.empty()) return Network::null_condition(condition);
  return BatchState({at::full_like(condition[0], -1)});
}

}  // namespace stride
