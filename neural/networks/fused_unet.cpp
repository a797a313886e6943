#include "neural/networks/fused_unet.h"

#include "framework/error.h"
#include "neural/networks/fused_conv.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/core/grad_mode.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numbers>
#include <optional>
#include <set>
#include <vector>

namespace stride {
namespace {

constexpr float kHalf = static_cast<float>(std::numbers::sqrt2 / 2.0);
constexpr float kEpsilon = 1e-5F;
constexpr int kBlock = 8;           // pixels of a tile's side
constexpr int64_t kLastWidth = 16;  // outputs of the last layer, filled up

const float* float_data(const Tensor& t) { return t.defined() ? t.const_data_ptr<float>() : nullptr; }

// What a kernel left: `[B, H, W, C]`, and sums for a normalisation.
struct Image {
  Tensor data, sums;
  bool half = false;  // to be read at twice its resolution
  [[nodiscard]] int channels() const { return static_cast<int>(data.size(3)); }
};

// Weights of one convolution, packed for every tile that its outputs fit.
struct Packed {
  std::map<int, Tensor> by_width;  // outputs of a tile → `[N/width][K/V][width][V]`, 16 bytes of V
  Tensor bias;                     // float32 `[N]`
  int outputs = 0, taps = 9;
};

struct Norm {
  Tensor gamma, beta;  // float32 `[C]`
};

struct Block {
  Norm norm1, norm2;
  Packed conv1, conv2;  // the skip's rows follow those of conv2
  bool skip = false;
  int64_t modulation = 0;  // where its scale and shift begin among those of all blocks
};

cuda::ConvType type_of(at::ScalarType dtype) {
  if (dtype == at::kBFloat16) return cuda::ConvType::bfloat16;
  return dtype == at::kHalf ? cuda::ConvType::float16 : cuda::ConvType::tf32;
}

Tensor as_float(const Tensor& t) { return t.to(at::kFloat).contiguous(); }

// Rows of K in the order in which the kernel meets them: chunks of channels, taps, channels.
Tensor rows_of(const Tensor& weight) {
  const int64_t n = weight.size(0), c = weight.size(1), taps = weight.size(2) * weight.size(3);
  const int64_t chunk = cuda::conv_chunk(type_of(weight.scalar_type()));
  return weight.reshape({n, c / chunk, chunk, taps}).permute({1, 3, 2, 0}).reshape({-1, n});
}

// To TF32, halves away from zero: what the kernels do with images.
Tensor rounded(const Tensor& t) {
  if (t.scalar_type() != at::kFloat) return t;
  return t.contiguous().view(at::kInt).add(0x1000).bitwise_and(~0x1fff).view(at::kFloat);
}

Packed packed(const Tensor& wide, const Tensor& bias, int taps) {
  Packed out;
  const Tensor rows = rounded(wide);
  const int64_t n = rows.size(1), piece = 16 / static_cast<int64_t>(rows.element_size());
  out.bias = as_float(bias);
  out.outputs = static_cast<int>(n);
  out.taps = taps;
  for (const cuda::ConvTile& tile : cuda::conv_tiles())
    if (n % tile.outputs == 0 && !out.by_width.contains(tile.outputs))
      out.by_width[tile.outputs] =
          rows.reshape({-1, piece, n / tile.outputs, tile.outputs}).permute({2, 0, 3, 1}).contiguous();
  return out;
}

// float32 where a run may round it to TF32.
bool may_run(at::ScalarType dtype) {
  return dtype == at::kBFloat16 || dtype == at::kHalf || (dtype == at::kFloat && at::globalContext().allowTF32CuDNN());
}

bool fits(int64_t channels, int64_t groups) {
  return channels % cuda::kConvChunk == 0 && channels <= cuda::kMostConvChannels && channels % groups == 0 &&
         channels / groups % 4 == 0;
}

// Every width that is normalised together.
std::set<int64_t> widths_of(const UNetConfig& config) {
  std::set<int64_t> out(config.channels.begin(), config.channels.end());
  std::vector<int64_t> skips;
  for (const int64_t width : config.channels) skips.insert(skips.end(), static_cast<std::size_t>(config.blocks), width);
  int64_t current = config.channels.back();
  for (auto level = config.channels.rbegin(); level != config.channels.rend(); ++level)
    for (int64_t i = 0; i < config.blocks; ++i) {
      out.insert(current + skips.back());
      skips.pop_back();
      current = *level;
    }
  return out;
}

}  // namespace

struct FusedUNet::Impl {
  UNetConfig config;
  at::ScalarType dtype = at::kBFloat16;
  cuda::ConvType type = cuda::ConvType::bfloat16;
  std::map<std::string, Block> blocks;
  Packed qkv, attention_out, last;
  Norm attention_norm, out_norm;
  Tensor first_weight, first_bias;
  Tensor time0, time0_bias, time1, time1_bias, class_weight;
  Tensor modulation, modulation_bias;  // of all blocks, below each other
  Tensor frequencies;                  // float64

