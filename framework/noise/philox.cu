#include "framework/noise/philox.h"

#include "framework/noise/philox_core.h"

#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>

namespace stride {
namespace {

constexpr int kThreads = 128;

// A thread makes half of a Philox block, two normals: the way from integers to normals is long, the integers are not.
__global__ void philox_kernel(const int64_t* key, const int64_t* high, const int64_t* low, uint32_t word, uint32_t seed,
                              int64_t rows, int64_t elements, float* out) {
  const int64_t pairs_a_row = (elements + 1) / 2;
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= rows * pairs_a_row) return;
  const int64_t row = i / pairs_a_row;
  const int64_t pair = i % pairs_a_row;
  float two[2];
  philox::normal_pair(key[row], static_cast<uint32_t>(pair / 2), static_cast<uint32_t>(high[row]),
                      (low != nullptr ? static_cast<uint32_t>(low[row]) : 0U) | word, seed, pair % 2 != 0, two);
  float* const destination = out + row * elements + pair * 2;
  destination[0] = two[0];
  if (pair * 2 + 1 < elements) destination[1] = two[1];
}

}  // namespace

void philox_normals_cuda(const Tensor& key, const Tensor& high, const Tensor& low, uint32_t word, uint32_t seed,
                         const Tensor& out) {
  const c10::cuda::CUDAGuard guard(out.device());
  const int64_t work = out.size(0) * ((out.size(1) + 1) / 2);
  const auto grid = static_cast<unsigned>((work + kThreads - 1) / kThreads);
  philox_kernel<<<grid, kThreads, 0, at::cuda::getCurrentCUDAStream()>>>(
      key.const_data_ptr<int64_t>(), high.const_data_ptr<int64_t>(),
      low.defined() ? low.const_data_ptr<int64_t>() : nullptr, word, seed, out.size(0), out.size(1),
      out.mutable_data_ptr<float>());
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

}  // namespace stride
