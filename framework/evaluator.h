// Evaluating the network as a value that counts itself (design §2.7).
#pragma once

#include "framework/denoiser.h"

namespace stride {

/// Classifier-free guidance (Ho & Salimans 2022, arXiv:2207.12598): D = D_u + scale·(D_c − D_u) inside the
/// interval of noise levels [low, high] (Kynkäänniemi et al. 2024, arXiv:2404.07724), D_c outside it. Both
/// passes run for the whole batch, and both are counted, wherever guidance is active.
struct Guidance {
  double scale = 1.0;    ///< 1: the conditional pass alone
  double rescale = 0.0;  ///< Lin et al. 2023 (arXiv:2305.08891) eq. 15–16: blend towards the conditional's std
  double interval_low = 0.0;
  double interval_high = 1e300;

  [[nodiscard]] bool active() const noexcept { return scale != 1.0; }
};

/// What one step spent, a row. `nfe` counts denoiser calls as papers do, `model_evals` network passes.
struct StepCost {
  int64_t nfe = 0;
  std::optional<Tensor> spared;  ///< int64 `[B]`: of the calls in `nfe`, those that a row had no use for
  int64_t model_evals = 0;
  int64_t draws = 0;
};

/// Calls the denoiser under guidance and counts. One Evaluator lives for one step; whoever made it reads
/// the cost afterwards and adds it to the rows that were running.
class Evaluator final {
 public:
  Evaluator(const Denoiser& denoiser, const Guidance& guidance, const BatchState& condition)
      : denoiser_(denoiser), guidance_(guidance), condition_(condition) {}

  [[nodiscard]] Evaluation operator()(const Tensor& x, const Times& sigma);

  [[nodiscard]] const StepCost& cost() const noexcept { return cost_; }
  void count_draw() noexcept { ++cost_.draws; }
  /// The next call is of no use to `rows` (bool `[B]`).
  void spare(const Tensor& rows);

 private:
  const Denoiser& denoiser_;
  const Guidance& guidance_;
  const BatchState& condition_;
  StepCost cost_;
};

}  // namespace stride