  [[nodiscard]] Tensor embed(const Tensor& time, const Tensor& labels) const;
  [[nodiscard]] Image block(const std::string& name, const std::vector<Image>& x, const Tensor& modulated) const;
  [[nodiscard]] Image attend(const Image& x) const;
  [[nodiscard]] Image first(const Tensor& input) const;
  [[nodiscard]] Image halved(const Image& x) const;

  struct Around {  // of one convolution
    const Norm* norm = nullptr;
    bool silu = true;
    std::optional<std::pair<const Tensor*, int64_t>> modulation = {};  // `[B, S]`, and where this one's begins
    const std::vector<Image>* skip = nullptr;
    const Image* residual = nullptr;
    float factor = 1.0F;
    bool sums = true;  // wanted of the result
  };
  [[nodiscard]] Image conv(const Packed& weights, const std::vector<Image>& in, const Around& around) const;
};

Image FusedUNet::Impl::conv(const Packed& weights, const std::vector<Image>& in, const Around& around) const {
  const Image& first = in.front();
  const int times = first.half ? 2 : 1;
  const int64_t batch = first.data.size(0);
  cuda::ConvArgs args;
  args.H = static_cast<int>(first.data.size(1)) * times;
  args.W = static_cast<int>(first.data.size(2)) * times;
  args.N = weights.outputs;
  args.taps = weights.taps;
  for (std::size_t i = 0; i < in.size(); ++i) {
    args.in[i] = {in[i].data.const_data_ptr(), in[i].channels(), in[i].half ? 1 : 0};
    args.sums[i] = float_data(in[i].sums);
    args.parts[i] = around.norm != nullptr ? static_cast<int>(in[i].sums.size(1)) : 0;
  }
  if (around.norm != nullptr) {
    args.norm = 1;
    args.silu = around.silu ? 1 : 0;
    args.groups = static_cast<int>(config.groups);
    args.eps = kEpsilon;
    args.gamma = float_data(around.norm->gamma);
    args.beta = float_data(around.norm->beta);
  }
  if (around.modulation) {
    args.scale_shift = static_cast<const char*>(around.modulation->first->const_data_ptr()) +
                       around.modulation->second * static_cast<int64_t>(c10::elementSize(dtype));
    args.scale_shift_stride = static_cast<int>(around.modulation->first->size(1));
  }
  if (around.skip != nullptr)
    for (std::size_t i = 0; i < around.skip->size(); ++i) {
      const Image& image = (*around.skip)[i];
      args.skip[i] = {image.data.const_data_ptr(), image.channels(), image.half ? 1 : 0};
    }
  const int tile = cuda::choose_conv_tile(batch, args.H, args.W, args.N);
  const cuda::ConvTile& shape = cuda::conv_tiles().at(static_cast<std::size_t>(tile));
  args.weight = weights.by_width.at(shape.outputs).const_data_ptr();
  args.bias = float_data(weights.bias);
  args.factor = around.factor;
  if (around.residual != nullptr) args.residual = around.residual->data.const_data_ptr();
  Image out;
  out.data = at::empty({batch, args.H, args.W, args.N}, first.data.options());
  args.out = out.data.mutable_data_ptr();
  if (around.sums) {
    out.sums = at::empty({batch, (args.H / shape.height) * (args.W / shape.width), args.N / 4, 2},
                         first.data.options().dtype(at::kFloat));
    args.out_sums = out.sums.mutable_data_ptr<float>();
  }
  C10_CUDA_CHECK(static_cast<cudaError_t>(cuda::fused_conv(type, args, tile, batch, at::cuda::getCurrentCUDAStream())));
  return out;
}

Tensor FusedUNet::Impl::embed(const Tensor& time, const Tensor& labels) const {
  const Tensor phase = time.to(at::kDouble).unsqueeze(1) * frequencies;
  Tensor emb = at::linear(at::cat({phase.cos(), phase.sin()}, 1).to(dtype), time0, time0_bias);
  if (config.classes > 0) {
    const Tensor row = at::where(labels < 0, at::full_like(labels, config.classes), labels);
    emb = emb + at::embedding(class_weight, row);
  }
  emb = at::silu(at::linear(at::silu(emb), time1, time1_bias));
  return at::linear(emb, modulation, modulation_bias);
}

Image FusedUNet::Impl::block(const std::string& name, const std::vector<Image>& x, const Tensor& modulated) const {
  const Block& own = blocks.at(name);
  const Image h = conv(own.conv1, x, {.norm = &own.norm1});
  Around end{.norm = &own.norm2, .modulation = std::pair(&modulated, own.modulation), .factor = kHalf};
  if (own.skip) {
    end.skip = &x;
  } else {
    end.residual = &x.front();
  }
  return conv(own.conv2, {h}, end);
}

Image FusedUNet::Impl::attend(const Image& x) const {
  const Image qkv = conv(this->qkv, {x}, {.norm = &attention_norm, .silu = false, .sums = false});
  const int64_t batch = x.data.size(0), pixels = x.data.size(1) * x.data.size(2), channels = x.data.size(3);
  const auto parts = qkv.data.view({batch, 1, pixels, 3 * channels}).chunk(3, 3);
  const Tensor mixed = at::scaled_dot_product_attention(parts[0], parts[1], parts[2]);
  const Image image{mixed.reshape(x.data.sizes()).contiguous(), {}};
  return conv(attention_out, {image}, {.residual = &x, .factor = kHalf});
}

Image FusedUNet::Impl::first(const Tensor& input) const {
  const Tensor x = input.contiguous();
  const int64_t batch = x.size(0), height = x.size(2), width = x.size(3), outputs = config.channels.front();
  Image out;
  out.data = at::empty({batch, height, width, outputs}, x.options());
  out.sums = at::empty({batch, (height / kBlock) * (width / kBlock), outputs / 4, 2}, x.options().dtype(at::kFloat));
  C10_CUDA_CHECK(static_cast<cudaError_t>(cuda::first_conv(
      type, x.const_data_ptr(), float_data(first_weight), float_data(first_bias), out.data.mutable_data_ptr(),
      out.sums.mutable_data_ptr<float>(), batch, static_cast<int>(x.size(1)), static_cast<int>(height),
      static_cast<int>(width), static_cast<int>(outputs), at::cuda::getCurrentCUDAStream())));
  return out;
}

Image FusedUNet::Impl::halved(const Image& x) const {
  const int64_t batch = x.data.size(0), height = x.data.size(1) / 2, width = x.data.size(2) / 2;
  Image out;
  out.data = at::empty({batch, height, width, x.data.size(3)}, x.data.options());
  out.sums = at::empty({batch, (height / kBlock) * (width / kBlock), x.data.size(3) / 4, 2}, x.sums.options());
  C10_CUDA_CHECK(static_cast<cudaError_t>(cuda::halve_images(
      type, x.data.const_data_ptr(), out.data.mutable_data_ptr(), out.sums.mutable_data_ptr<float>(), batch,
      static_cast<int>(height), static_cast<int>(width), x.channels(), at::cuda::getCurrentCUDAStream())));
  return out;
}

std::unique_ptr<FusedUNet> FusedUNet::of(const UNetConfig& config, const Weights& weights) {
  const Tensor& like = weights.at("in.weight");
  if (!like.is_cuda() || !may_run(like.scalar_type()) || config.image_channels > kLastWidth) return nullptr;
  const cudaDeviceProp* device = at::cuda::getDeviceProperties(like.device().index());
  if (device->major != 9 || device->minor != 0) return nullptr;
  for (const int64_t width : widths_of(config))
    if (!fits(width, config.groups)) return nullptr;
  if (config.channels.front() > 512) return nullptr;

  const at::NoGradGuard no_grad;
  const c10::cuda::CUDAGuard guard(like.device());
  auto impl = std::make_unique<Impl>();
  impl->config = config;
  impl->dtype = like.scalar_type();
  impl->type = type_of(impl->dtype);
  const auto at_name = [&](const std::string& name) { return weights.at(name); };
  const auto norm = [&](const std::string& name) {
    return Norm{as_float(at_name(name + ".weight")), as_float(at_name(name + ".bias"))};
  };
  const auto layer = [&](const std::string& name, int taps) {
    return packed(rows_of(at_name(name + ".weight")), at_name(name + ".bias"), taps);
  };
  std::vector<Tensor> modulation, modulation_bias;
  int64_t begun = 0;
  for (const auto& [name, weight] : weights) {
    if (!name.ends_with(".norm1.weight")) continue;
    const std::string own = name.substr(0, name.size() - std::string(".norm1.weight").size());
    Block block;
    block.norm1 = norm(own + ".norm1");
    block.norm2 = norm(own + ".norm2");
    block.conv1 = layer(own + ".conv1", 9);
    Tensor rows = rows_of(at_name(own + ".conv2.weight"));
    Tensor bias = as_float(at_name(own + ".conv2.bias"));
    block.skip = weights.contains(own + ".skip.weight");
    if (block.skip) {
      rows = at::cat({rows, rows_of(at_name(own + ".skip.weight"))});
      bias = bias + as_float(at_name(own + ".skip.bias"));
    }
    block.conv2 = packed(rows, bias, 9);
    block.modulation = begun;
    modulation.push_back(at_name(own + ".embedding.weight"));
    modulation_bias.push_back(at_name(own + ".embedding.bias"));
    begun += modulation.back().size(0);
    impl->blocks.emplace(own, std::move(block));
  }
  impl->modulation = at::cat(modulation).contiguous();
  impl->modulation_bias = at::cat(modulation_bias).contiguous();
  impl->time0 = at_name("time.0.weight");
  impl->time0_bias = at_name("time.0.bias");
  impl->time1 = at_name("time.1.weight");
  impl->time1_bias = at_name("time.1.bias");
  if (config.classes > 0) impl->class_weight = at_name("class.weight");
  impl->frequencies =
      at::logspace(-1.0, 5.0, config.embedding / 2, 2.0, like.options().dtype(at::kDouble)).unsqueeze(0);
  impl->first_weight = as_float(at_name("in.weight").flatten(1).t());
  impl->first_bias = as_float(at_name("in.bias"));
  if (config.attention) {
    impl->attention_norm = norm("attention.norm");
    impl->qkv = layer("attention.qkv", 1);
    impl->attention_out = layer("attention.out", 1);
  }
  impl->out_norm = norm("out.norm");
  const int64_t missing = kLastWidth - config.image_channels;
  impl->last = packed(at::constant_pad_nd(rows_of(at_name("out.conv.weight")), {0, missing}),
                      at::constant_pad_nd(at_name("out.conv.bias"), {0, missing}), 9);
  return std::unique_ptr<FusedUNet>(new FusedUNet(std::move(impl)));
}

FusedUNet::FusedUNet(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
FusedUNet::~FusedUNet() = default;

bool FusedUNet::takes(const Tensor& input) const {
  const int64_t side = kBlock * impl_->config.stride();
  return input.is_cuda() && input.scalar_type() == impl_->dtype && may_run(impl_->dtype) && input.size(2) % side == 0 &&
         input.size(3) % side == 0 && input.size(0) > 0;
}

Tensor FusedUNet::forward(const Tensor& input, const Tensor& time, const Tensor& labels) const {
  const at::NoGradGuard no_grad;
  const c10::cuda::CUDAGuard guard(input.device());
  const Impl& net = *impl_;
  const auto levels = static_cast<int64_t>(net.config.channels.size());
  const Tensor modulated = net.embed(time, labels);
  Image x = net.first(input);
  std::vector<Image> skips;
  for (int64_t level = 0; level < levels; ++level) {
    if (level > 0) x = net.halved(x);
    for (int64_t i = 0; i < net.config.blocks; ++i) {
      x = net.block(fmt::format("down.{}.{}", level, i), {x}, modulated);
      skips.push_back(x);
    }
  }
  x = net.block("middle.0", {x}, modulated);
  if (net.config.attention) x = net.block("middle.1", {net.attend(x)}, modulated);
  for (int64_t level = levels - 1; level >= 0; --level) {
    if (level < levels - 1) x.half = true;
    for (int64_t i = 0; i < net.config.blocks; ++i) {
      x = net.block(fmt::format("up.{}.{}", level, i), {x, skips.back()}, modulated);
      skips.pop_back();
    }
  }
  const Image last = net.conv(net.last, {x}, {.norm = &net.out_norm, .sums = false});
  return last.data.narrow(3, 0, net.config.image_channels).permute({0, 3, 1, 2}).contiguous();
}

}  // namespace stride
