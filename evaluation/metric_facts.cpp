#include "evaluation/metric_facts.h"

#include <algorithm>
#include <initializer_list>

namespace stride {
namespace {

bool starts_with_any(const std::string& name, std::initializer_list<const char*> beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(),
                     [&](const char* beginning) { return name.starts_with(beginning); });
}

}  // namespace

bool higher_is_better(const std::string& metric) {
  return starts_with_any(metric, {"psnr", "precision", "recall", "density", "coverage"});
}

std::string metric_words(const std::string& metric) {
  if (metric == "rmse") return "RMSE to the teacher";
  if (metric == "fd") return "Fréchet distance to the real data";
  if (metric == "fd-teacher") return "Fréchet distance to the teacher";
  return metric;
}

Estimate within_range(const std::string& metric, Estimate estimate) {
  const bool any_sign = starts_with_any(metric, {"psnr", "kid", "fd-inf", "exact-nll"});
  // NaN stays: it is no number to compare with.
  if (!any_sign && estimate.low < 0.0) estimate.low = 0.0;
  if (starts_with_any(metric, {"precision", "recall", "coverage"}) && estimate.high > 1.0) estimate.high = 1.0;
  return estimate;
}

}  // namespace stride
