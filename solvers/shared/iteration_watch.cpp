#include "solvers/shared/iteration_watch.h"

#include <ATen/ATen.h>

#include <utility>

namespace stride {
namespace {

constexpr double kNoMatter = 0.005;

Times size_of(const Tensor& rows) { return rows.flatten(1).to(at::kDouble).square().mean(1).sqrt(); }

}  // namespace

IterationWatch::IterationWatch(const Tensor& first) : last_(first.defined() ? size_of(first) : Times()) {}

void IterationWatch::see(const Tensor& change) { before_ = std::exchange(last_, size_of(change)); }

Tensor IterationWatch::unsolved(const Tensor& x) const {
  // Written so that what is not a number is not solved either.
  Tensor solved = last_ <= kNoMatter * size_of(x);
  if (before_.defined()) solved = solved.logical_or(last_ < before_);
  return solved.logical_not();
}

}  // namespace stride
