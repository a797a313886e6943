#include "adaptive/control/pi_kernels.h"
#include "framework/run_state.h"

#include <ATen/Functions.h>
#include <ATen/core/grad_mode.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>

#include <cfloat>

namespace stride::cuda {
namespace {

constexpr int kThreads = 256;

struct Options {
  double rtol, atol, safety, integral, proportional, factor_min, factor_max, min_log_step, end, order;
};

struct Pointers {
  const void *estimate, *before, *after, *denoised;
  const double *from, *to, *last_error;
  int64_t length;
  bool* accept;
  double *log_step, *error;
  int8_t* status;
};

__device__ double clamped(double value, double low, double high) {
  return value < low ? low : value > high ? high : value;
}

// A block a row.
template <typename Value>
__global__ void decide_kernel(Options options, Pointers at) {
  __shared__ double sums[kThreads];
  const int64_t row = blockIdx.x, begin = row * at.length;
  double sum = 0.0;
  int finite = 1;
  for (int64_t i = begin + threadIdx.x; i < begin + at.length; i += kThreads) {
    Value scale = static_cast<Value>(options.atol);
    if (options.rtol != 0.0) {
      const Value before = static_cast<const Value*>(at.before)[i], after = static_cast<const Value*>(at.after)[i];
      const Value size = fabs(before) > fabs(after) || before != before ? fabs(before) : fabs(after);
      scale = scale + static_cast<Value>(options.rtol) * size;
    }
    const double one = static_cast<double>(static_cast<const Value*>(at.estimate)[i] / scale);
    sum += one * one;
    finite = finite && isfinite(static_cast<const Value*>(at.denoised)[i]);
  }
  finite = __syncthreads_and(finite);
  sums[threadIdx.x] = sum;
  for (int half = kThreads / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) sums[threadIdx.x] += sums[threadIdx.x + half];
  }
  if (threadIdx.x != 0) return;
  const double size = sqrt(sums[0] / static_cast<double>(at.length));
  const double error = isnan(size) ? DBL_MAX : clamped(size, 1e-10, DBL_MAX);
  const bool accept = error <= 1.0;
  const double exponent =
      (options.proportional * log(at.last_error[row]) - options.integral * log(error)) / options.order;
  double growth = clamped(options.safety * exp(exponent), options.factor_min, options.factor_max);
  if (!accept && growth > 1.0) growth = 1.0;
  const double log_step = log(at.from[row] / at.to[row]) * growth;
  Status status = Status::running;
  if (log_step < options.min_log_step) status = Status::step_underflow;
  if (accept && at.to[row] <= options.end) status = Status::ok;
  if (!finite) status = Status::non_finite;
  at.accept[row] = accept;
  at.log_step[row] = log_step;
  at.error[row] = accept ? error : at.last_error[row];
  at.status[row] = static_cast<int8_t>(status);
}

__global__ void propose_kernel(double end, const double* sigmas, const double* log_steps, double* out, int64_t n) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= n) return;
  const double to = sigmas[i] * exp(-log_steps[i]);
  out[i] = log(to / end) > PiController::kWorthwhile * log_steps[i] ? to : end;
}

bool is_like(const Tensor& one, const Tensor& other) {
  return one.is_cuda() && one.scalar_type() == other.scalar_type() && one.sizes() == other.sizes() &&
         !one.requires_grad();
}

}  // namespace

bool pi_takes(const PiSeen& seen) {
  const Tensor& x = seen.after;
  const bool wide = x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble;
  return wide && x.numel() > 0 && is_like(x, x) && is_like(seen.before, x) && is_like(seen.estimate, x) &&
         is_like(seen.denoised, x);
}

PiDecided pi_decide(const PiOptions& options, double order, const PiSeen& seen) {
  const Tensor& x = seen.after;
  const c10::cuda::CUDAGuard guard(x.device());
  const int64_t batch = x.size(0);
  const Tensor estimate = seen.estimate.contiguous(), before = seen.before.contiguous(), after = x.contiguous(),
               denoised = seen.denoised.contiguous(), from = seen.from.contiguous(), to = seen.to.contiguous(),
               last = seen.last_error.contiguous();
  const auto number = from.options();
  PiDecided out{at::empty({batch}, number.dtype(at::kBool)), at::empty({batch}, number), at::empty({batch}, number),
                at::empty({batch}, number.dtype(at::kChar))};
  const Pointers pointers{estimate.const_data_ptr(),
                          before.const_data_ptr(),
                          after.const_data_ptr(),
                          denoised.const_data_ptr(),
                          from.const_data_ptr<double>(),
                          to.const_data_ptr<double>(),
                          last.const_data_ptr<double>(),
                          x.numel() / batch,
                          out.accept.mutable_data_ptr<bool>(),
                          out.log_step.mutable_data_ptr<double>(),
                          out.last_error.mutable_data_ptr<double>(),
                          out.status.mutable_data_ptr<int8_t>()};
  const Options numbers{
      options.rtol,       options.atol,       options.safety,       options.integral, options.proportional,
      options.factor_min, options.factor_max, options.min_log_step, options.end,      order};
  const auto stream = at::cuda::getCurrentCUDAStream();
  const auto blocks = static_cast<unsigned>(batch);
  if (x.scalar_type() == at::kDouble) {
    decide_kernel<double><<<blocks, kThreads, 0, stream>>>(numbers, pointers);
  } else {
    decide_kernel<float><<<blocks, kThreads, 0, stream>>>(numbers, pointers);
  }
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return out;
}

Times pi_propose(const PiOptions& options, const Times& sigma, const Times& log_step) {
  const c10::cuda::CUDAGuard guard(sigma.device());
  const Times from = sigma.contiguous(), step = log_step.contiguous();
  const int64_t n = sigma.numel();
  Times out = at::empty_like(from);
  propose_kernel<<<static_cast<unsigned>((n + kThreads - 1) / kThreads), kThreads, 0,
                   at::cuda::getCurrentCUDAStream()>>>(
      options.end, from.const_data_ptr<double>(), step.const_data_ptr<double>(), out.mutable_data_ptr<double>(), n);
  C10_CUDA_KERNEL_LAUNCH_CHECK();
  return out;
}

}  // namespace stride::cuda
