#include "framework/program/combine_cuda.h"

#include <ATen/Functions.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>

namespace stride {
namespace {

constexpr int kTerms = 32;  // their pointers and weights travel as the kernel's arguments
constexpr int kThreads = 128;
constexpr int kAtOnce = 4;  // values of a term that a thread takes

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

// Four values of float32, or of 16 bits in `x` and `y`, as they lie in memory.
__device__ uint4 four_at(const Terms& terms, int term, int64_t i) {
  const void* const values = terms.values[term];
  if (terms.kinds[term] == Kind::f32) return static_cast<const uint4*>(values)[i];
  const uint2 narrow = static_cast<const uint2*>(values)[i];
  return {narrow.x, narrow.y, 0, 0};
}

__device__ void add_four(const Terms& terms, int term, const uint4& four, double* all) {
  float values[kAtOnce];
  if (terms.kinds[term] == Kind::f32) {
    const float4 as = *reinterpret_cast<const float4*>(&four);
    values[0] = as.x, values[1] = as.y, values[2] = as.z, values[3] = as.w;
  } else {
    const uint32_t words[2] = {four.x, four.y};
    for (int k = 0; k < kAtOnce; ++k) {
      const auto bits = static_cast<uint16_t>(words[k / 2] >> (k % 2 * 16));
      values[k] = terms.kinds[term] == Kind::bf16 ? __uint_as_float(static_cast<uint32_t>(bits) << 16)
                                                  : __half2float(__ushort_as_half(bits));
    }
  }
  for (int k = 0; k < kAtOnce; ++k) all[k] = all[k] + values[k] * terms.weights[term];
}

template <typename To>
struct alignas(kAtOnce * sizeof(To)) Four {
  To values[kAtOnce];
};

// The same four by four. The values of four terms are on their way from memory at once.
template <typename Scaled>
__global__ void combine_fours_kernel(Terms terms, int64_t fours, Four<float>* sum, Four<Scaled>* scaled, float scale) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= fours) return;
  double all[kAtOnce] = {-0.0, -0.0, -0.0, -0.0};  // plus a value, that value to the bit
  for (int first = 0; first < terms.count; first += kAtOnce) {
    uint4 read[kAtOnce];
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k)
      if (first + k < terms.count) read[k] = four_at(terms, first + k, i);
#pragma unroll
    for (int k = 0; k < kAtOnce; ++k)
      if (first + k < terms.count) add_four(terms, first + k, read[k], all);
  }
  Four<float> whole;
  for (int k = 0; k < kAtOnce; ++k) whole.values[k] = rounded<float>(all[k]);
  sum[i] = whole;
  if (scaled == nullptr) return;
  Four<Scaled> out;
  for (int k = 0; k < kAtOnce; ++k) out.values[k] = rounded<Scaled>(whole.values[k] * scale);
  scaled[i] = out;
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

bool is_aligned(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer) % 16 == 0; }

// What the network works on: float32 and narrower, in whole fours.
bool in_fours(const Terms& terms, const Tensor& sum, const Tensor& scaled) {
  if (sum.numel() % kAtOnce != 0 || !is_aligned(sum.const_data_ptr())) return false;
  if (scaled.defined() && (scaled.scalar_type() == at::kDouble || !is_aligned(scaled.const_data_ptr()))) return false;
  for (int term = 0; term < terms.count; ++term)
    if (terms.kinds[term] == Kind::f64 || !is_aligned(terms.values[term])) return false;
  return true;
}

template <typename Sum, typename Scaled>
void launch(const Terms& terms, double scale, const Tensor& sum, const Tensor& scaled) {
  const auto blocks = [](int64_t threads) { return static_cast<unsigned>((threads + kThreads - 1) / kThreads); };
  const int64_t n = sum.numel();
  void* const to_sum = sum.mutable_data_ptr();
  void* const to_scaled = scaled.defined() ? scaled.mutable_data_ptr() : nullptr;
  const auto stream = at::cuda::getCurrentCUDAStream();
  if constexpr (std::is_same_v<Sum, float> && !std::is_same_v<Scaled, double>) {
    if (in_fours(terms, sum, scaled)) {
      combine_fours_kernel<Scaled><<<blocks(n / kAtOnce), kThreads, 0, stream>>>(
          terms, n / kAtOnce, static_cast<Four<float>*>(to_sum), static_cast<Four<Scaled>*>(to_scaled),
          static_cast<float>(scale));
      C10_CUDA_KERNEL_LAUNCH_CHECK();
      return;
    }
  }
  combine_kernel<Sum, Scaled><<<blocks(n), kThreads, 0, stream>>>(
      terms, n, static_cast<Sum*>(to_sum), static_cast<Scaled*>(to_scaled), static_cast<Sum>(scale));
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
