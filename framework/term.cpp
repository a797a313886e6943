#include "framework/term.h"

#include "framework/error.h"

#include <ATen/ATen.h>

#include <cmath>

namespace stride {

Tensor ProbabilityFlow::drift(const Tensor& x, const Times& sigma, const Tensor& denoised) const {
  return (x - denoised) / per_sample(sigma, x);
}

Times ProbabilityFlow::keep(const Times& from, const Times& to) const { return to / from; }

Times ProbabilityFlow::noise_std(const Times& from, const Times& /*to*/) const { return at::zeros_like(from); }

ReverseSde::ReverseSde(double eta) : eta_(eta) {
  if (!(std::isfinite(eta) && eta >= 0.0)) throw UsageError("ReverseSde: eta must be finite and at least 0");
}

Tensor ReverseSde::drift(const Tensor& x, const Times& sigma, const Tensor& denoised) const {
  return (x - denoised) * per_sample((1.0 + eta_ * eta_) / sigma, x);
}

Times ReverseSde::keep(const Times& from, const Times& to) const {
  const double share = eta_ * eta_;
  return to / from * (1.0 + share) - share;
}

Times ReverseSde::noise_std(const Times& from, const Times& to) const {
  return eta_ * ((from - to) * (from + to)).clamp_min(0.0).sqrt();
}

}  // namespace stride
