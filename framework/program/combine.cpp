#include "framework/program/combine.h"
#include "framework/program/combine_cuda.h"

#include <ATen/ATen.h>

namespace stride {

Combined combine_plain(const std::vector<Tensor>& values, const std::vector<double>& weights,
                       std::optional<double> scale, CombineTypes types) {
  Tensor sum = values[0].to(at::kDouble) * weights[0];
  for (std::size_t i = 1; i < values.size(); ++i) sum = sum + values[i].to(at::kDouble) * weights[i];
  Combined out{sum.to(types.sum), {}};
  if (scale) out.scaled = (out.sum * *scale).to(types.scaled);
  return out;
}

Combined combine(const std::vector<Tensor>& values, const std::vector<double>& weights, std::optional<double> scale,
                 CombineTypes types) {
  return values[0].is_cuda() && combine_cuda_takes(values, types) ? combine_cuda(values, weights, scale, types)
                                                                  : combine_plain(values, weights, scale, types);
}

}  // namespace stride
