// A denoiser that says again what was recorded: solvers driven without a model.
#pragma once

#include "framework/denoiser.h"

#include <utility>

namespace stride {

/// Answers every evaluation with the same `denoised` `[B, …]`, guidance and bounds included, wherever it is asked: it
/// is for one step of a solver that evaluates where the recording did. `info` is borrowed.
class RecordedDenoiser final : public Denoiser {
 public:
  RecordedDenoiser(const ModelInfo& info, Tensor denoised) : info_(info), denoised_(std::move(denoised)) {}

  [[nodiscard]] const ModelInfo& info() const noexcept override { return info_; }
  [[nodiscard]] Evaluation evaluate(const Tensor& /*x*/, const Times& /*sigma*/,
                                    const BatchState& /*condition*/) const override {
    return {denoised_, {}, {}};
  }

 private:
  const ModelInfo& info_;
  Tensor denoised_;
};

}  // namespace stride
