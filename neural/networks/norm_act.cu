#include "neural/networks/norm_act_cuda.h"
#include "neural/networks/packs.cuh"

#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>

namespace stride::cuda {
namespace {

constexpr int kMostShared = 96 * 1024;  // of one block: two of them fit a Hopper multiprocessor

// The sum over a block, the same in all its threads; one order of additions. `room`: 33 floats.
__device__ float block_sum(float value, float* room) {
  for (int offset = 16; offset > 0; offset >>= 1) value += __shfl_down_sync(0xffffffffu, value, offset);
  const int warp = static_cast<int>(threadIdx.x) / 32, lane = static_cast<int>(threadIdx.x) % 32;
  const int warps = static_cast<int>(blockDim.x) / 32;
  __syncthreads();
  if (lane == 0) room[warp] = value;
  __syncthreads();
  if (warp == 0) {
    float sum = lane < warps ? room[lane] : 0.0f;
    for (int offset = 16; offset > 0; offset >>= 1) sum += __shfl_down_sync(0xffffffffu, sum, offset);
    if (lane == 0) room[32] = sum;
  }
  __syncthreads();
  return room[32];
}

__device__ __forceinline__ float sigmoid(float z) { return 1.0f / (1.0f + __expf(-z)); }

// One block a sample and group. A thread keeps to V channels of the group, so what belongs to a channel is in its
// registers; threads beyond the last whole row of channels only take part in sums.
struct Place {
  int64_t sample, channel;  // the first of the thread's V channels
  int64_t base;             // of the group in the sample
  int chunks, row, rows;    // packs a pixel; the thread's first pixel, and how many are taken at once
  bool works;
};

template <int V>
__device__ Place place(int64_t channels, int64_t groups, int64_t pixels) {
  const int64_t width = channels / groups;
  Place p;
  p.sample = blockIdx.x / groups;
  const int64_t group = blockIdx.x % groups;
  p.chunks = static_cast<int>(width / V);
  p.rows = static_cast<int>(blockDim.x) / p.chunks;
  p.row = static_cast<int>(threadIdx.x) / p.chunks;
  p.works = p.row < p.rows;
  p.channel = group * width + (static_cast<int64_t>(threadIdx.x) % p.chunks) * V;
  p.base = p.sample * pixels * channels;
  return p;
}

struct Channels {
  const float* before;
  const float* gamma;
  const float* beta;
};

// The affine map after the normalisation, for one channel of one sample.
template <typename T>
__device__ __forceinline__ void affine(const Channels& c, const T* scale_shift, int64_t sample, int64_t channels,
                                       int64_t channel, float& a, float& b) {
  a = c.gamma[channel];
  b = c.beta[channel];
  if (scale_shift == nullptr) return;
  const float scale = 1.0f + static_cast<float>(scale_shift[sample * 2 * channels + channel]);
  a *= scale;
  b = b * scale + static_cast<float>(scale_shift[sample * 2 * channels + channels + channel]);
}

template <typename T, int V>
__global__ void forward_kernel(const T* x, Channels c, const T* scale_shift, int64_t channels, int64_t groups,
                               int64_t pixels, float epsilon, bool cached, T* y, float* mean_out, float* rstd_out) {
  extern __shared__ __align__(16) unsigned char shared[];
  __shared__ float room[33];
  Pack<T, V>* cache = reinterpret_cast<Pack<T, V>*>(shared);
  const Place p = place<V>(channels, groups, pixels);
  const float count = static_cast<float>(channels / groups * pixels);
  float before[V];
  float sum = 0.0f;
  if (p.works) {
    for (int v = 0; v < V; ++v) before[v] = c.before == nullptr ? 0.0f : c.before[p.channel + v];
    for (int64_t row = p.row; row < pixels; row += p.rows) {
      const auto pack = load<T, V>(x + p.base + row * channels + p.channel);
      if (cached) cache[row * p.chunks + threadIdx.x % p.chunks] = pack;
      for (int v = 0; v < V; ++v) sum += static_cast<float>(pack.at[v]) + before[v];
    }
  }
  const float mean = block_sum(sum, room) / count;
  float squares = 0.0f;
  const auto again = [&](int64_t row) {
    return cached ? cache[row * p.chunks + threadIdx.x % p.chunks]
                  : load<T, V>(x + p.base + row * channels + p.channel);
  };
  if (p.works) {
    for (int64_t row = p.row; row < pixels; row += p.rows) {
      const auto pack = again(row);
      for (int v = 0; v < V; ++v) {
        const float d = static_cast<float>(pack.at[v]) + before[v] - mean;
        squares += d * d;
      }
    }
  }
  const float rstd = rsqrtf(block_sum(squares, room) / count + epsilon);
  if (threadIdx.x == 0) {
    mean_out[blockIdx.x] = mean;
    rstd_out[blockIdx.x] = rstd;
  }
  if (!p.works) return;
  float a[V], b[V];
  for (int v = 0; v < V; ++v) {
    affine(c, scale_shift, p.sample, channels, p.channel + v, a[v], b[v]);
    a[v] *= rstd;
    b[v] += (before[v] - mean) * a[v];
  }
  for (int64_t row = p.row; row < pixels; row += p.rows) {
    auto pack = again(row);
    for (int v = 0; v < V; ++v) {
      const float z = static_cast<float>(pack.at[v]) * a[v] + b[v];
      pack.at[v] = static_cast<T>(z * sigmoid(z));
    }
    *reinterpret_cast<Pack<T, V>*>(y + p.base + row * channels + p.channel) = pack;
  }
}

// The sums over the threads that share channels, of K values each; only those of the first row have them afterwards.
// `room`: K floats a thread.
template <int K>
__device__ void channel_sums(float (&value)[K], const Place& p, float* room) {
  const int threads = static_cast<int>(blockDim.x), thread = static_cast<int>(threadIdx.x);
  if (p.works)
    for (int k = 0; k < K; ++k) room[k * threads + thread] = value[k];
  int half = 1;
  while (2 * half < p.rows) half *= 2;
  for (; half > 0; half /= 2) {
    __syncthreads();
    if (!p.works || p.row >= half || p.row + half >= p.rows) continue;
    for (int k = 0; k < K; ++k) room[k * threads + thread] += room[k * threads + thread + half * p.chunks];
  }
  if (p.works && p.row == 0)
    for (int k = 0; k < K; ++k) value[k] = room[k * threads + thread];
}

template <typename T, int V>
__global__ void backward_kernel(const T* dy, const T* x, Channels c, const T* scale_shift, const float* means,
                                const float* rstds, int64_t channels, int64_t groups, int64_t pixels, int64_t samples,
                                bool cached, T* dx, float* sums) {
  extern __shared__ __align__(16) unsigned char shared[];
  __shared__ float room[33];
  float* columns = reinterpret_cast<float*>(shared);
  Pack<T, V>* cache = reinterpret_cast<Pack<T, V>*>(columns + 3 * V * blockDim.x);
  const Place p = place<V>(channels, groups, pixels);
  const int64_t size = channels / groups * pixels;
  const float mean = means[blockIdx.x], rstd = rstds[blockIdx.x];
  float shift[V], a[V], b[V];
  float total[3 * V];  // a channel's sums of dL/dz, of that times x̂, and of dL/dx
  for (float& value : total) value = 0.0f;
  if (p.works) {
    for (int v = 0; v < V; ++v) {
      shift[v] = (c.before == nullptr ? 0.0f : c.before[p.channel + v]) - mean;
      affine(c, scale_shift, p.sample, channels, p.channel + v, a[v], b[v]);
    }
    for (int64_t row = p.row; row < pixels; row += p.rows) {
      const int64_t at = p.base + row * channels + p.channel;
      const auto xs = load<T, V>(x + at);
      auto gs = load<T, V>(dy + at);
      for (int v = 0; v < V; ++v) {
        const float hat = (static_cast<float>(xs.at[v]) + shift[v]) * rstd;
        const float z = hat * a[v] + b[v];
        const float s = sigmoid(z);
        const float dz = static_cast<float>(gs.at[v]) * s * (1.0f + z * (1.0f - s));
        total[v] += dz;
        total[V + v] += dz * hat;
      }
      if (cached) {
        cache[row * p.chunks + threadIdx.x % p.chunks] = xs;
        cache[size / V + row * p.chunks + threadIdx.x % p.chunks] = gs;
      }
    }
  }
  float along = 0.0f, with = 0.0f;  // of dL/dx̂ over the group: its sum, and its sum with x̂
  for (int v = 0; v < V; ++v) {
    if (!p.works) break;
    along += total[v] * a[v];
    with += total[V + v] * a[v];
  }
  const float mean_along = block_sum(along, room) / static_cast<float>(size);
  const float mean_with = block_sum(with, room) / static_cast<float>(size);
  if (p.works) {
    for (int64_t row = p.row; row < pixels; row += p.rows) {
      const int64_t at = p.base + row * channels + p.channel;
      const auto xs = cached ? cache[row * p.chunks + threadIdx.x % p.chunks] : load<T, V>(x + at);
      auto gs = cached ? cache[size / V + row * p.chunks + threadIdx.x % p.chunks] : load<T, V>(dy + at);
      for (int v = 0; v < V; ++v) {
        const float hat = (static_cast<float>(xs.at[v]) + shift[v]) * rstd;
        const float z = hat * a[v] + b[v];
        const float s = sigmoid(z);
        const float dz = static_cast<float>(gs.at[v]) * s * (1.0f + z * (1.0f - s));
        const float value = rstd * (dz * a[v] - mean_along - hat * mean_with);
        total[2 * V + v] += value;
        gs.at[v] = static_cast<T>(value);
      }
      *reinterpret_cast<Pack<T, V>*>(dx + at) = gs;
    }
  }
  channel_sums<3 * V>(total, p, columns);
  if (p.works && p.row == 0) {
    const int64_t at = p.sample * channels + p.channel;
    for (int v = 0; v < V; ++v)
      for (int k = 0; k < 3; ++k) sums[k * samples * channels + at + v] = total[k * V + v];
  }
}

// From the sums over pixels to the gradients of what has no pixels. A block takes 32 channels, 8 samples at a time.
template <typename T>
__global__ void parameters_kernel(const float* sums, Channels c, const T* scale_shift, int64_t samples,
                                  int64_t channels, float* dgamma, float* dbeta, float* dbefore, T* dscale_shift) {
  __shared__ float room[3][8][32];
  const int64_t channel = static_cast<int64_t>(blockIdx.x) * 32 + threadIdx.x;
  float total[3] = {0.0f, 0.0f, 0.0f};
  if (channel < channels) {
    const float gamma = c.gamma[channel], beta = c.beta[channel];
    for (int64_t sample = threadIdx.y; sample < samples; sample += 8) {
      const int64_t at = sample * channels + channel;
      const float first = sums[at], second = sums[samples * channels + at];
      float scale = 1.0f;
      if (scale_shift != nullptr) {
        scale += static_cast<float>(scale_shift[sample * 2 * channels + channel]);
        dscale_shift[sample * 2 * channels + channel] = static_cast<T>(gamma * second + beta * first);
        dscale_shift[sample * 2 * channels + channels + channel] = static_cast<T>(first);
      }
      total[0] += scale * second;
      total[1] += scale * first;
      total[2] += sums[2 * samples * channels + at];
    }
  }
  for (int k = 0; k < 3; ++k) room[k][threadIdx.y][threadIdx.x] = total[k];
  __syncthreads();
  if (threadIdx.y > 0 || channel >= channels) return;
  for (int k = 0; k < 3; ++k) {
    float sum = 0.0f;
    for (int row = 0; row < 8; ++row) sum += room[k][row][threadIdx.x];
    (k == 0 ? dgamma : k == 1 ? dbeta : dbefore)[channel] = sum;
  }
}

template <typename T>
const T* values(const Tensor& t) {
  return t.defined() ? t.const_data_ptr<T>() : nullptr;
}

template <typename Kernel>
void allow_shared(Kernel kernel, std::size_t bytes) {
  if (bytes > 47 * 1024)  // beside the little that is static, 48 KiB is the default limit
    C10_CUDA_CHECK(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(bytes)));
}

}  // namespace

