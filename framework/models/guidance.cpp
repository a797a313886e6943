#include "framework/models/guidance.h"

#include "framework/models/parameterisation.h"

#include <ATen/ATen.h>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace stride {
namespace {

// One row per sample, in float64: sums over a sample are made here.
Tensor rows_of(const Tensor& x) { return x.flatten(1).to(at::kDouble); }

// Not std(): ATen has another algorithm for one row alone, with other last bits.
Times deviation(const Tensor& x) {
  const Tensor rows = rows_of(x);
  return (rows - rows.mean(1, true)).square().mean(1).sqrt();
}

// Lin et al. 2023, eq. 15-16. A prediction without any spread has nothing to restore.
Tensor rescaled(const Tensor& guided, const Tensor& conditional, double blend) {
  const Times after = deviation(guided);
  const Times factor = at::where(after > 0.0, deviation(conditional) / after, at::ones_like(after));
  return guided * per_sample(blend * factor + (1.0 - blend), guided);
}

// The same on another prediction F, D = skip·x + out·F.
Tensor rescaled_of(const Scalings& scalings, const Tensor& x, const Tensor& guided, const Tensor& conditional,
                   double blend) {
  const Tensor skipped = per_sample(scalings.skip, x) * x;
  const Tensor out = per_sample(scalings.out, x);
  return skipped + out * rescaled((guided - skipped) / out, (conditional - skipped) / out, blend);
}

// Sadat et al. 2024, alg. 1, without momentum.
Tensor projected(const ProjectedGuidance& how, double scale, const Tensor& conditional, const Tensor& unconditional) {
  Tensor update = rows_of(conditional - unconditional);
  if (how.norm > 0.0) update = update * (how.norm / update.norm(2, 1, true)).clamp_max(1.0);
  const Tensor along = rows_of(conditional);
  const Tensor unit = along / along.norm(2, 1, true).clamp_min(1e-12);
  update = update + (how.eta - 1.0) * (update * unit).sum(1, true) * unit;
  return conditional + ((scale - 1.0) * update).view(conditional.sizes()).to(conditional.scalar_type());
}

// The quantile of each row, linear between neighbours.
Tensor row_quantile(const Tensor& rows, double ratio) {
  const Tensor sorted = std::get<0>(rows.sort(1));
  const double place = ratio * static_cast<double>(rows.size(1) - 1);
  const auto below = static_cast<int64_t>(std::floor(place));
  const int64_t above = std::min(below + 1, rows.size(1) - 1);
  return at::lerp(sorted.select(1, below), sorted.select(1, above), place - std::floor(place));
}

}  // namespace

std::string Guidance::invalid_reason() const {
  if (!std::isfinite(scale)) return "guidance: the scale must be finite";
  if (!(rescale >= 0.0 && rescale <= 1.0)) return fmt::format("guidance: rescale must lie in 0 … 1, not {}", rescale);
  if (!(interval_low >= 0.0 && interval_low < interval_high))
    return fmt::format("guidance: the interval of noise levels {} to {} is empty; write LOW-HIGH, e.g. 0.3-5",
                       interval_low, interval_high);
  if (projected && !(std::isfinite(projected->eta) && projected->norm >= 0.0 && std::isfinite(projected->norm)))
    return "guidance: projected guidance needs a finite eta and a norm of at least 0 (0: no limit)";
  if (threshold && !(threshold->ratio > 0.0 && threshold->ratio <= 1.0))
    return fmt::format("dynamic threshold: the ratio must be above 0 and at most 1, e.g. 0.995, not {}",
                       threshold->ratio);
  if (threshold && !(threshold->most >= 1.0)) return "dynamic threshold: the largest threshold must be at least 1";
  if (!(clip > 0.0)) return "clip: the range must be positive";
  return {};
}

Tensor guided(const Guidance& guidance, const Tensor& conditional, const Tensor& unconditional, const Tensor& x,
              const Times& sigma) {
  Tensor out = guidance.projected ? projected(*guidance.projected, guidance.scale, conditional, unconditional)
                                  : unconditional + guidance.scale * (conditional - unconditional);
  if (guidance.rescale == 0.0) return out;
  if (!guidance.rescale_of) return rescaled(out, conditional, guidance.rescale);
  return rescaled_of(guidance.rescale_of->at(sigma), x, out, conditional, guidance.rescale);
}

Tensor bounded(const Guidance& guidance, const Tensor& denoised) {
  Tensor out = denoised;
  if (guidance.threshold) {
    const Tensor level =
        row_quantile(rows_of(out.abs()), guidance.threshold->ratio).clamp(1.0, guidance.threshold->most);
    const Tensor s = per_sample(level, out);
    out = at::maximum(at::minimum(out, s), -s) / s;
  }
  return std::isinf(guidance.clip) ? out : out.clamp(-guidance.clip, guidance.clip);
}

}  // namespace stride
