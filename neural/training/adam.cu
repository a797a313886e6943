#include "neural/training/adam_cuda.h"

#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

namespace stride::cuda {
namespace {

constexpr int kThreads = 256;

template <typename T>
__global__ void adam_kernel(float* parameters, float* mean, float* square, float* average, T* half, int64_t halves,
                            const float* gradient, const float* rates, const float* norm, const float* scale,
                            float beta1, float beta2, float epsilon, float decay, float clip, int64_t n) {
  const float length = *norm / *scale;
  if (!isfinite(length)) return;
  const float factor = (clip > 0.0f ? fminf(clip / (length + 1e-12f), 1.0f) : 1.0f) / *scale;
  const float rate = rates[0], keep = rates[3];
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n;
       i += static_cast<int64_t>(gridDim.x) * blockDim.x) {
    const float slope = gradient[i] * factor;
    const float m = mean[i] * beta1 + slope * (1.0f - beta1);
    const float v = square[i] * beta2 + slope * slope * (1.0f - beta2);
    const float change = (m / rates[1]) / (sqrtf(v / rates[2]) + epsilon);
    const float p = parameters[i] * (1.0f - rate * decay) - change * rate;
    mean[i] = m;
    square[i] = v;
    parameters[i] = p;
    average[i] = average[i] * keep + p * (1.0f - keep);
    if (i < halves) half[i] = static_cast<T>(p);
  }
}

template <typename T>
void launch(const AdamBuffers& buffers, const Tensor& gradient, const Tensor& rates, const Tensor& norm,
            const Tensor& scale, const AdamOptions& options) {
  const int64_t n = buffers.parameters.numel();
  const bool halves = buffers.half.defined();
  const auto blocks = static_cast<unsigned>(std::min<int64_t>((n + kThreads - 1) / kThreads, 132 * 8));
  adam_kernel<T><<<blocks, kThreads, 0, at::cuda::getCurrentCUDAStream()>>>(
      buffers.parameters.mutable_data_ptr<float>(), buffers.mean.mutable_data_ptr<float>(),
      buffers.square.mutable_data_ptr<float>(), buffers.average.mutable_data_ptr<float>(),
      halves ? buffers.half.mutable_data_ptr<T>() : nullptr, halves ? buffers.half.numel() : 0,
      gradient.const_data_ptr<float>(), rates.const_data_ptr<float>(), norm.const_data_ptr<float>(),
      scale.const_data_ptr<float>(), static_cast<float>(options.beta1), static_cast<float>(options.beta2),
      static_cast<float>(options.epsilon), static_cast<float>(options.weight_decay), static_cast<float>(options.clip),
      n);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

}  // namespace

void adam_step(const AdamBuffers& buffers, const Tensor& gradient, const Tensor& rates, const Tensor& norm,
               const Tensor& scale, const AdamOptions& options) {
  const c10::cuda::CUDAGuard guard(buffers.parameters.device());
  switch (buffers.half.defined() ? buffers.half.scalar_type() : at::kFloat) {
    case at::kBFloat16:
      return launch<c10::BFloat16>(buffers, gradient, rates, norm, scale, options);
    case at::kHalf:
      return launch<c10::Half>(buffers, gradient, rates, norm, scale, options);
    default:
      return launch<float>(buffers, gradient, rates, norm, scale, options);
  }
}

}  // namespace stride::cuda
