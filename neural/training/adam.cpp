#include "neural/training/adam.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace stride {

AdamState AdamState::zero(const Tensor& parameters) {
  return {at::zeros_like(parameters), at::zeros_like(parameters), 0};
}

AdamUpdate adam_update(const Tensor& parameters, const Tensor& gradient, const AdamState& state, double learning_rate,
                       const AdamOptions& options) {
  const at::NoGradGuard no_grad;
  Tensor slope = gradient;
  if (options.clip > 0.0) slope = slope * (options.clip / (slope.norm() + 1e-12)).clamp_max(1.0);
  AdamState next;
  next.step = state.step + 1;
  next.mean = state.mean * options.beta1 + slope * (1.0 - options.beta1);
  next.square = state.square * options.beta2 + slope * slope * (1.0 - options.beta2);
  const auto k = static_cast<double>(next.step);
  const double mean_bias = 1.0 - std::pow(options.beta1, k);
  const double square_bias = 1.0 - std::pow(options.beta2, k);
  const Tensor change = (next.mean / mean_bias) / ((next.square / square_bias).sqrt() + options.epsilon);
  return {parameters * (1.0 - learning_rate * options.weight_decay) - change * learning_rate, next};
}

double warmup_cosine(int64_t step, int64_t warmup, int64_t total) noexcept {
  if (step < warmup) return static_cast<double>(step + 1) / static_cast<double>(warmup);
  const double progress =
      static_cast<double>(step - warmup) / static_cast<double>(std::max<int64_t>(1, total - warmup));
  return 0.5 * (1.0 + std::cos(std::numbers::pi * std::min(1.0, progress)));
}

}  // namespace stride