void norm_act_forward(const Tensor& x, const Tensor& before, const Tensor& gamma, const Tensor& beta,
                      const Tensor& scale_shift, const NormShape& shape, const Tensor& y, const Tensor& mean,
                      const Tensor& rstd) {
  const c10::cuda::CUDAGuard guard(x.device());
  const int64_t channels = x.size(1), pixels = x.size(2) * x.size(3), width = channels / shape.groups;
  dispatch(x.scalar_type(), width, [&](auto zero, auto pack) {
    using T = decltype(zero);
    constexpr int V = decltype(pack)::value;
    const std::size_t bytes = static_cast<std::size_t>(width * pixels) * sizeof(T);
    const bool cached = bytes <= kMostShared;
    auto kernel = forward_kernel<T, V>;
    allow_shared(kernel, cached ? bytes : 0);
    kernel<<<static_cast<unsigned>(x.size(0) * shape.groups), threads_for(width / V), cached ? bytes : 0,
             at::cuda::getCurrentCUDAStream()>>>(x.const_data_ptr<T>(), {floats(before), floats(gamma), floats(beta)},
                                                 values<T>(scale_shift), channels, shape.groups, pixels,
                                                 static_cast<float>(shape.epsilon), cached, y.mutable_data_ptr<T>(),
                                                 mean.mutable_data_ptr<float>(), rstd.mutable_data_ptr<float>());
    C10_CUDA_KERNEL_LAUNCH_CHECK();
  });
}

