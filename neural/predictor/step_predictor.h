// The step predictor (design §4): the largest next step that keeps the local error under a tolerance.
#pragma once

#include "framework/files/safetensors.h"
#include "neural/networks/parameters.h"
#include "solvers/made_with.h"

#include <memory>
#include <string>
#include <vector>

namespace stride {

/// What a predictor was made for and from.
struct PredictorInfo {
  std::string base = "dpmpp_2m";                    ///< the solver whose local error it knows: canonical_solver
  std::string model_sha256;                         ///< of the denoiser behind the trajectories
  std::vector<int64_t> sample_shape;                ///< without the batch
  double sigma_min = 0.0, sigma_max = 0.0;          ///< the positive range of the trajectories
  double tolerance_min = 0.0, tolerance_max = 0.0;  ///< the range of tolerances it was trained on
  double quantile = 0.4;                            ///< of the largest step that it aims at
  std::vector<int64_t> hidden = {32, 32};           ///< widths of the hidden layers
  MadeWith made_with = {};                          ///< of the trajectories; not `recorded` in files from before
  bool operator==(const PredictorInfo&) const = default;
};

[[nodiscard]] Layout predictor_layout(const PredictorInfo& info);

/// ln of the predicted step in ln σ, for normalised features: `[B]` from `[B, F + 1]`. Gradients flow.
[[nodiscard]] Tensor predictor_forward(const PredictorInfo& info, const Weights& weights, const Tensor& normalised);

/// A trained predictor. Immutable.
class StepPredictor final {
 public:
  /// `mean` and `scale` `[F + 1]` normalise the features and ln tolerance. Throws InputError, naming `where`, where
  /// weights or normalisation do not fit.
  StepPredictor(PredictorInfo info, Weights weights, Tensor mean, Tensor scale, const std::string& where);

  [[nodiscard]] const PredictorInfo& info() const noexcept { return info_; }
  [[nodiscard]] const Weights& weights() const noexcept { return weights_; }
  [[nodiscard]] StepPredictor to(const at::Device& device) const;

  /// The step h = ln(σ_from/σ_to) for step_features `[B, F]`: float64 `[B]`, positive. Computed row by row in float64:
  /// a row's bits do not depend on its neighbours.
  [[nodiscard]] Tensor step(const Tensor& features, double tolerance) const;

  /// A safetensors file. `facts`: how it was trained, any text by name.
  void save(const std::string& path, const std::map<std::string, std::string>& facts = {}) const;
  /// Throws InputError, saying what is wrong.
  [[nodiscard]] static StepPredictor load(const std::string& path);
  [[nodiscard]] static StepPredictor from_file(const Safetensors& file, const std::string& where);

 private:
  PredictorInfo info_;
  Weights weights_;
  Tensor mean_, scale_;
};

/// Whether a file with this metadata is a step predictor (for `stride inspect`).
[[nodiscard]] bool is_step_predictor(const std::map<std::string, std::string>& metadata);

}  // namespace stride
