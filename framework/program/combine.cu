#include "framework/program/combine_cuda.h"

#include <ATen/Functions.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>

namespace stride {
namespace {

constexpr int kTerms = 32;  // their pointers and weights travel as the kernel's arguments
constexpr int kThreads = 256;

enum class Kind : int { f64, f32, f16, bf16 };

struct Terms {
  const void* values[kTerms];
  double weights[kTerms];
  Kind kinds[kTerms];
  int count;
};

__device__ double value_at(const Terms& terms, int term, int64_t i) {
  const void* const values = terms.values[term];
  switch (terms.kinds[term]) {
    case Kind::f64:
      return static_cast<const double*>(values)[i];
    case Kind::f32:
      return static_cast<const float*>(values)[i];
    case Kind::f16:
      return __half2float(static_cast<const __half*>(values)[i]);
    default:
      return __bfloat162float(static_cast<const __nv_bfloat16*>(values)[i]);
  }
}

template <typename To, typename From>
__device__ To rounded(From value) {
  if constexpr (std::is_same_v<To, __half>) {
    return __float2half_rn(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, __nv_bfloat16>) {
    return __float2bfloat16_rn(static_cast<float>(value));
  } else {
    return static_cast<To>(value);
  }
}

// No fused multiply-adds (the file is compiled so): the plain version has none.
template <typename Sum, typename Scaled>
__global__ void combine_kernel(Terms terms, int64_t n, Sum* sum, Scaled* scaled, Sum scale) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= n) return;
  double all = value_at(terms, 0, i) * terms.weights[0];
  for (int term = 1; term < terms.count; ++term) all = all + value_at(terms, term, i) * terms.weights[term];
  const Sum whole = rounded<Sum>(all);
  sum[i] = whole;
  if (scaled != nullptr) scaled[i] = rounded<Scaled>(whole * scale);
}

Kind kind_of(at::ScalarType type) {
  switch (type) {
    case at::kDouble:
      return Kind::f64;
    case at::kFloat:
      return Kind::f32;
    case at::kHalf:
      return Kind::f16;
    default:
      return Kind::bf16;
  }
}

bool has_kind(at::ScalarType type) {
  return type == at::kDouble || type == at::kFloat || type == at::kHalf || type == at::kBFloat16;
}

template <typename Sum, typename Scaled>
void launch(const Terms& terms, double scale, const Tensor& sum, const Tensor& scaled) {
  const int64_t n = sum.numel();
  const auto blocks = static_cast<unsigned>((n + kThreads - 1) / kThreads);
  combine_kernel<Sum, Scaled><<<blocks, kThreads, 0, at::cuda::getCurrentCUDAStream()>>>(
      terms, n, static_cast<Sum*>(sum.mutable_data_ptr()),
      scaled.defined() ? static_cast<Scaled*>(scaled.mutable_data_ptr()) : nullptr, static_cast<Sum>(scale));
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

template <typename Sum>
void launch_scaled(const Terms& terms, double scale, const Tensor& sum, const Tensor& scaled) {
  switch (scaled.defined() ? scaled.scalar_type() : sum.scalar_type()) {
    case at::kHalf:
      return launch<Sum, __half>(terms, scale, sum, scaled);
    case at::kBFloat16:
      return launch<Sum, __nv_bfloat16>(terms, scale, sum, scaled);
    case at::kDouble:
      return launch<Sum, double>(terms, scale, sum, scaled);
    default:
      return launch<Sum, float>(terms, scale, sum, scaled);
  }
}

}  // namespace

bool combine_cuda_takes(const std::vector<Tensor>& values, CombineTypes types) {
  return values.size() <= kTerms && (types.sum == at::kFloat || types.sum == at::kDouble) && has_kind(types.scaled) &&
         std::all_of(values.begin(), values.end(), [&](const Tensor& each) {
           return has_kind(each.scalar_type()) && each.numel() == values[0].numel() && each.numel() > 0;
         });
}

Combined combine_cuda(const std::vector<Tensor>& values, const std::vector<double>& weights,
                      std::optional<double> scale, CombineTypes types) {
  const c10::cuda::CUDAGuard guard(values[0].device());
  Terms terms{};
  terms.count = static_cast<int>(values.size());
  std::vector<Tensor> held;  // what is not laid out row by row is copied; it must outlive the launch
  for (std::size_t i = 0; i < values.size(); ++i) {
    held.push_back(values[i].contiguous());
    terms.values[i] = held.back().const_data_ptr();
    terms.weights[i] = weights[i];
    terms.kinds[i] = kind_of(values[i].scalar_type());
  }
  Combined out{at::empty(values[0].sizes(), values[0].options().dtype(types.sum)), {}};
  if (scale) out.scaled = at::empty(values[0].sizes(), values[0].options().dtype(types.scaled));
  if (types.sum == at::kDouble) {
    launch_scaled<double>(terms, scale.value_or(1.0), out.sum, out.scaled);
  } else {
    launch_scaled<float>(terms, scale.value_or(1.0), out.sum, out.scaled);
  }
  return out;
}

}  // namespace stride
