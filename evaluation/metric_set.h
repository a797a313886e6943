// The metrics by name: which there are, and what they mean.
#pragma once

#include "datasets/metrics/frechet.h"
#include "evaluation/evaluation_result.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace stride {

/// What a metric needs. Metrics of a set exist against the reference (`kid`) and against the teacher's
/// samples
/// (`kid-teacher`); metrics in pairs are to the teacher's sample of the same seed.
struct MetricNeeds {
  bool features = false;   ///< a feature network
  bool reference = false;  ///< real samples, or their statistics
  bool teacher = false;    ///< of a set, against the teacher's samples
  bool paired = false;     ///< with the teacher's sample of the same seed
  bool mixture = false;    ///< a Gaussian mixture as the model
  int64_t samples = 1;     ///< at least so many on either side
};

/// "rmse, psnr, …" for messages.
[[nodiscard]] std::string metric_names();
/// Throws UsageError with 'did you mean' on an unknown name.
[[nodiscard]] MetricNeeds metric_needs(const std::string& metric);
/// "rmse,fd" as a list. Throws UsageError on an unknown name, an empty list and a name given twice.
[[nodiscard]] std::vector<std::string> parse_metrics(const std::string& text);

/// One side of a comparison.
struct MetricSide {
  Tensor x;         ///< samples `[N, …]` in data scale; undefined where only statistics are known
  Tensor features;  ///< `[N, F]`; undefined where not computed or not known
  std::optional<FeatureStatistics> statistics = {};  ///< of the features; computed from them where they are missing
  std::string name = "the reference";                ///< for messages
};

/// A metric of the caller's: a figure for each sample, `[N]`, of the samples and the teacher's from the same noise,
/// both
/// `[N, …]` in data scale on the CPU. The result is its mean.
struct OwnMetric {
  std::string name;
  std::function<Tensor(const Tensor& x, const Tensor& teacher)> of;
};
using OwnMetrics = std::vector<OwnMetric>;
/// Throws UsageError where one does not give a number a sample.
[[nodiscard]] std::vector<MetricResult> own_metrics(const OwnMetrics& metrics, const Tensor& x, const Tensor& teacher,
                                                    const std::vector<int64_t>& bounds);

/// What the features are: kept with each metric that uses them.
struct FeatureStamp {
  std::string quantisation = "none", sha256;
};

/// Those of `metrics` that compare sets: with the suffix "" against the reference, with "-teacher" against the
/// teacher's. `prdc` gives four results, `kid` with at least 1,000 samples on either side also `kid-subsets`. Throws
/// UsageError where `theirs` lacks what a metric needs. `pause` is called before each metric, and may throw.
[[nodiscard]] std::vector<MetricResult> set_metrics(const std::vector<std::string>& metrics, const std::string& suffix,
                                                    const MetricSide& mine, const MetricSide& theirs,
                                                    const std::vector<int64_t>& bounds, const FeatureStamp& stamp,
                                                    const std::function<void()>& pause = {});

/// Those of `metrics` that compare row by row.
[[nodiscard]] std::vector<MetricResult> paired_metrics(const std::vector<std::string>& metrics, const MetricSide& mine,
                                                       const MetricSide& theirs, const std::vector<int64_t>& bounds,
                                                       const FeatureStamp& stamp);

}  // namespace stride
