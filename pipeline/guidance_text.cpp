#include "pipeline/guidance_text.h"

#include "framework/error.h"
#include "framework/models/parameterisation.h"
#include "framework/spec.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <vector>

namespace stride {
namespace {

void read_interval(const std::string& text, Guidance& guidance) {
  if (text.empty()) return;
  const auto dash = text.find('-', 1);
  if (dash == std::string::npos) throw UsageError("`guidance`: interval is LOW-HIGH in noise levels, e.g. 0.3-5");
  guidance.interval_low = parse_number(text.substr(0, dash), "`guidance`: interval");
  guidance.interval_high = parse_number(text.substr(dash + 1), "`guidance`: interval");
}

void read_projection(OptionReader& reader, const Spec& spec, Guidance& guidance) {
  const ProjectedGuidance wanted{.eta = reader.number("apg", 0.0), .norm = reader.number("apg_norm", 0.0)};
  if (reader.number("apg_momentum", 0.0) != 0.0)
    throw UsageError(
        "`guidance`: apg_momentum remembers the evaluations of earlier steps, and the state of a run has no place for "
        "them; leave it out (apg and apg_norm work without it)");
  if (spec.options.contains("apg")) guidance.projected = wanted;
  if (!guidance.projected && spec.options.contains("apg_norm"))
    throw UsageError("`guidance`: apg_norm limits the update of projected guidance; add apg=ETA, e.g. apg=0");
}

}  // namespace

Guidance parse_guidance(const std::string& text, double sigma_data) {
  const Spec spec = Spec::parse(text);
  OptionReader reader(spec, "`guidance`");
  Guidance guidance;
  guidance.scale = parse_number(spec.name, "`guidance`");
  guidance.rescale = reader.number("rescale", 0.0);
  const std::string of = reader.word("rescale_of", "denoised");
  if (of != "denoised") guidance.rescale_of = make_parameterisation(of, sigma_data);
  read_interval(reader.word("interval", ""), guidance);
  read_projection(reader, spec, guidance);
  reader.done();
  if (const std::string reason = guidance.invalid_reason(); !reason.empty())
    throw UsageError(fmt::format("`guidance` {}: {}", text, reason));
  return guidance;
}

DynamicThreshold parse_threshold(const std::string& text) {
  const Spec spec = Spec::parse(text);
  OptionReader reader(spec, "`threshold`");
  Guidance guidance;
  guidance.threshold = DynamicThreshold{.ratio = parse_number(spec.name, "`threshold`")};
  guidance.threshold->most = reader.number("max", guidance.threshold->most);
  reader.done();
  if (const std::string reason = guidance.invalid_reason(); !reason.empty())
    throw UsageError(fmt::format("`threshold` {}: {}", text, reason));
  return *guidance.threshold;
}

std::string guidance_text(const Guidance& guidance) {
  if (!guidance.active()) return "";
  std::vector<std::string> options;
  const Guidance plain;
  if (guidance.rescale != plain.rescale) options.push_back(fmt::format("rescale={}", guidance.rescale));
  if (guidance.rescale_of) options.push_back("rescale_of=" + guidance.rescale_of->name());
  if (guidance.interval_low != plain.interval_low || guidance.interval_high != plain.interval_high)
    options.push_back(fmt::format("interval={}-{}", guidance.interval_low, guidance.interval_high));
  if (guidance.projected) {
    options.push_back(fmt::format("apg={}", guidance.projected->eta));
    if (guidance.projected->norm > 0.0) options.push_back(fmt::format("apg_norm={}", guidance.projected->norm));
  }
  return fmt::format("{}{}{}", guidance.scale, options.empty() ? "" : ":", fmt::join(options, ","));
}

std::string threshold_text(const Guidance& guidance) {
  if (!guidance.threshold) return "";
  const DynamicThreshold& threshold = *guidance.threshold;
  return fmt::format("{}{}", threshold.ratio,
                     std::isfinite(threshold.most) ? fmt::format(":max={}", threshold.most) : "");
}

}  // namespace stride
