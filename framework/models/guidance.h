// What becomes of the network's predictions before a solver sees them: guidance, then bounds.
#pragma once

#include "framework/tensor.h"

#include <limits>
#include <memory>
#include <optional>
#include <string>

namespace stride {

class Parameterisation;

/// Adaptive projected guidance (Sadat et al. 2024, arXiv:2410.02416, alg. 1) on the denoised prediction. Its momentum
/// is left out: it remembers the evaluations of other steps, and no state of a run holds them.
struct ProjectedGuidance {
  double eta = 0.0;   ///< how much of the update's part along the conditional prediction stays; 1: all of it
  double norm = 0.0;  ///< r: the update's largest norm, per sample; 0: no limit
};

/// Dynamic thresholding (Saharia et al. 2022, arXiv:2205.11487, §2.3): |D| ≤ s and D/s, with s the quantile `ratio` of
/// |D| in the sample, but not below 1 and not above `most`.
struct DynamicThreshold {
  double ratio = 0.995;
  double most = std::numeric_limits<double>::infinity();
};

/// Classifier-free guidance (Ho & Salimans 2022, arXiv:2207.12598): D = D_u + scale·(D_c − D_u) inside the
/// interval of noise levels [low, high] (Kynkäänniemi et al. 2024, arXiv:2404.07724), D_c outside it. Both
/// predictions are made for the whole batch, and both are counted, wherever guidance is active. Bounds on the denoised
/// prediction come last, with or without guidance. Everything here looks at one sample at a time.
struct Guidance {
  double scale = 1.0;    ///< 1: the conditional pass alone
  double rescale = 0.0;  ///< Lin et al. 2023 (arXiv:2305.08891) eq. 15–16: blend towards the conditional's std
  double interval_low = 0.0;
  double interval_high = 1e300;
  /// The prediction whose standard deviation `rescale` restores; none: the denoised one. diffusers takes the
  /// network's output (epsilon, for most), ComfyUI v_prediction.
  std::shared_ptr<const Parameterisation> rescale_of = nullptr;
  std::optional<ProjectedGuidance> projected = {};        ///< none: the plain sum
  std::optional<DynamicThreshold> threshold = {};         ///< none: no dynamic threshold
  double clip = std::numeric_limits<double>::infinity();  ///< |D| ≤ clip

  [[nodiscard]] bool active() const noexcept { return scale != 1.0; }
  [[nodiscard]] bool bounds() const noexcept {
    return threshold.has_value() || clip != std::numeric_limits<double>::infinity();
  }
  /// Empty when valid, else what is wrong and how to fix it.
  [[nodiscard]] std::string invalid_reason() const;
};

/// The guided prediction of `x` at `sigma` from the ones with and without the condition, wherever sigma lies.
[[nodiscard]] Tensor guided(const Guidance& guidance, const Tensor& conditional, const Tensor& unconditional,
                            const Tensor& x, const Times& sigma);

/// `denoised` within the bounds.
[[nodiscard]] Tensor bounded(const Guidance& guidance, const Tensor& denoised);

}  // namespace stride
