// Samples from anywhere against a reference: what `stride metrics` compares.
#pragma once

#include "evaluation/feature_setup.h"
#include "evaluation/metric_set.h"
#include "pipeline/sample_source.h"

#include <string>
#include <vector>

namespace stride {

struct SetComparison {
  std::vector<std::string> metrics;
  SampleSource samples;
  FeatureChoice network;        ///< with the reference in its setup
  std::vector<int64_t> bounds;  ///< of the blocks of rows behind the intervals

  /// Takes out the metrics that compare single features where the reference has their mean and covariance only, and
  /// returns their names.
  std::vector<std::string> leave_out_what_lacks_features();
  /// Throws UsageError for what can be known to fail before anything is computed; `reference` is what the reference was
  /// loaded from: rows are pairs only where they are of the same seeds.
  void require_possible(const std::string& reference) const;
  [[nodiscard]] std::vector<MetricResult> measure(const at::Device& device) const;
};

}  // namespace stride