void norm_act_backward(const Tensor& dy, const Tensor& x, const Tensor& before, const Tensor& gamma, const Tensor& beta,
                       const Tensor& scale_shift, const Tensor& mean, const Tensor& rstd, const NormShape& shape,
                       const Tensor& dx, const Tensor& sums, const Tensor& dgamma, const Tensor& dbeta,
                       const Tensor& dbefore, const Tensor& dscale_shift) {
  const c10::cuda::CUDAGuard guard(x.device());
  const int64_t samples = x.size(0), channels = x.size(1), pixels = x.size(2) * x.size(3);
  const int64_t width = channels / shape.groups;
  const Channels c{floats(before), floats(gamma), floats(beta)};
  const auto stream = at::cuda::getCurrentCUDAStream();
  dispatch(x.scalar_type(), width, [&](auto zero, auto pack) {
    using T = decltype(zero);
    constexpr int V = decltype(pack)::value;
    const int threads = threads_for(width / V);
    const std::size_t columns = static_cast<std::size_t>(threads) * 3 * V * sizeof(float);
    const std::size_t both = 2 * static_cast<std::size_t>(width * pixels) * sizeof(T);
    const bool cached = columns + both <= kMostShared;
    const std::size_t bytes = columns + (cached ? both : 0);
    auto kernel = backward_kernel<T, V>;
    allow_shared(kernel, bytes);
    kernel<<<static_cast<unsigned>(samples * shape.groups), threads, bytes, stream>>>(
        dy.const_data_ptr<T>(), x.const_data_ptr<T>(), c, values<T>(scale_shift), floats(mean), floats(rstd), channels,
        shape.groups, pixels, samples, cached, dx.mutable_data_ptr<T>(), sums.mutable_data_ptr<float>());
    C10_CUDA_KERNEL_LAUNCH_CHECK();
    parameters_kernel<T><<<static_cast<unsigned>((channels + 31) / 32), dim3(32, 8), 0, stream>>>(
        floats(sums), c, values<T>(scale_shift), samples, channels, dgamma.mutable_data_ptr<float>(),
        dbeta.mutable_data_ptr<float>(), dbefore.mutable_data_ptr<float>(),
        dscale_shift.defined() ? dscale_shift.mutable_data_ptr<T>() : nullptr);
    C10_CUDA_KERNEL_LAUNCH_CHECK();
  });
}

}  // namespace stride::cuda
