// The one interface to a model: D(x; σ) in EDM coordinates.
#pragma once

#include "framework/batch_state.h"

#include <optional>
#include <string>
#include <vector>

namespace stride {

/// What one network pass says.
struct Evaluation {
  Tensor denoised;                      ///< D(x; σ), `[B, …]`, dtype of x
  std::optional<Tensor> unconditional;  ///< without the condition, where guidance asked for it; without bounds
  std::optional<Tensor>
      log_variance;  ///< what the model says of its variance, as it says it: see solvers/methods/ddpm.cpp
};

/// A condition that a model takes: labels (`classes` > 0; int64 `[B]`), a scale of guidance that the model was trained
/// with (`guidance`; float `[B]`), else a float tensor `[B, …]` of `shape`.
struct ConditionSpec {
  std::string name;
  int64_t classes = 0;
  std::vector<int64_t> shape;
  std::optional<int64_t> null = -1;  ///< of labels: the one that means "none"; none: the model knows no such thing
  bool zeros = false;                ///< of tensors: zeros mean "none"
  bool guidance = false;
  std::optional<double> standard = {};  ///< of guidance: the scale where nobody says one
};

/// What is known about a model without running it; the numbers of its card.
struct ModelInfo {
  std::string name;
  std::string kind;
  std::string sha256;          ///< of its weights, or of its card where it has none
  std::vector<int64_t> shape;  ///< of one sample, without the batch
  double sigma_min = 0.002;
  double sigma_max = 80.0;
  double sigma_data = 0.5;
  std::vector<ConditionSpec> conditions;
};

/// A denoiser. Implementations are immutable; `evaluate` is safe to call from several threads, does not
/// touch the global random state and never synchronises with the host.
class Denoiser {
 public:
  virtual ~Denoiser() = default;

  [[nodiscard]] virtual const ModelInfo& info() const noexcept = 0;

  /// One network pass over `x` `[B, …]` (EDM coordinates) at `sigma` float64 `[B]` under `condition`
  /// (slots in the order of info().conditions; empty for unconditional models).
  [[nodiscard]] virtual Evaluation evaluate(const Tensor& x, const Times& sigma, const BatchState& condition) const = 0;

  /// Under `condition` and without it, for guidance: Evaluation::unconditional is set. The default makes two passes; a
  /// model whose rows may differ in their conditions makes one of 2B rows.
  [[nodiscard]] virtual Evaluation evaluate_both(const Tensor& x, const Times& sigma,
                                                 const BatchState& condition) const;

  /// The condition that means "none", for guidance. Throws UsageError where the model has no such thing.
  [[nodiscard]] virtual BatchState null_condition(const BatchState& condition) const;

  /// The prediction with what is known of the sample put in, when guidance and bounds are done with it. The Evaluator
  /// calls it on every prediction; the default knows nothing.
  [[nodiscard]] virtual Tensor constrain(const Tensor& denoised, const BatchState& condition) const;

 protected:
  Denoiser() = default;
  Denoiser(const Denoiser&) = default;
  Denoiser& operator=(const Denoiser&) = default;
};

}  // namespace stride
