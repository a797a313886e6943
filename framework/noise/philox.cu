#include "framework/noise/philox.h"

#include "framework/noise/philox_core.h"

#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>

namespace stride {
namespace {

constexpr int kThreads = 256;

__global__ void philox_kernel(const int64_t* key, const int64_t* high, const int64_t* low, uint32_t stream,
                              uint32_t seed, int64_t rows, int64_t elements, float* out) {
  const int64_t blocks_a_row = (elements + 3) / 4;
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= rows * blocks_a_row) return;
  const int64_t row = i / blocks_a_row;
  const int64_t block = i % blocks_a_row;
  float four[4];
  philox::normals(key[row], static_cast<uint32_t>(block), static_cast<uint32_t>(high[row]),
                  static_cast<uint32_t>(low[row]) | stream, seed, four);
  float* destination = out + row * elements + block * 4;
  for (int64_t k = 0; k < 4 && block * 4 + k < elements; ++k) destination[k] = four[k];
}

}  // namespace

void philox_normals_cuda(const Tensor& key, const Tensor& high, const Tensor& low, NoiseStream stream, uint32_t seed,
                         const Tensor& out) {
  const c10::cuda::CUDAGuard guard(out.device());
  const int64_t work = out.size(0) * ((out.size(1) + 3) / 4);
  const auto grid = static_cast<unsigned>((work + kThreads - 1) / kThreads);
  philox_kernel<<<grid, kThreads, 0, at::cuda::getCurrentCUDAStream()>>>(
      key.const_data_ptr<int64_t>(), high.const_data_ptr<int64_t>(), low.const_data_ptr<int64_t>(),
      static_cast<uint32_t>(stream) << 24, seed, out.size(0), out.size(1), out.mutable_data_ptr<float>());
  C10_CUDA_KERNEL_LAUNCH_CHECK();
}

}  // namespace stride
