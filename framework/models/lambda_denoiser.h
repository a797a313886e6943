// A denoiser from a function.
#pragma once

#include "framework/denoiser.h"

#include <functional>

namespace stride {

/// D(x; σ) as a callable: a network of another library, a formula, a remote service. `x` `[B, …]` and `sigma` float64
/// `[B]` lie on the device of the run; the answer has the shape of x and is brought to its dtype and device. The
/// callable keeps no memory between calls, and treats each sample by itself.
class LambdaDenoiser final : public Denoiser {
 public:
  using Plain = std::function<Tensor(const Tensor& x, const Times& sigma)>;
  /// `condition` has a slot for each of ModelInfo::conditions.
  using Conditional = std::function<Tensor(const Tensor& x, const Times& sigma, const BatchState& condition)>;
  /// The condition that means "none", for guidance.
  using NullCondition = std::function<BatchState(const BatchState& condition)>;

  /// Throws UsageError where `info` has no shape, a range of σ that is none, or conditions that `denoise` cannot take.
  LambdaDenoiser(ModelInfo info, Plain denoise);
  /// Without `null` there is no guidance, but for labels: there "none" is the label −1.
  LambdaDenoiser(ModelInfo info, Conditional denoise, NullCondition null = {});

  [[nodiscard]] const ModelInfo& info() const noexcept override { return info_; }
  /// Throws UsageError where the callable answers with another shape.
  [[nodiscard]] Evaluation evaluate(const Tensor& x, const Times& sigma, const BatchState& condition) const override;
  [[nodiscard]] BatchState null_condition(const BatchState& condition) const override;

 private:
  ModelInfo info_;
  Conditional denoise_;
  NullCondition null_;
};

}  // namespace stride
