#include "framework/noise_schedule.h"

#include "framework/error.h"

#include <ATen/ATen.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <numbers>

namespace stride {

NoiseSchedule::NoiseSchedule(std::vector<double> betas, Interpolation interpolation) : interpolation_(interpolation) {
  if (betas.size() < 2) throw UsageError("noise schedule: needs at least two betas");
  double product = 1.0;
  for (std::size_t t = 0; t < betas.size(); ++t) {
    if (!(betas[t] > 0.0 && betas[t] < 1.0))
      throw UsageError(fmt::format("noise schedule: beta {} of timestep {} must lie between 0 and 1", betas[t], t));
    product *= 1.0 - betas[t];
    alphas_cumprod_.push_back(product);
    sigmas_.push_back(std::sqrt((1.0 - product) / product));
  }
}

double NoiseSchedule::sigma(double timestep) const {
  const double clamped = std::clamp(timestep, 0.0, static_cast<double>(size() - 1));
  const auto low = std::min(static_cast<std::size_t>(clamped), sigmas_.size() - 2);
  const double share = clamped - static_cast<double>(low);
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

Tensor NoiseSchedule::timestep(const Times& sigma) const {
  Tensor table = at::tensor(sigmas_, sigma.options());
  Tensor at_sigma = sigma;
  if (interpolation_ == Interpolation::log_linear) {
    table = table.log();
    at_sigma = sigma.log();
  }
  const Tensor high = at::searchsorted(table, at_sigma.contiguous()).clamp(1, size() - 1);
  const Tensor a = table.index_select(0, high - 1);
  const Tensor b = table.index_select(0, high);
  return (high - 1).to(at::kDouble) + ((at_sigma - a) / (b - a)).clamp(0.0, 1.0);
}

NoiseSchedule make_noise_schedule(const Spec& spec) {
  OptionReader options(spec, "noise schedule");
  const int64_t steps = options.integer("steps", 1000);
  if (steps < 2 || steps > 1'000'000)
    throw UsageError(fmt::format("noise schedule: steps must lie in 2 … 1000000, not {}", steps));
  const std::string rule = options.word("interpolation", "log_linear");
  if (rule != "log_linear" && rule != "linear")
    throw UsageError(fmt::format("noise schedule: interpolation must be log_linear or linear, not '{}'", rule));
  const auto interpolation =
      rule == "linear" ? NoiseSchedule::Interpolation::linear : NoiseSchedule::Interpolation::log_linear;
  std::vector<double> betas(static_cast<std::size_t>(steps));
  const auto fraction = [&](std::size_t t) { return static_cast<double>(t) / static_cast<double>(steps - 1); };
  if (spec.name == "linear") {
    // Ho et al. 2020 (arXiv:2006.11239) §4; end points as in diffusers.
    const double start = options.number("beta_start", 1e-4);
    const double end = options.number("beta_end", 0.02);
    for (std::size_t t = 0; t < betas.size(); ++t) betas[t] = start + (end - start) * fraction(t);
  } else if (spec.name == "scaled_linear") {
    const double start = std::sqrt(options.number("beta_start", 0.00085));
    const double end = std::sqrt(options.number("beta_end", 0.012));
    for (std::size_t t = 0; t < betas.size(); ++t) betas[t] = std::pow(start + (end - start) * fraction(t), 2);
  } else if (spec.name == "cosine") {
    // Nichol & Dhariwal 2021 (arXiv:2102.09672) eq. 17, betas capped at 0.999.
    const auto alpha_bar = [&](double t) {
      return std::pow(std::cos((t + 0.008) / 1.008 * std::numbers::pi / 2.0), 2);
    };
    for (std::size_t t = 0; t < betas.size(); ++t) {
      const double from = static_cast<double>(t) / static_cast<double>(steps);
      const double to = static_cast<double>(t + 1) / static_cast<double>(steps);
      betas[t] = std::min(1.0 - alpha_bar(to) / alpha_bar(from), 0.999);
    }
  } else {
    const std::string near = nearest(spec.name, noise_schedule_names());
    throw UsageError(fmt::format("unknown noise schedule '{}'; {}", spec.name,
                                 near.empty() ? fmt::format("there are {}", fmt::join(noise_schedule_names(), ", "))
                                              : fmt::format("did you mean '{}'?", near)));
  }
  options.done();
  return NoiseSchedule(std::move(betas), interpolation);
}

const std::vector<std::string>& noise_schedule_names() {
  static const std::vector<std::string> names{"cosine", "linear", "scaled_linear"};
  return names;
}

}  // namespace stride
