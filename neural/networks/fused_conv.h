// A convolution of the sampling network with all that lies around it, in one kernel.
#pragma once

#include <cstdint>
#include <vector>

struct CUstream_st;

namespace stride::cuda {

/// What images and weights are made of; products and sums are float32.
enum class ConvType { bfloat16, float16, tf32 };

inline constexpr int kConvChunk = 32;          ///< channels of every source are a multiple of it
inline constexpr int kMostConvChannels = 768;  ///< of all that is normalised together

/// Images `[B, H, W, C]` in 16 bits or float32 that are read; `half`: at half the resolution, each pixel four times.
struct ConvSource {
  const void* data = nullptr;
  int channels = 0;  ///< 0: not there
  int half = 0;
};

/// out = (conv(act(norm(in))) + conv₁(skip) + bias + residual)·factor. `in` and `skip` are one or two sources, joined
/// along the channels; conv is 3 × 3 with padding or 1 × 1, conv₁ 1 × 1. norm is a group normalisation whose sums the
/// kernels before have left: float32 `[B, parts, C/4, 2]`, sum and sum of squares of four channels over a part of the
/// pixels. Addresses on the device; those that are not there are null.
struct ConvArgs {
  ConvSource in[2] = {};
  const float* sums[2] = {};
  int parts[2] = {};
  const float *gamma = nullptr, *beta = nullptr;  ///< `[C]`
  /// `[B, …]` with rows of `scale_shift_stride`: the normalisation times 1 + the first C, plus the next C
  const void* scale_shift = nullptr;
  int scale_shift_stride = 0;
  int norm = 0, silu = 0;
  int groups = 0;
  float eps = 0;
  int taps = 9;  ///< or 1
  ConvSource skip[2] = {};
  const void* weight =
      nullptr;  ///< packed for the tile: `[N/width][K/V][width][V]` of V that make 16 bytes, TF32 rounded
  const float* bias = nullptr;     ///< `[N]`
  const void* residual = nullptr;  ///< `[B, H, W, N]`
  float factor = 1;
  void* out = nullptr;        ///< `[B, H, W, N]`
  float* out_sums = nullptr;  ///< `[B, tiles, N/4, 2]`
  int H = 0, W = 0, N = 0;
};

/// What a block of threads computes: `height` × `width` pixels, `outputs` channels.
struct ConvTile {
  int height = 0, width = 0, outputs = 0;
};
/// All that there are, from the largest down.
[[nodiscard]] const std::vector<ConvTile>& conv_tiles();
/// The tile for images `[B, H, W]` and N outputs: the largest that still gives the card enough to do. A function of its
/// arguments, so that runs repeat bit for bit; −1: none fits.
[[nodiscard]] int choose_conv_tile(int64_t batch, int height, int width, int outputs);

/// Channels of a source that are read together: rows of weights come in chunks of so many.
[[nodiscard]] constexpr int conv_chunk(ConvType type) { return type == ConvType::tf32 ? 16 : 32; }

/// Runs it on tile number `tile`. Returns 0 or a CUDA error.
int fused_conv(ConvType type, const ConvArgs& args, int tile, int64_t batch, CUstream_st* stream);

/// The first layer: x `[B, C, H, W]`, 3 × 3 with padding; weight float32 `[9C, N]` with rows (c, y, x), products in
/// float32. Writes `[B, H, W, N]` and its sums, a part for every 8 × 8 pixels. C ≤ 16, N ≤ 512.
int first_conv(ConvType type, const void* x, const float* weight, const float* bias, void* out, float* out_sums,
               int64_t batch, int channels, int height, int width, int outputs, CUstream_st* stream);
/// Means of 2 × 2 pixels of `[B, 2H, 2W, C]`, with their sums, a part for every 8 × 8 pixels. C ≤ 512.
int halve_images(ConvType type, const void* x, void* out, float* out_sums, int64_t batch, int height, int width,
                 int channels, CUstream_st* stream);

}  // namespace stride::cuda
