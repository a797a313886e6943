#include "framework/last_changes.h"

#include "framework/last_changes_cuda.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

constexpr double kNoMatter = 0.005;

Times size_of(const Tensor& rows) { return rows.flatten(1).to(at::kDouble).square().mean(1).sqrt(); }

}  // namespace

Tensor unsolved_plain(const LastChanges& changes, const Tensor& x) {
  // Written so that what is not a number is not solved either.
  const Times last = size_of(changes.last);
  Tensor solved = last <= kNoMatter * size_of(x);
  if (changes.before.defined()) solved = solved.logical_or(last < size_of(changes.before));
  return solved.logical_not();
}

Tensor unsolved(const LastChanges& changes, const Tensor& x) {
  return x.is_cuda() && unsolved_cuda_takes(changes, x) ? unsolved_cuda(changes, x, kNoMatter)
                                                        : unsolved_plain(changes, x);
}

}  // namespace stride
