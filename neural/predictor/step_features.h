// What a run knows when it chooses its next step, as numbers.
#pragma once

#include "framework/tensor.h"

#include <string>
#include <vector>

namespace stride {

/// The state before a step from `sigma`, for a batch. Of evaluations that were not made yet (see `known`) the values
/// are not looked at.
struct StepKnowledge {
  Times sigma;           ///< float64 `[B]`: where the next step starts
  Tensor x;              ///< `[B, …]` there
  Times last_sigma;      ///< float64 `[B]`: the last evaluation,
  Tensor denoised;       ///< `[B, …]` what it said
  Tensor slope;          ///< and its direction (x − D)/σ
  Times previous_sigma;  ///< the same of the evaluation before
  Tensor previous_denoised;
  Tensor previous_slope;
  Tensor known;  ///< int64 `[B]`: evaluations made so far
  Tensor start;  ///< float64 `[B, start_features()]`: start_statistics of the run's beginning
};

/// The same knowledge without the sample: all that the features are made of. float64 `[B]` where nothing else is said.
struct StepStatistics {
  Times sigma, last_sigma, previous_sigma;
  Tensor known;                  ///< int64 `[B]`
  Tensor x;                      ///< root mean square
  Tensor slope, previous_slope;  ///< root mean squares of the directions,
  Tensor slope_product;          ///< the mean of their product
  Tensor slope_change;           ///< and the root mean square of their difference
  Tensor denoised_change;        ///< root mean square
  Tensor pooled;                 ///< `[B, 7]`: pooled_statistics of what the last evaluation said
  Tensor start;                  ///< `[B, 6]`: start_statistics
};

/// Names of the features, in order; without the tolerance.
[[nodiscard]] const std::vector<std::string>& step_feature_names();

/// Mean, standard deviation and the mean of four quarters of x_T/σ_T: float64 `[B, 6]`.
[[nodiscard]] Tensor start_statistics(const Tensor& x, const Times& sigma);

/// Mean, standard deviation, the means of four quarters and the gradient energy: float64 `[B, 7]`.
[[nodiscard]] Tensor pooled_statistics(const Tensor& denoised);

[[nodiscard]] StepStatistics step_statistics(const StepKnowledge& knowledge);
[[nodiscard]] Tensor step_features(const StepStatistics& statistics);

/// float64 `[B, F]`. Pure, row by row, on the device, without synchronisation. For images `[B, C, H, W]` the quarters
/// are the quadrants; for other shapes they are quarters of the flattened sample.
[[nodiscard]] Tensor step_features(const StepKnowledge& knowledge);

}  // namespace stride
