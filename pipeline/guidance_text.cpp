#include "pipeline/guidance_text.h"

#include "framework/error.h"
#include "framework/models/parameterisation.h"
#include "framework/options.h"

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

struct GuidanceOptions {
  double rescale = 0.0;
  std::string rescale_of, interval;
  std::optional<double> apg = {}, apg_norm = {};
  double apg_momentum = 0.0;
};

const Options<GuidanceOptions>& guidance_options() {
  using Read = GuidanceOptions;
  static const Options<Read> declared =
      options<Read>(number("rescale", &Read::rescale, in_range(0, 1), "blend towards the conditional's deviation"),
                    text_option("rescale_of", &Read::rescale_of, "a prediction", "what `rescale` restores"),
                    text_option("interval", &Read::interval, "LOW-HIGH", "the noise levels with guidance"),
                    number("apg", &Read::apg, any_number(), "projected guidance: what stays of the parallel part"),
                    number("apg_norm", &Read::apg_norm, at_least(0), "the update's largest norm; 0: no limit"),
                    number("apg_momentum", &Read::apg_momentum, any_number(), "0: there is none here"))
          .check([](const Read& read) { return read.apg_momentum == 0.0; },
                 "apg_momentum remembers the evaluations of earlier steps, and the state of a run has no place for "
                 "them; leave it out (apg and apg_norm work without it)")
          .check([](const Read& read) { return read.apg || !read.apg_norm; },
                 "apg_norm limits the update of projected guidance; add apg=ETA, e.g. apg=0");
  return declared;
}

struct ThresholdOptions {
  double max = DynamicThreshold{}.most;
};

}  // namespace

Guidance parse_guidance(const std::string& text, double sigma_data) {
  const Spec spec = Spec::parse(text);
  const GuidanceOptions read = guidance_options().read(spec, "`guidance`");
  Guidance guidance;
  guidance.scale = parse_number(spec.name, "`guidance`");
  guidance.rescale = read.rescale;
  if (!read.rescale_of.empty() && read.rescale_of != "denoised")
    guidance.rescale_of = make_parameterisation(read.rescale_of, sigma_data);
  read_interval(read.interval, guidance);
  if (read.apg) guidance.projected = ProjectedGuidance{.eta = *read.apg, .norm = read.apg_norm.value_or(0.0)};
  if (const std::string reason = guidance.invalid_reason(); !reason.empty())
    throw UsageError(fmt::format("`guidance` {}: {}", text, reason));
  return guidance;
}

DynamicThreshold parse_threshold(const std::string& text) {
  const Spec spec = Spec::parse(text);
  const auto read = options<ThresholdOptions>(
                        number("max", &ThresholdOptions::max, at_least(1).or_infinite(), "the largest threshold"))
                        .read(spec, "`threshold`");
  Guidance guidance;
  guidance.threshold = DynamicThreshold{.ratio = parse_number(spec.name, "`threshold`")};
  guidance.threshold->most = read.max;
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
