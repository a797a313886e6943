// What a network of few bits would say, of a denoiser that has none.
#pragma once

#include "framework/denoiser.h"
#include "framework/models/parameterisation.h"

#include <memory>

namespace stride {

/// `inner` seen through a narrow dtype, as if it were a network of the `edm` parameterisation: what that would take and
/// what it would give are rounded to `dtype`; everything between them is `inner`'s own. Models in closed form run so
/// under 16 bits. Keeps the dtype of x outside.
class NarrowDenoiser final : public Denoiser {
 public:
  NarrowDenoiser(std::shared_ptr<const Denoiser> inner, at::ScalarType dtype);

  [[nodiscard]] const ModelInfo& info() const noexcept override { return inner_->info(); }
  [[nodiscard]] Evaluation evaluate(const Tensor& x, const Times& sigma, const BatchState& condition) const override;
  [[nodiscard]] Evaluation evaluate_both(const Tensor& x, const Times& sigma,
                                         const BatchState& condition) const override;
  [[nodiscard]] BatchState null_condition(const BatchState& condition) const override;
  [[nodiscard]] Tensor constrain(const Tensor& denoised, const BatchState& condition) const override;

 private:
  template <class Evaluate>
  [[nodiscard]] Evaluation narrowed(const Tensor& x, const Times& sigma, const Evaluate& evaluate) const;

  std::shared_ptr<const Denoiser> inner_;
  std::shared_ptr<const Parameterisation> edm_;
  at::ScalarType dtype_;
};

}  // namespace stride
