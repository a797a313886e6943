#include "framework/last_changes_cuda.h"

#include <ATen/Functions.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>

namespace stride {
namespace {

constexpr int kThreads = 256;
constexpr int kSums = 3;  // of the change before, the last one, and x

struct Rows {
  const void* of[kSums];  // the first may be null
  int64_t length;
};

// A block a row.
template <typename Value>
__global__ void unsolved_kernel(Rows rows, double no_matter, bool* unsolved) {
  __shared__ double shared[kSums][kThreads];
  const int64_t begin = blockIdx.x * rows.length;
  for (int k = 0; k < kSums; ++k) {
    double sum = 0.0;
    const Value* const values = static_cast<const Value*>(rows.of[k]);
    for (int64_t i = threadIdx.x; values != nullptr && i < rows.length; i += kThreads) {
      const double value = values[begin + i];
      sum += value * value;
    }
    shared[k][threadIdx.x] = sum;
  }
  for (int half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    for (int k = 0; k < kSums && threadIdx.x < half; ++k) shared[k][threadIdx.x] += shared[k][threadIdx.x + half];
  }
  if (threadIdx.x != 0) return;
  const auto size = [&](int k) { return sqrt(shared[k][0] / static_cast<double>(rows.length)); };
  const double last = size(1);
  unsolved[blockIdx.x] = !(last <= no_matter * size(2) || (rows.of[0] != nullptr && last < size(0)));
}

}  // namespace

bool unsolved_cuda_takes(const LastChanges& changes, const Tensor& x) {
  const auto like_x = [&](const Tensor& one) {
    return one.is_cuda() && one.scalar_type() == x.scalar_type() && one.sizes() == x.sizes();
  };
  return (x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble) && x.numel() > 0 && like_x(changes.last) &&
         (!changes.before.defined() || like_x(changes.before));
}

Tensor unsolved_cuda(const LastChanges& changes, const Tensor& x, double no_matter) {
  const c10::cuda::CUDAGuard guard(x.device());
  const Tensor before = changes.before.defined() ? changes.before.contiguous() : Tensor();
  const Tensor last = changes.last.contiguous(), own = x.contiguous();
  const int64_t batch = x.size(0);
  const Rows rows{{before.defined() ? before.const_data_ptr() : nullptr, last.const_data_ptr(), own.const_data_ptr()},
                  x.numel() / batch};
  Tensor out = at::empty({batch}, x.options().dtype(at::kBool));
  const auto stream = at::cuda::getCurrentCUDAStream();
  const auto blocks = static_cast<unsigned>(batch);
  if (x.scalar_type() == at::kDouble) {
    unsolved_kernel<double><<<blocks, kThreads, 0, stream>>>(rows, no_matter, out.mutable_data_ptr<bool>());
  } else {
    unsolved_kernel<float><<<blocks, kThreads, 0, stream>>>(rows, no_matter, out.mutable_data_ptr<bool>());
  }
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return out;
}

}  // namespace stride
