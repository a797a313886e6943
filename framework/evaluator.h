// Evaluating the network as a value that counts itself (design §2.7).
#pragma once

#include "framework/denoiser.h"
#include "framework/models/guidance.h"

namespace stride {

/// What one step spent, per row. `nfe` counts denoiser calls as papers do, `model_evals` network passes of
/// one row each: guidance makes two, in one batch or not.
struct StepCost {
  int64_t nfe = 0;
  std::optional<Tensor> spared;  ///< int64 `[B]`: of the calls in `nfe`, those that a row had no use for
  int64_t model_evals = 0;
  int64_t draws = 0;
};

/// Calls the denoiser under guidance and counts. One Evaluator lives for one step; whoever made it reads
/// the cost afterwards and adds it to the rows that were running. Where guidance is active the evaluation carries
/// the prediction without the condition too (with it in rows outside the interval: there is no guidance there).
class Evaluator final {
 public:
  Evaluator(const Denoiser& denoiser, Guidance guidance, BatchState condition)
      : denoiser_(denoiser), guidance_(std::move(guidance)), condition_(std::move(condition)) {}

  [[nodiscard]] Evaluation operator()(const Tensor& x, const Times& sigma);

  [[nodiscard]] const StepCost& cost() const noexcept { return cost_; }
  void count_draw() noexcept { ++cost_.draws; }
  /// The next call is of no use to `rows` (bool `[B]`).
  void spare(const Tensor& rows);

 private:
  const Denoiser& denoiser_;
  Guidance guidance_;
  BatchState condition_;
  StepCost cost_;
};

}  // namespace stride
