// The betas of discrete-time models, and the σ ↔ timestep map that they define.
#pragma once

#include "framework/spec.h"
#include "framework/tensor.h"

#include <string>
#include <vector>

namespace stride {

/// A variance-preserving chain of T timesteps: σ_t = √((1 − ᾱ_t)/ᾱ_t) in EDM coordinates. Immutable.
class NoiseSchedule final {
 public:
  enum class Interpolation { log_linear, linear };

  /// From betas β_0 … β_{T−1}. Throws UsageError unless each lies in (0, 1).
  explicit NoiseSchedule(std::vector<double> betas, Interpolation interpolation = Interpolation::log_linear);

  [[nodiscard]] int64_t size() const noexcept { return static_cast<int64_t>(sigmas_.size()); }
  /// σ of every timestep, increasing.
  [[nodiscard]] const std::vector<double>& sigmas() const noexcept { return sigmas_; }
  [[nodiscard]] const std::vector<double>& alphas_cumprod() const noexcept { return alphas_cumprod_; }
  /// σ at a fractional timestep: log-linear between neighbours (k-diffusion) or linear (diffusers).
  [[nodiscard]] double sigma(double timestep) const;
  /// The inverse, clamped to [0, T − 1].
  [[nodiscard]] double timestep(double sigma) const;
  /// The inverse for a batch, on its device: float64 `[B]`.
  [[nodiscard]] Tensor timestep(const Times& sigma) const;

 private:
  std::vector<double> alphas_cumprod_, sigmas_;
  Interpolation interpolation_;
};

/// `linear`, `scaled_linear` (options beta_start, beta_end, steps), `cosine` (steps). diffusers' defaults.
/// Throws UsageError on an unknown name or option.
[[nodiscard]] NoiseSchedule make_noise_schedule(const Spec& spec);
[[nodiscard]] const std::vector<std::string>& noise_schedule_names();

}  // namespace stride
