#include "framework/evaluator.h"

#include <ATen/ATen.h>

namespace stride {

void Evaluator::spare(const Tensor& rows) {
  const Tensor calls = rows.to(at::kLong);
  cost_.spared = cost_.spared ? *cost_.spared + calls : calls;
}

Evaluation Evaluator::operator()(const Tensor& x, const Times& sigma) {
  Evaluation result =
      guidance_.active() ? denoiser_.evaluate_both(x, sigma, condition_) : denoiser_.evaluate(x, sigma, condition_);
  cost_.nfe += 1;
  cost_.model_evals += guidance_.active() ? 2 : 1;
  if (guidance_.active()) {
    const Tensor without = *result.unconditional;
    const Tensor inside = (sigma >= guidance_.interval_low).logical_and(sigma <= guidance_.interval_high);
    const Tensor with = result.denoised;
    result.denoised = where_rows(inside, guided(guidance_, with, without, x, sigma), with);
    result.unconditional = denoiser_.constrain(where_rows(inside, without, with), condition_);
  }
  if (guidance_.bounds()) result.denoised = bounded(guidance_, result.denoised);
  result.denoised = denoiser_.constrain(result.denoised, condition_);
  return result;
}

}  // namespace stride
