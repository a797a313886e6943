#include "evaluation/set_comparison.h"

#include "framework/error.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace stride {
namespace {

bool needs_single_features(const std::string& metric) { return metric == "kid" || metric == "prdc"; }

void require_samples(const SetComparison& job, const std::string& metric, const MetricNeeds& needs) {
  const FeatureSetup& setup = job.network.setup;
  const int64_t n = job.samples.x.size(0);
  if (n < needs.samples)
    throw UsageError(
        fmt::format("the metric {} needs at least {} samples; `samples` holds {}", metric, needs.samples, n));
  const Tensor& other = setup.reference_features.defined() ? setup.reference_features : setup.reference_images;
  if (other.defined() && other.size(0) < needs.samples)
    throw UsageError(fmt::format("the metric {} needs at least {} samples in `ref`", metric, needs.samples));
}

void require_reference(const SetComparison& job, const std::string& metric, const MetricNeeds& needs) {
  const FeatureSetup& setup = job.network.setup;
  if (needs.paired && (!setup.reference_images.defined() || setup.reference_images.sizes() != job.samples.x.sizes()))
    throw UsageError(fmt::format(
        "the metric {} compares row by row: `ref` must hold as many samples as `samples`, of the same shape", metric));
  if (metric == "swd" && !setup.reference_images.defined())
    throw UsageError("the metric swd compares the samples themselves, and `ref` holds statistics only; give images");
  if (needs_single_features(metric) && !setup.reference_features.defined())
    throw UsageError(fmt::format(
        "the metric {} compares single features, and `ref` holds their mean and covariance only; give images, or "
        "statistics written by `stride stats` with `keep_features`",
        metric));
}

template <typename Predicate>
bool any_metric(const SetComparison& job, const Predicate& is) {
  return std::any_of(job.metrics.begin(), job.metrics.end(),
                     [&](const std::string& metric) { return is(metric_needs(metric)); });
}

}  // namespace

std::vector<std::string> SetComparison::leave_out_what_lacks_features() {
  std::vector<std::string> out;
  if (!network.setup.features || network.setup.reference_features.defined()) return out;
  std::erase_if(metrics, [&](const std::string& metric) {
    if (needs_single_features(metric)) out.push_back(metric);
    return needs_single_features(metric);
  });
  return out;
}

void SetComparison::require_possible(const std::string& reference) const {
  for (const std::string& metric : metrics) {
    const MetricNeeds needs = metric_needs(metric);
    if (needs.teacher || needs.mixture)
      throw UsageError(fmt::format("the metric {} needs a model: `stride evaluate` has it", metric));
    if (needs.features && !network.setup.features)
      throw UsageError(fmt::format("the metric {} needs a feature network; give `features`", metric));
    require_samples(*this, metric, needs);
    require_reference(*this, metric, needs);
  }
  const bool paired = any_metric(*this, [](const MetricNeeds& needs) { return needs.paired; });
  if (!paired || !samples.seeds.defined() || !samples_of_run(reference).ends_with(".h5")) return;
  const Tensor theirs = load_samples("`ref`", reference).seeds;
  if (theirs.defined() && !at::equal(theirs, samples.seeds))
    throw UsageError(
        fmt::format("`ref` {}: samples of other seeds than `samples`: their rows are no pairs", reference));
}

std::vector<MetricResult> SetComparison::measure(const at::Device& device) const {
  const FeatureSetup& setup = network.setup;
  const FeatureStamp stamp = {setup.quantisation, setup.sha256};
  MetricSide mine = {samples.x.to(device), {}, std::nullopt, "`samples`"};
  if (any_metric(*this, [](const MetricNeeds& needs) { return needs.features; }))
    mine.features = setup.features(samples.x).to(device);
  const MetricSide theirs = {setup.reference_images, setup.reference_features, setup.reference, "`ref`"};
  std::vector<MetricResult> out = paired_metrics(metrics, mine, theirs, bounds, stamp);
  for (MetricResult& one : set_metrics(metrics, "", mine, theirs, bounds, stamp)) out.push_back(std::move(one));
  return out;
}

}  // namespace stride
