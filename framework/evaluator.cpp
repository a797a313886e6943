#include "framework/evaluator.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

// Lin et al. 2023, eq. 15-16: rescales the guided prediction to the conditional one's standard deviation.
Tensor rescaled(const Tensor& guided, const Tensor& conditional, double blend) {
  std::vector<int64_t> dims;
  for (int64_t d = 1; d < guided.dim(); ++d) dims.push_back(d);
  const Tensor factor = conditional.std(dims, true, true) / guided.std(dims, true, true).clamp_min(1e-12);
  return guided * (blend * factor + (1.0 - blend));
}

}  // namespace

void Evaluator::spare(const Tensor& rows) {
  const Tensor calls = rows.to(at::kLong);
  cost_.spared = cost_.spared ? *cost_.spared + calls : calls;
}

Evaluation Evaluator::operator()(const Tensor& x, const Times& sigma) {
  Evaluation result = denoiser_.evaluate(x, sigma, condition_);
  cost_.nfe += 1;
  cost_.model_evals += 1;
  if (!guidance_.active()) return result;
  Evaluation without = denoiser_.evaluate(x, sigma, denoiser_.null_condition(condition_));
  cost_.model_evals += 1;
  Tensor guided = without.denoised + guidance_.scale * (result.denoised - without.denoised);
  if (guidance_.rescale != 0.0) guided = rescaled(guided, result.denoised, guidance_.rescale);
  const Tensor inside = (sigma >= guidance_.interval_low).logical_and(sigma <= guidance_.interval_high);
  result.denoised = where_rows(inside, guided, result.denoised);
  result.unconditional = std::move(without.denoised);
  return result;
}

}  // namespace stride
