// Inpainting: a denoiser that knows part of the answer.
#pragma once

#include "framework/denoiser.h"

namespace stride {

/// The inner denoiser where `mask` is 1, a known image where it is 0, a mixture between. The network sees
/// m·x + (1 − m)·(image + σ·noise), and when guidance is done with its prediction, `constrain` makes it
/// m·D + (1 − m)·image: what ComfyUI's KSamplerX0Inpaint does (replacement as in Lugmayr et al. 2022, arXiv:2201.09865,
/// eq. 8, with one noise for the whole run). The slope (x − D)/σ is then the sample's own noise in the known part, so
/// that deterministic methods that start at image + σ₀·noise stay on image + σ·noise there, and the jump to 0 lands on
/// the image.
///
/// Image, mask and noise are a sample's own: they ride behind the inner model's conditions, so that compaction, refill
/// and resume carry them.
class MaskedDenoiser final : public Denoiser {
 public:
  /// `inner` must outlive this.
  explicit MaskedDenoiser(const Denoiser& inner);

  /// The condition of a run: the inner model's, then what is known. `[B, …]` each, in the dtype of the run.
  [[nodiscard]] static BatchState condition(const BatchState& inner, const Tensor& image, const Tensor& mask,
                                            const Tensor& noise);

  [[nodiscard]] const ModelInfo& info() const noexcept override { return info_; }
  [[nodiscard]] Evaluation evaluate(const Tensor& x, const Times& sigma, const BatchState& condition) const override;
  [[nodiscard]] Evaluation evaluate_both(const Tensor& x, const Times& sigma,
                                         const BatchState& condition) const override;
  [[nodiscard]] BatchState null_condition(const BatchState& condition) const override;
  [[nodiscard]] Tensor constrain(const Tensor& denoised, const BatchState& condition) const override;

 private:
  const Denoiser& inner_;
  ModelInfo info_;
};

}  // namespace stride
