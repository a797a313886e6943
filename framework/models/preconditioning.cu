#include "framework/models/preconditioning_cuda.h"

#include <ATen/Functions.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <type_traits>

namespace stride {
namespace {

constexpr int kThreads = 256;

template <typename To, typename From>
__device__ To cast(From value) {
  if constexpr (std::is_same_v<To, __half>) {
    return __float2half_rn(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, __nv_bfloat16>) {
    return __float2bfloat16_rn(static_cast<float>(value));
  } else if constexpr (std::is_same_v<From, __half>) {
    return static_cast<To>(__half2float(value));
  } else if constexpr (std::is_same_v<From, __nv_bfloat16>) {
    return static_cast<To>(__bfloat162float(value));
  } else {
    return static_cast<To>(value);
  }
}

// No fused multiply-adds (the file is compiled so): the plain versions have none.
template <typename Wide, typename Narrow>
__global__ void input_kernel(const Wide* x, const double* scale, Narrow* out, int64_t length, int64_t n) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i < n) out[i] = cast<Narrow>(x[i] * static_cast<Wide>(scale[i / length]));
}

template <typename Wide, typename Narrow>
__global__ void denoised_kernel(const Wide* x, const Narrow* output, const double* skip, const double* scale, Wide* out,
                                int64_t length, int64_t n) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= n) return;
  const int64_t row = i / length;
  out[i] = static_cast<Wide>(skip[row]) * x[i] + static_cast<Wide>(scale[row]) * cast<Wide>(output[i]);
}

__global__ void scalings_kernel(ScalingKind kind, double sigma_data, const double* sigmas, double* out, int64_t n) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= n) return;
  const double sigma = sigmas[i];
  double skip = 0.0, scale = 1.0, in = 1.0;
  switch (kind) {
    case ScalingKind::denoised:
      break;
    case ScalingKind::edm: {
      const double data = sigma_data * sigma_data, total = sigma * sigma + data;
      skip = data / total;
      scale = sigma * sigma_data / sqrt(total);
      in = rsqrt(total);
      break;
    }
    case ScalingKind::epsilon:
      skip = 1.0;
      scale = -sigma;
      in = rsqrt(sigma * sigma + 1.0);
      break;
    case ScalingKind::flow:
      in = skip = 1.0 / (sigma + 1.0);
      scale = -sigma * skip;
      break;
    case ScalingKind::sample:
      in = rsqrt(sigma * sigma + 1.0);
      break;
    case ScalingKind::v_prediction: {
      const double total = sigma * sigma + 1.0;
      skip = 1.0 / total;
      in = rsqrt(total);
      scale = -sigma * in;
      break;
    }
  }
  out[i] = skip;
  out[n + i] = scale;
  out[2 * n + i] = in;
}

unsigned blocks(int64_t n) { return static_cast<unsigned>((n + kThreads - 1) / kThreads); }

// Calls f(a value of the type's C++ type).
template <typename F>
void with_type(at::ScalarType type, F f) {
  switch (type) {
    case at::kDouble:
      return f(double{});
    case at::kHalf:
      return f(__half{});
    case at::kBFloat16:
      return f(__nv_bfloat16{});
    default:
      return f(float{});
  }
}

template <typename F>
void with_types(const Tensor& x, at::ScalarType narrow, F f) {
  with_type(narrow, [&](auto second) {
    if (x.scalar_type() == at::kDouble) {
      f(double{}, second);
    } else {
      f(float{}, second);
    }
  });
}

}  // namespace

bool preconditioning_cuda_takes(const Tensor& x, at::ScalarType narrow) {
  const bool wide = x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble;
  return wide && x.numel() > 0 && x.dim() > 0 &&
         (narrow == at::kFloat || narrow == at::kDouble || narrow == at::kHalf || narrow == at::kBFloat16);
}

Tensor network_input_cuda(const Tensor& x, const Times& scale, at::ScalarType type) {
  const c10::cuda::CUDAGuard guard(x.device());
  const Tensor own = x.contiguous(), by = scale.contiguous();
  Tensor out = at::empty(x.sizes(), x.options().dtype(type));
  const int64_t n = x.numel(), length = n / x.size(0);
  with_types(x, type, [&](auto wide, auto narrow) {
    input_kernel<<<blocks(n), kThreads, 0, at::cuda::getCurrentCUDAStream()>>>(
        static_cast<const decltype(wide)*>(own.const_data_ptr()), by.const_data_ptr<double>(),
        static_cast<decltype(narrow)*>(out.mutable_data_ptr()), length, n);
  });
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return out;
}

Tensor denoised_from_cuda(const Tensor& x, const Tensor& output, const Scalings& scale) {
  const c10::cuda::CUDAGuard guard(x.device());
  const Tensor own = x.contiguous(), said = output.contiguous();
  const Tensor skip = scale.skip.contiguous(), by = scale.out.contiguous();
  Tensor out = at::empty(x.sizes(), x.options());
  const int64_t n = x.numel(), length = n / x.size(0);
  with_types(x, output.scalar_type(), [&](auto wide, auto narrow) {
    denoised_kernel<<<blocks(n), kThreads, 0, at::cuda::getCurrentCUDAStream()>>>(
        static_cast<const decltype(wide)*>(own.const_data_ptr()),
        static_cast<const decltype(narrow)*>(said.const_data_ptr()), skip.const_data_ptr<double>(),
        by.const_data_ptr<double>(), static_cast<decltype(wide)*>(out.mutable_data_ptr()), length, n);
  });
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return out;
}

Tensor scalings_cuda(ScalingKind kind, double sigma_data, const Times& sigma) {
  const c10::cuda::CUDAGuard guard(sigma.device());
  const Tensor own = sigma.contiguous();
  const int64_t n = sigma.numel();
  Tensor out = at::empty({3, n}, sigma.options());
  scalings_kernel<<<blocks(n), kThreads, 0, at::cuda::getCurrentCUDAStream()>>>(
      kind, sigma_data, own.const_data_ptr<double>(), out.mutable_data_ptr<double>(), n);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return out;
}

}  // namespace stride
