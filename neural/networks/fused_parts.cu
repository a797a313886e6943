// What the fused network does besides its convolutions of many channels.
#include "neural/networks/fused_conv.h"
#include "neural/networks/narrow.cuh"

#include <cuda_runtime.h>

#include <type_traits>

namespace stride::cuda {
namespace {

constexpr int kSide = 8, kPixels = kSide * kSide;  // of a block's tile
constexpr int kThreads = 256;

// A block's threads as rows of one thread for every 8 channels: a thread keeps to its channels and takes every ROWS-th
// pixel, so that stores of a pixel lie side by side.
struct Rows {
  int columns, rows, column, row;
  bool works;
};
__device__ Rows rows_of(int channels) {
  Rows r;
  r.columns = channels / 8;
  r.rows = static_cast<int>(blockDim.x) / r.columns;
  r.column = static_cast<int>(threadIdx.x) % r.columns;
  r.row = static_cast<int>(threadIdx.x) / r.columns;
  r.works = r.row < r.rows;
  return r;
}

template <typename T>
using Two = std::conditional_t<std::is_same_v<T, __half>, __half2, __nv_bfloat162>;

// 8 values.
template <typename T>
__device__ void load(const T* from, float (&f)[8]) {
  const uint4 value = *reinterpret_cast<const uint4*>(from);
  const Two<T>* two = reinterpret_cast<const Two<T>*>(&value);
#pragma unroll
  for (int q = 0; q < 4; ++q) {
    const float2 s = as_floats(two[q]);
    f[2 * q] = s.x;
    f[2 * q + 1] = s.y;
  }
}
template <>
__device__ void load(const float* from, float (&f)[8]) {
#pragma unroll
  for (int q = 0; q < 8; q += 4) *reinterpret_cast<float4*>(f + q) = *reinterpret_cast<const float4*>(from + q);
}

// Rounds 8 values, stores them, and adds what was stored to the sums of their two quads.
template <typename T>
__device__ void store(const float (&f)[8], T* to, float (&sum)[2], float (&squares)[2]) {
  uint4 value;
  Two<T>* two = reinterpret_cast<Two<T>*>(&value);
#pragma unroll
  for (int q = 0; q < 4; ++q) {
    narrow(f[2 * q], f[2 * q + 1], two[q]);
    const float2 s = as_floats(two[q]);
    sum[q / 2] += s.x + s.y;
    squares[q / 2] += s.x * s.x + s.y * s.y;
  }
  *reinterpret_cast<uint4*>(to) = value;
}
template <>
__device__ void store(const float (&f)[8], float* to, float (&sum)[2], float (&squares)[2]) {
#pragma unroll
  for (int q = 0; q < 8; ++q) {
    sum[q / 4] += f[q];
    squares[q / 4] += f[q] * f[q];
  }
#pragma unroll
  for (int q = 0; q < 8; q += 4) *reinterpret_cast<float4*>(to + q) = make_float4(f[q], f[q + 1], f[q + 2], f[q + 3]);
}

// The sums of a block, in one order. `room`: rows × channels / 2 floats.
__device__ void write_sums(const Rows& r, const float (&sum)[2], const float (&squares)[2], float* room, int channels,
                           float* to) {
  const int width = channels / 2;
  if (r.works)
    for (int q = 0; q < 2; ++q) {
      room[r.row * width + (r.column * 2 + q) * 2] = sum[q];
      room[r.row * width + (r.column * 2 + q) * 2 + 1] = squares[q];
    }
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < width; i += static_cast<int>(blockDim.x)) {
    float total = 0;
    for (int row = 0; row < r.rows; ++row) total += room[row * width + i];
    to[i] = total;
  }
}

template <typename T>
__global__ void first_kernel(const T* x, const float* weight, const float* bias, T* out, float* out_sums, int channels,
                             int height, int width, int outputs) {
  extern __shared__ float shared[];
  constexpr int kHalo = kSide + 2;
  float* in = shared;                            // [C][10][10]
  float* w = shared + channels * kHalo * kHalo;  // [9C][N]
  float* room = w + 9 * channels * outputs;
  const int tiles_w = width / kSide, tiles = height / kSide * tiles_w;
  const int64_t b = blockIdx.x / tiles;
  const int tile = static_cast<int>(blockIdx.x % tiles), y0 = tile / tiles_w * kSide, x0 = tile % tiles_w * kSide;
  for (int i = static_cast<int>(threadIdx.x); i < 9 * channels * outputs; i += static_cast<int>(blockDim.x))
    w[i] = weight[i];
  for (int i = static_cast<int>(threadIdx.x); i < channels * kHalo * kHalo; i += static_cast<int>(blockDim.x)) {
    const int c = i / (kHalo * kHalo), y = y0 + i / kHalo % kHalo - 1, at = x0 + i % kHalo - 1;
    const bool inside = y >= 0 && y < height && at >= 0 && at < width;
    in[i] = inside ? as_float(x[((b * channels + c) * height + y) * width + at]) : 0.0f;
  }
  __syncthreads();
  // A thread has 8 channels of a row of pixels: a weight is read once for all of them.
  const Rows r = rows_of(outputs);
  float sum[2] = {0, 0}, squares[2] = {0, 0};
  float f[kSide][8];
#pragma unroll
  for (int pixel = 0; pixel < kSide; ++pixel)
#pragma unroll
    for (int q = 0; q < 8; ++q) f[pixel][q] = bias[r.column * 8 + q];
  for (int c = 0; c < channels; ++c) {
#pragma unroll
    for (int above = 0; above < 3; ++above) {
      float value[kHalo];
#pragma unroll
      for (int at = 0; at < kHalo; ++at) value[at] = in[(c * kHalo + r.row + above) * kHalo + at];
#pragma unroll
      for (int beside = 0; beside < 3; ++beside) {
        const float* row = w + (c * 9 + above * 3 + beside) * outputs + r.column * 8;
        float of[8];
#pragma unroll
        for (int q = 0; q < 8; q += 4) *reinterpret_cast<float4*>(of + q) = *reinterpret_cast<const float4*>(row + q);
#pragma unroll
        for (int pixel = 0; pixel < kSide; ++pixel)
#pragma unroll
          for (int q = 0; q < 8; ++q) f[pixel][q] += value[pixel + beside] * of[q];
      }
    }
  }
#pragma unroll
  for (int pixel = 0; pixel < kSide; ++pixel)
    store(f[pixel], out + ((b * height + y0 + r.row) * width + x0 + pixel) * outputs + r.column * 8, sum, squares);
  write_sums(r, sum, squares, room, outputs, out_sums + blockIdx.x * static_cast<int64_t>(outputs / 2));
}

template <typename T>
__global__ void halve_kernel(const T* x, T* out, float* out_sums, int height, int width, int channels) {
  extern __shared__ float shared[];
  const int tiles_w = width / kSide, tiles = height / kSide * tiles_w;
  const int64_t b = blockIdx.x / tiles;
  const int tile = static_cast<int>(blockIdx.x % tiles), y0 = tile / tiles_w * kSide, x0 = tile % tiles_w * kSide;
  const Rows r = rows_of(channels);
  float sum[2] = {0, 0}, squares[2] = {0, 0};
  if (r.works) {
    for (int pixel = r.row; pixel < kPixels; pixel += r.rows) {
      const int y = y0 + pixel / kSide, at = x0 + pixel % kSide;
      float f[8] = {};
      for (int k = 0; k < 4; ++k) {
        const int64_t from = ((b * 2 * height + 2 * y + k / 2) * 2 * width + 2 * at + k % 2) * channels + r.column * 8;
        float one[8];
        load(x + from, one);
#pragma unroll
        for (int q = 0; q < 8; ++q) f[q] += 0.25f * one[q];
      }
      store(f, out + ((b * height + y) * width + at) * channels + r.column * 8, sum, squares);
    }
  }
  write_sums(r, sum, squares, shared, channels, out_sums + blockIdx.x * static_cast<int64_t>(channels / 2));
}

// Whole rows of threads.
int threads_for(int channels) { return kThreads / (channels / 8) * (channels / 8); }

template <typename T>
int first(const T* x, const float* weight, const float* bias, T* out, float* out_sums, int64_t batch, int channels,
          int height, int width, int outputs, CUstream_st* stream) {
  const int threads = outputs / 8 * kSide;  // one for each row of pixels
  const int bytes = 4 * (channels * (kSide + 2) * (kSide + 2) + 9 * channels * outputs + kSide * outputs / 2);
  static const cudaError_t allowed =
      cudaFuncSetAttribute(first_kernel<T>, cudaFuncAttributeMaxDynamicSharedMemorySize, 220 * 1024);
  if (allowed != cudaSuccess) return static_cast<int>(allowed);
  const auto blocks = static_cast<unsigned>(batch * (height / kSide) * (width / kSide));
  first_kernel<<<blocks, threads, bytes, stream>>>(x, weight, bias, out, out_sums, channels, height, width, outputs);
  return static_cast<int>(cudaGetLastError());
}

template <typename T>
int halve(const T* x, T* out, float* out_sums, int64_t batch, int height, int width, int channels,
          CUstream_st* stream) {
  const int threads = threads_for(channels);
  const int bytes = 4 * (threads / (channels / 8)) * channels / 2;
  const auto blocks = static_cast<unsigned>(batch * (height / kSide) * (width / kSide));
  halve_kernel<<<blocks, threads, bytes, stream>>>(x, out, out_sums, height, width, channels);
  return static_cast<int>(cudaGetLastError());
}

template <typename Run>
int with_type(ConvType type, const Run& run) {
  switch (type) {
    case ConvType::bfloat16:
      return run(__nv_bfloat16());
    case ConvType::float16:
      return run(__half());
    case ConvType::tf32:
      return run(float());
  }
  return static_cast<int>(cudaErrorInvalidValue);
}

}  // namespace

int first_conv(ConvType type, const void* x, const float* weight, const float* bias, void* out, float* out_sums,
               int64_t batch, int channels, int height, int width, int outputs, CUstream_st* stream) {
  const auto run = [&](auto like) {
    using T = decltype(like);
    return first(static_cast<const T*>(x), weight, bias, static_cast<T*>(out), out_sums, batch, channels, height, width,
                 outputs, stream);
  };
  return with_type(type, run);
}

int halve_images(ConvType type, const void* x, void* out, float* out_sums, int64_t batch, int height, int width,
                 int channels, CUstream_st* stream) {
  const auto run = [&](auto like) {
    using T = decltype(like);
    return halve(static_cast<const T*>(x), static_cast<T*>(out), out_sums, batch, height, width, channels, stream);
  };
  return with_type(type, run);
}

}  // namespace stride::cuda
