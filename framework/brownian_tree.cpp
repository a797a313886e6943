#include "framework/batch_state.h"
#include "framework/error.h"
#include "framework/noise.h"
#include "framework/philox.h"

#include <ATen/ATen.h>

#include <cmath>

namespace stride {
namespace {

// (m − a)(m + a) keeps the small differences that m² − a² would lose.
Tensor clock(const Times& upper, const Times& lower) { return (upper - lower) * (upper + lower); }

}  // namespace

BrownianTree::BrownianTree(uint32_t seed, double sigma_min, double sigma_max, int depth)
    : seed_(seed), low_(sigma_min), high_(sigma_max), depth_(depth) {
  if (!(sigma_min > 0.0 && sigma_min < sigma_max && std::isfinite(sigma_max)))
    throw UsageError("BrownianTree: needs 0 < sigma_min < sigma_max");
  if (depth < 1 || depth > 30) throw UsageError("BrownianTree: depth must lie in 1 … 30");
}

Tensor BrownianTree::path(const Tensor& ids, const Times& sigma, const Tensor& like) const {
  const int64_t elements = like[0].numel();
  const auto node = [&](int64_t level, const Tensor& index) {
    return philox_normals(ids, index, at::full_like(ids, level), NoiseStream::brownian, seed_, elements)
        .to(at::kDouble);
  };
  const auto column = [](const Times& t) { return t.unsqueeze(1); };
  Times lower = at::full_like(sigma, low_);
  Times upper = at::full_like(sigma, high_);
  Tensor index = at::zeros_like(ids);
  Tensor at_lower = at::zeros({ids.size(0), elements}, sigma.options());
  Tensor at_upper = node(depth_ + 1, index) * column(clock(upper, lower).sqrt());
  for (int64_t level = 0; level < depth_; ++level) {
    const Times middle = (lower * upper).sqrt();
    const Times left = clock(middle, lower);
    const Times right = clock(upper, middle);
    const Times whole = left + right;
    const Tensor at_middle = at_lower * column(right / whole) + at_upper * column(left / whole) +
                             node(level, index) * column((left * right / whole).sqrt());
    const Tensor go_left = sigma < middle;
    upper = at::where(go_left, middle, upper);
    at_upper = where_rows(go_left, at_middle, at_upper);
    lower = at::where(go_left, lower, middle);
    at_lower = where_rows(go_left, at_lower, at_middle);
    index = index * 2 + go_left.logical_not().to(at::kLong);
  }
  const Times share = (clock(sigma, lower) / clock(upper, lower)).clamp(0.0, 1.0);
  return (at_lower + (at_upper - at_lower) * column(share)).view(like.sizes());
}

Tensor BrownianTree::normal(const NoiseDraw& draw, const Tensor& like) const {
  const Tensor increment = path(draw.ids, draw.from, like) - path(draw.ids, draw.to, like);
  return (increment / per_sample(clock(draw.from, draw.to).sqrt(), increment)).to(like.scalar_type());
}

}  // namespace stride
