#include "solvers/inversion.h"

#include "framework/error.h"
#include "framework/last_changes.h"
#include "solvers/shared/tangent.h"

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
  std::vector<double> levels = grid.sigmas();
  std::reverse(levels.begin(), levels.end());
  Tensor x = clean;
  Tensor lost = at::zeros_like(constant.ids, at::kBool);
  bool stopped = false;
  std::size_t done = 0;
  for (; done + 1 < levels.size() && !stopped; ++done) {
    const double from = levels[done];
    const double to = levels[done + 1];
    const Tensor start = x;
    if (from > 0.0) x = shrunk(start, evaluate(start, rows_at(from, start)).denoised, rows_at(to / from, start));
    LastChanges changes{{}, from > 0.0 ? x - start : Tensor()};
    for (int64_t i = 0; i < options.iterations; ++i) {
      const Tensor last = x;
      x = start + (1.0 - from / to) * (last - evaluate(last, rows_at(to, last)).denoised);
      changes = {std::move(changes.last), x - last};
    }
    if (options.iterations > 0) lost = lost.logical_or(unsolved(changes, x));
    stopped = options.stop && options.stop();
  }
  const Tensor all = at::ones_like(constant.ids);
  const Tensor status = at::zeros_like(constant.ids, at::kChar)
                            .masked_fill(lost, static_cast<int8_t>(Status::not_converged))
                            .masked_fill(all_finite(x).logical_not(), static_cast<int8_t>(Status::non_finite));
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
