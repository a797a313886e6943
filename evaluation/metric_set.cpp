#include "evaluation/metric_set.h"

#include "datasets/metrics/frechet_limit.h"
#include "datasets/metrics/kernel_distance.h"
#include "datasets/metrics/manifold.h"
#include "datasets/metrics/sliced_wasserstein.h"
#include "evaluation/metric_facts.h"
#include "framework/error.h"
#include "framework/named.h"
#include "framework/text_list.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>
#include <utility>

namespace stride {
namespace {

constexpr int64_t kSubset = 1000;  // samples in each of 100 subsets, as papers report KID
constexpr const char* kTeacher = "-teacher";

const std::vector<Named<Card, MetricNeeds>>& known_metrics() {
  static const auto all = [] {
    std::vector<Named<Card, MetricNeeds>> out = {
        {{.name = "rmse"}, {.paired = true}},
        {{.name = "psnr"}, {.paired = true}},
        {{.name = "feature-distance"}, {.features = true, .paired = true}},
        {{.name = "fd"}, {.features = true, .samples = 2}},
        {{.name = "fd-inf"}, {.features = true, .samples = 8}},
        {{.name = "kid"}, {.features = true, .samples = 2}},
        {{.name = "prdc"}, {.features = true, .samples = ManifoldOptions{}.density_k + 1}},
        {{.name = "swd"}, {}}};
    const std::size_t count = out.size();
    for (std::size_t i = 3; i < count; ++i) {
      MetricNeeds needs = out[i].value;
      needs.teacher = true;
      out[i].value.reference = true;
      out.push_back({{.name = out[i].card.name + kTeacher}, needs});
    }
    out.push_back({{.name = "exact"}, {.mixture = true, .samples = 2}});
    return out;
  }();
  return all;
}

bool wants(const std::vector<std::string>& metrics, const std::string& name) {
  return std::find(metrics.begin(), metrics.end(), name) != metrics.end();
}

MetricResult result(const std::string& name, const BlockMetric& metric, const FeatureStamp& stamp = {}) {
  return {name, within_range(name, metric.all), metric.blocks, stamp.quantisation, stamp.sha256};
}

const Tensor& features_of(const MetricSide& side, const std::string& metric) {
  if (side.features.defined()) return side.features;
  throw UsageError(fmt::format(
      "the metric {} compares single features, and {} holds their mean and covariance only; give images, or statistics "
      "written by `stride stats` with `keep_features`",
      metric, side.name));
}

const Tensor& samples_of(const MetricSide& side, const std::string& metric) {
  if (side.x.defined()) return side.x;
  throw UsageError(fmt::format(
      "the metric {} compares the samples themselves, and {} holds statistics only; give images", metric, side.name));
}

}  // namespace

std::string metric_names() { return fmt::format("{}", fmt::join(names_of(known_metrics()), ", ")); }

MetricNeeds metric_needs(const std::string& metric) { return named("metric", metric, known_metrics()).value; }

std::vector<std::string> parse_metrics(const std::string& text) {
  std::vector<std::string> out;
  for (const std::string& name : split_list(text)) {
    (void)metric_needs(name);
    if (wants(out, name)) throw UsageError(fmt::format("the metric {} is named twice", name));
    out.push_back(name);
  }
  return out;
}

std::vector<MetricResult> set_metrics(const std::vector<std::string>& metrics, const std::string& suffix,
                                      const MetricSide& mine, const MetricSide& theirs,
                                      const std::vector<int64_t>& bounds, const FeatureStamp& stamp,
                                      const std::function<void()>& pause) {
  std::vector<MetricResult> out;
  const auto wanted = [&](const char* name) {
    const bool is = wants(metrics, name + suffix);
    if (is && pause) pause();
    return is;
  };
  std::optional<FeatureStatistics> statistics = theirs.statistics;
  if ((wanted("fd") || wanted("fd-inf")) && !statistics)
    statistics = FeatureStatistics::of(features_of(theirs, "fd" + suffix));
  if (wanted("fd")) out.push_back(result("fd" + suffix, frechet_metric(mine.features, *statistics, bounds), stamp));
  if (wanted("fd-inf"))
    out.push_back(result("fd-inf" + suffix, frechet_limit_metric(mine.features, *statistics, bounds), stamp));
  if (wanted("kid")) {
    const Tensor& other = features_of(theirs, "kid" + suffix);
    out.push_back(result("kid" + suffix, kernel_metric(mine.features, other, bounds), stamp));
    if (mine.features.size(0) >= kSubset && other.size(0) >= kSubset) {
      const double nan = std::numeric_limits<double>::quiet_NaN();
      const double mean = kernel_distance_subsets(mine.features, other, 100, kSubset).mean;
      out.push_back(result("kid-subsets" + suffix, {{mean, nan, nan}, {}}, stamp));
    }
  }
  if (wanted("prdc")) {
    const ManifoldMetric four = manifold_metric(mine.features, features_of(theirs, "prdc" + suffix), bounds);
    out.push_back(result("precision" + suffix, four.precision, stamp));
    out.push_back(result("recall" + suffix, four.recall, stamp));
    out.push_back(result("density" + suffix, four.density, stamp));
    out.push_back(result("coverage" + suffix, four.coverage, stamp));
  }
  if (wanted("swd")) out.push_back(result("swd" + suffix, sliced_metric(mine.x, samples_of(theirs, "swd"), bounds)));
  return out;
}

std::vector<MetricResult> paired_metrics(const std::vector<std::string>& metrics, const MetricSide& mine,
                                         const MetricSide& theirs, const std::vector<int64_t>& bounds,
                                         const FeatureStamp& stamp) {
  std::vector<MetricResult> out;
  if (wants(metrics, "rmse") || wants(metrics, "psnr")) {
    const Tensor rmse = rmse_per_sample(mine.x, samples_of(theirs, "rmse"));
    if (wants(metrics, "rmse")) {
      out.push_back(result("rmse", overall_rmse(rmse, bounds)));
      out.push_back(result("rmse-p95", sample_quantile(rmse, 0.95, bounds)));
    }
    if (wants(metrics, "psnr")) out.push_back(result("psnr", sample_mean(psnr_per_sample(rmse), bounds)));
  }
  if (wants(metrics, "feature-distance")) {
    const Tensor distance = feature_distance_per_sample(mine.features, features_of(theirs, "feature-distance"));
    out.push_back(result("feature-distance", sample_mean(distance, bounds), stamp));
  }
  return out;
}

std::vector<MetricResult> own_metrics(const OwnMetrics& metrics, const Tensor& x, const Tensor& teacher,
                                      const std::vector<int64_t>& bounds) {
  std::vector<MetricResult> out;
  for (const OwnMetric& metric : metrics) {
    const Tensor values = metric.of(x, teacher);
    if (!values.defined() || values.dim() != 1 || values.size(0) != x.size(0))
      throw UsageError(fmt::format("the metric {} must give a number for each of {} samples, not the shape [{}]",
                                   metric.name, x.size(0),
                                   values.defined() ? fmt::format("{}", fmt::join(values.sizes(), ", ")) : ""));
    out.push_back(result(metric.name, sample_mean(values.detach().to(at::kCPU, at::kDouble), bounds)));
  }
  return out;
}

}  // namespace stride
