#include "neural/networks/norm_act_cuda.h"
#include "neural/networks/packs.cuh"

#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>

namespace stride::cuda {
namespace {

template <typename T, int V>
__global__ void add_kernel(const T* a, const T* b, const float* bias, float scale, int64_t packs, int64_t channels,
                           T* y) {
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < packs;
       i += static_cast<int64_t>(gridDim.x) * blockDim.x) {
    auto one = load<T, V>(a + i * V);
    const auto two = load<T, V>(b + i * V);
    const int64_t channel = i * V % channels;
    for (int v = 0; v < V; ++v) {
      const float more = bias == nullptr ? 0.0f : bias[channel + v];
      one.at[v] = static_cast<T>((static_cast<float>(one.at[v]) + static_cast<float>(two.at[v]) + more) * scale);
    }
    *reinterpret_cast<Pack<T, V>*>(y + i * V) = one;
  }
}

// A block takes an equal share of the rows (pixels of all samples); a thread keeps to V channels.
template <typename T, int V>
__global__ void scale_sum_kernel(const T* dy, float scale, int64_t rows, int64_t channels, T* dx, float* partial) {
  extern __shared__ __align__(16) unsigned char shared[];
  float* room = reinterpret_cast<float*>(shared);
  const int chunks = static_cast<int>(channels / V);
  const int at_once = static_cast<int>(blockDim.x) / chunks;
  const int lane = static_cast<int>(threadIdx.x) / chunks, chunk = static_cast<int>(threadIdx.x) % chunks;
  const int64_t share = (rows + gridDim.x - 1) / gridDim.x;
  const int64_t begin = blockIdx.x * share, end = min(rows, begin + share);
  float sum[V];
  for (int v = 0; v < V; ++v) sum[v] = 0.0f;
  if (lane < at_once) {
    for (int64_t row = begin + lane; row < end; row += at_once) {
      auto pack = load<T, V>(dy + row * channels + chunk * V);
      for (int v = 0; v < V; ++v) {
        const float value = static_cast<float>(pack.at[v]) * scale;
        sum[v] += value;
        pack.at[v] = static_cast<T>(value);
      }
      *reinterpret_cast<Pack<T, V>*>(dx + row * channels + chunk * V) = pack;
    }
    for (int v = 0; v < V; ++v) room[threadIdx.x * V + v] = sum[v];
  }
  __syncthreads();
  if (lane > 0) return;
  for (int v = 0; v < V; ++v) {
    float total = 0.0f;
    for (int other = 0; other < at_once; ++other) total += room[(other * chunks + chunk) * V + v];
    partial[blockIdx.x * channels + chunk * V + v] = total;
  }
}

}  // namespace

void add_scaled(const Tensor& a, const Tensor& b, const Tensor& bias, double scale, const Tensor& y) {
  const c10::cuda::CUDAGuard guard(a.device());
  dispatch(a.scalar_type(), a.size(1), [&](auto zero, auto pack) {
    using T = decltype(zero);
    constexpr int V = decltype(pack)::value;
    const int64_t packs = a.numel() / V;
    const auto blocks = static_cast<unsigned>(std::min<int64_t>((packs + kThreads - 1) / kThreads, 132 * 16));
    add_kernel<T, V><<<blocks, kThreads, 0, at::cuda::getCurrentCUDAStream()>>>(
        a.const_data_ptr<T>(), b.const_data_ptr<T>(), floats(bias), static_cast<float>(scale), packs, a.size(1),
        y.mutable_data_ptr<T>());
    C10_CUDA_KERNEL_LAUNCH_CHECK();
  });
}

void scaled_and_summed(const Tensor& dy, double scale, const Tensor& dx, const Tensor& partial) {
  const c10::cuda::CUDAGuard guard(dy.device());
  const int64_t channels = dy.size(1), rows = dy.numel() / channels;
  dispatch(dy.scalar_type(), channels, [&](auto zero, auto pack) {
    using T = decltype(zero);
    constexpr int V = decltype(pack)::value;
    const int threads = threads_for(channels / V);
    const std::size_t bytes = static_cast<std::size_t>(threads) * V * sizeof(float);
    scale_sum_kernel<T, V>
        <<<static_cast<unsigned>(partial.size(0)), threads, bytes, at::cuda::getCurrentCUDAStream()>>>(
            dy.const_data_ptr<T>(), static_cast<float>(scale), rows, channels, dx.mutable_data_ptr<T>(),
            partial.mutable_data_ptr<float>());
    C10_CUDA_KERNEL_LAUNCH_CHECK();
  });
}

}  // namespace stride::cuda
