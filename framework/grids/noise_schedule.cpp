#include "framework/grids/noise_schedule.h"

#include "framework/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace stride {
namespace {

std::vector<double> cumulative(const std::vector<double>& betas) {
  std::vector<double> products;
  double product = 1.0;
  for (std::size_t t = 0; t < betas.size(); ++t) {
    if (!(betas[t] > 0.0 && betas[t] < 1.0))
      throw UsageError(fmt::format("noise schedule: beta {} of timestep {} must lie between 0 and 1", betas[t], t));
    product *= 1.0 - betas[t];
    products.push_back(product);
  }
  return products;
}

template <class Function>
std::vector<double> mapped(const std::vector<double>& values, Function function) {
  std::vector<double> out(values.size());
  std::transform(values.begin(), values.end(), out.begin(), function);
  return out;
}

}  // namespace

NoiseSchedule::NoiseSchedule(std::vector<double> alphas_cumprod, std::vector<double> sigmas,
                             Interpolation interpolation)
    : alphas_cumprod_(std::move(alphas_cumprod)), sigmas_(std::move(sigmas)), interpolation_(interpolation) {
  if (sigmas_.size() < 2)
    throw UsageError(fmt::format("noise schedule: needs at least two timesteps, not {}", sigmas_.size()));
  for (std::size_t t = 0; t < sigmas_.size(); ++t) {
    if (!(std::isfinite(sigmas_[t]) && sigmas_[t] > (t == 0 ? 0.0 : sigmas_[t - 1])))
      throw UsageError(fmt::format("noise schedule: the noise level {} of timestep {} must be finite and above {}",
                                   sigmas_[t], t, t == 0 ? 0.0 : sigmas_[t - 1]));
  }
}

NoiseSchedule::NoiseSchedule(const std::vector<double>& betas, Interpolation interpolation)
    : NoiseSchedule(from_alphas_cumprod(cumulative(betas), interpolation)) {}

NoiseSchedule NoiseSchedule::from_alphas_cumprod(std::vector<double> alphas_cumprod, Interpolation interpolation) {
  std::vector<double> sigmas = mapped(alphas_cumprod, [](double a) { return std::sqrt((1.0 - a) / a); });
  return {std::move(alphas_cumprod), std::move(sigmas), interpolation};
}

NoiseSchedule NoiseSchedule::from_sigmas(std::vector<double> sigmas, Interpolation interpolation) {
  std::vector<double> alphas = mapped(sigmas, [](double s) { return 1.0 / (1.0 + s * s); });
  return {std::move(alphas), std::move(sigmas), interpolation};
}

std::vector<double> NoiseSchedule::betas() const {
  std::vector<double> out{1.0 - alphas_cumprod_[0]};
  for (std::size_t t = 1; t < alphas_cumprod_.size(); ++t)
    out.push_back(1.0 - alphas_cumprod_[t] / alphas_cumprod_[t - 1]);
  return out;
}

double NoiseSchedule::sigma(double timestep) const {
  const double clamped = std::clamp(timestep, 0.0, static_cast<double>(size() - 1));
  const auto low = std::min(static_cast<std::size_t>(clamped), sigmas_.size() - 2);
  const double share = clamped - static_cast<double>(low);
  // Whole timesteps are the table's numbers, not their logarithm's exponential.
  if (share == 0.0) return sigmas_[low];
  if (share == 1.0) return sigmas_[low + 1];
  if (interpolation_ == Interpolation::linear) return (1.0 - share) * sigmas_[low] + share * sigmas_[low + 1];
  return std::exp((1.0 - share) * std::log(sigmas_[low]) + share * std::log(sigmas_[low + 1]));
}

double NoiseSchedule::timestep(double sigma) const {
  if (sigma <= sigmas_.front()) return 0.0;
  if (sigma >= sigmas_.back()) return static_cast<double>(size() - 1);
  const auto high = std::upper_bound(sigmas_.begin(), sigmas_.end(), sigma) - sigmas_.begin();
  const double a = sigmas_[static_cast<std::size_t>(high - 1)];
  const double b = sigmas_[static_cast<std::size_t>(high)];
  const double share =
      interpolation_ == Interpolation::linear ? (sigma - a) / (b - a) : std::log(sigma / a) / std::log(b / a);
  return static_cast<double>(high - 1) + share;
}

}  // namespace stride
