// The noise levels of discrete-time models, and the σ ↔ timestep map that they define.
#pragma once

#include "framework/card.h"
#include "framework/spec.h"
#include "framework/tensor.h"

#include <string>
#include <vector>

namespace stride {

/// A chain of T timesteps. Variance-preserving ones have σ_t = √((1 − ᾱ_t)/ᾱ_t) in EDM coordinates; flow times have
/// σ = s/(1 − s), and ᾱ = 1/(1 + σ²) is then that of the chain with the same levels. Immutable.
class NoiseSchedule final {
 public:
  enum class Interpolation { log_linear, linear };

  /// From betas β_0 … β_{T−1}. Throws UsageError unless there are two of them and each lies in (0, 1).
  explicit NoiseSchedule(const std::vector<double>& betas, Interpolation interpolation = Interpolation::log_linear);
  /// From ᾱ_0 … ᾱ_{T−1}, or from σ_0 … σ_{T−1}. Throws UsageError unless the levels are finite and increasing.
  [[nodiscard]] static NoiseSchedule from_alphas_cumprod(std::vector<double> alphas_cumprod,
                                                         Interpolation interpolation = Interpolation::log_linear);
  [[nodiscard]] static NoiseSchedule from_sigmas(std::vector<double> sigmas,
                                                 Interpolation interpolation = Interpolation::log_linear);

  [[nodiscard]] int64_t size() const noexcept { return static_cast<int64_t>(sigmas_.size()); }
  /// σ of every timestep, increasing.
  [[nodiscard]] const std::vector<double>& sigmas() const noexcept { return sigmas_; }
  [[nodiscard]] const std::vector<double>& alphas_cumprod() const noexcept { return alphas_cumprod_; }
  /// β_t = 1 − ᾱ_t/ᾱ_{t−1}.
  [[nodiscard]] std::vector<double> betas() const;
  [[nodiscard]] Interpolation interpolation() const noexcept { return interpolation_; }

  /// σ at a fractional timestep, clamped to [0, T − 1]: log-linear between neighbours (k-diffusion) or linear
  /// (diffusers).
  [[nodiscard]] double sigma(double timestep) const;
  /// The inverse, clamped to [0, T − 1]. For batches on a device: TimestepTable.
  [[nodiscard]] double timestep(double sigma) const;

 private:
  NoiseSchedule(std::vector<double> alphas_cumprod, std::vector<double> sigmas, Interpolation interpolation);

  std::vector<double> alphas_cumprod_, sigmas_;
  Interpolation interpolation_;
};

/// What `stride list noise-schedules` shows.
using NoiseScheduleTraits = Card;
[[nodiscard]] const std::vector<NoiseScheduleTraits>& noise_schedule_traits();

/// Builds a noise schedule by name and options, e.g. `scaled_linear:beta_end=0.012,rescale_zero_snr=1`, `flow:shift=3`
/// or `custom:FILE`. Throws UsageError on an unknown name or option, InputError on an unreadable file.
[[nodiscard]] NoiseSchedule make_noise_schedule(const Spec& spec);
/// The names that make_noise_schedule takes without an argument.
[[nodiscard]] const std::vector<std::string>& noise_schedule_names();

}  // namespace stride
