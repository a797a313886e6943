#include "solvers/inversion.h"

#include "framework/error.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <fmt/format.h>

#include <algorithm>

namespace stride {
namespace {

Times rows_at(double sigma, const Tensor& x) { return at::full({x.size(0)}, sigma, x.options().dtype(at::kDouble)); }

}  // namespace

RunResult invert(const Problem& problem, const TimeGrid& grid, const RunConstant& constant, const Tensor& clean,
                 const InversionOptions& options) {
  if (options.iterations < 0)
    throw UsageError(fmt::format("inversion: iterations must be at least 0, not {}", options.iterations));
  const at::NoGradGuard no_grad;
  Evaluator evaluate(problem.denoiser, problem.guidance, constant.condition);
  const auto slope = [&](const Tensor& x, double sigma) {
    return (x - evaluate(x, rows_at(sigma, x)).denoised) / sigma;
  };
  std::vector<double> levels = grid.sigmas();
  std::reverse(levels.begin(), levels.end());
  Tensor x = clean;
  bool stopped = false;
  std::size_t done = 0;
  for (; done + 1 < levels.size() && !stopped; ++done) {
    const double from = levels[done];
    const double to = levels[done + 1];
    const Tensor start = x;
    if (from > 0.0) x = start + (to - from) * slope(start, from);
    for (int64_t i = 0; i < options.iterations; ++i) x = start + (to - from) * slope(x, to);
    stopped = options.stop && options.stop();
  }
  const Tensor all = at::ones_like(constant.ids);
  const Tensor status = at::where(all_finite(x), at::full_like(all, static_cast<int8_t>(Status::ok)),
                                  at::full_like(all, static_cast<int8_t>(Status::non_finite)))
                            .to(at::kChar);
  return {x,
          constant.ids,
          status,
          all * static_cast<int64_t>(done),
          at::zeros_like(all),
          all * evaluate.cost().nfe,
          all * evaluate.cost().model_evals,
          stopped && done + 1 < levels.size()};
}

}  // namespace stride
