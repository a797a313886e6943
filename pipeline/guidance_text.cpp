#include "pipeline/guidance_text.h"

#include "framework/error.h"
#include "framework/models/parameterisation.h"
#include "framework/spec.h"

#include <fmt/format.h>

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

Guidance make_guidance(const GuidanceText& text, double sigma_data) {
  Guidance guidance;
  if (!text.guidance.empty()) guidance = parse_guidance(text.guidance, sigma_data);
  if (!text.threshold.empty()) guidance.threshold = parse_threshold(text.threshold);
  if (!text.clip) return guidance;
  if (guidance.threshold)
    throw UsageError("`clip` and `threshold` exclude each other: a threshold bounds the prediction to [-1, 1] already");
  guidance.clip = kClipRange;
  return guidance;
}

}  // namespace stride
