#include "framework/batch_state.h"
#include "framework/error.h"
#include "framework/noise/noise.h"
#include "framework/noise/philox.h"

#include <ATen/ATen.h>

#include <cmath>

namespace stride {
namespace {

// (m − a)(m + a) keeps the small differences that m² − a² would lose.
Tensor clock(const Times& upper, const Times& lower) { return (upper - lower) * (upper + lower); }

// A stretch of the path: its increment, and its area (1/L)∫(W − chord) over the L of the clock. `[B, elements]` each.
struct Piece {
  Tensor increment, area;
};

// The two parts, of lengths a and b, of a piece of length a + b, out of two unit normals. Increments and areas of the
// parts are four independent normals; turned so that two of them are the increment and the area of the whole, the
// other two are fresh.
std::pair<Piece, Piece> split(const Piece& whole, const Tensor& a, const Tensor& b, const Tensor& first,
                              const Tensor& second) {
  const Tensor length = a + b;
  const Tensor cubes = a * a * a + b * b * b;
  const Tensor cross = (3.0 * a * b * length).sqrt();  // cubes + cross² = length³
  const Tensor scale = length * length.sqrt();
  const Tensor unit_area = whole.area * (12.0 / length).sqrt();
  const Tensor shift = (cross * unit_area + cubes.sqrt() * second) / scale;
  const Tensor common = (cubes.sqrt() * unit_area - cross * second) / scale;
  const Tensor of_left = a * a.sqrt();
  const Tensor of_right = b * b.sqrt();
  const Tensor left = whole.increment * (a / length) + (a * b / length).sqrt() * shift;
  return {{left, (of_left * common + of_right * first) * (a / (12.0 * cubes)).sqrt()},
          {whole.increment - left, (of_right * common - of_left * first) * (b / (12.0 * cubes)).sqrt()}};
}

}  // namespace

BrownianTree::BrownianTree(uint32_t seed, double sigma_min, double sigma_max, int depth)
    : seed_(seed), low_(sigma_min), high_(sigma_max), depth_(depth) {
  if (!(sigma_min > 0.0 && sigma_min < sigma_max && std::isfinite(sigma_max)))
    throw UsageError("BrownianTree: needs 0 < sigma_min < sigma_max");
  if (depth < 1 || depth > 30) throw UsageError("BrownianTree: depth must lie in 1 … 30");
}

BrownianTree::Point BrownianTree::point(const Tensor& keys, bool later, const Times& sigma, const Tensor& like) const {
  const int64_t elements = like[0].numel();
  const NoiseStream stream = later ? NoiseStream::later_brownian : NoiseStream::brownian;
  const auto node = [&](int64_t level, const Tensor& index, int64_t which) {
    return philox_normals(keys, index, at::full_like(keys, 2 * level + which), stream, seed_, elements).to(at::kDouble);
  };
  const auto column = [](const Times& t) { return t.unsqueeze(1); };
  Times lower = at::full_like(sigma, low_);
  Times upper = at::full_like(sigma, high_);
  Tensor index = at::zeros_like(keys);
  Point at_lower{at::zeros({keys.size(0), elements}, sigma.options()), {}};
  at_lower.integral = at_lower.value;
  const Tensor root = column(clock(upper, lower).sqrt());
  Piece piece{node(depth_ + 1, index, 0) * root, node(depth_ + 1, index, 1) * root * std::sqrt(1.0 / 12.0)};
  for (int64_t level = 0; level < depth_; ++level) {
    const Times middle = (lower * upper).sqrt();
    const Tensor before = column(clock(middle, lower));
    const auto [left, right] =
        split(piece, before, column(clock(upper, middle)), node(level, index, 0), node(level, index, 1));
    const Tensor integral = at_lower.integral + before * (at_lower.value + 0.5 * left.increment + left.area);
    const Tensor go_left = sigma < middle;
    at_lower.integral = where_rows(go_left, at_lower.integral, integral);
    at_lower.value = where_rows(go_left, at_lower.value, at_lower.value + left.increment);
    piece = {where_rows(go_left, left.increment, right.increment), where_rows(go_left, left.area, right.area)};
    upper = at::where(go_left, middle, upper);
    lower = at::where(go_left, lower, middle);
    index = index * 2 + go_left.logical_not().to(at::kLong);
  }
  // A leaf is the parabola that has its increment and its area.
  const Tensor length = column(clock(upper, lower));
  const Tensor r = (column(clock(sigma, lower)) / length).clamp(0.0, 1.0);
  const Tensor below = column((1.0 - (sigma / low_).square()).clamp_min(0.0)) * low_;
  const Tensor line = node(depth_ + 2, at::zeros_like(keys), 0) * below;
  const Tensor value = at_lower.value + r * piece.increment + 6.0 * r * (1.0 - r) * piece.area - line;
  const Tensor integral = at_lower.integral + 0.5 * low_ * below * line +
                          length * r * (at_lower.value + 0.5 * r * piece.increment + r * (3.0 - 2.0 * r) * piece.area);
  return {value.view(like.sizes()), integral.view(like.sizes())};
}

Tensor BrownianTree::path(const Tensor& ids, const Times& sigma, const Tensor& like) const {
  return point(ids, false, sigma, like).value;
}

Tensor BrownianTree::normal(const NoiseDraw& draw, const Tensor& like) const {
  // Both ends in one walk: rows do not see each other.
  const Tensor& keys = draw.keys ? *draw.keys : draw.ids;
  const Point ends =
      point(at::cat({keys, keys}), draw.keys.has_value(), at::cat({draw.from, draw.to}), at::cat({like, like}));
  const int64_t batch = draw.ids.size(0);
  const Point upper{ends.value.narrow(0, 0, batch), ends.integral.narrow(0, 0, batch)};
  const Point lower{ends.value.narrow(0, batch, batch), ends.integral.narrow(0, batch, batch)};
  const Tensor length = per_sample(clock(draw.from, draw.to), upper.value);
  const Tensor unit =
      draw.kind == NoiseKind::increment
          ? (upper.value - lower.value) / length.sqrt()
          : (0.5 * (upper.value + lower.value) - (upper.integral - lower.integral) / length) * (12.0 / length).sqrt();
  return unit.to(like.scalar_type());
}

}  // namespace stride
