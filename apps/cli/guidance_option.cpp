#include "apps/cli/guidance_option.h"

#include "framework/error.h"

namespace stride {
OptionTable guidance_options(const char* group) {
  return {
      {.name = "guidance",
       .value = "SCALE[:key=value,...]",
       .help = "classifier-free guidance; needs --class. Keys: rescale, rescale_of, interval=LOW-HIGH, apg, apg_norm",
       .group = group,
       .key = "sampling.guidance"},
      {.name = "clip",
       .kind = ValueKind::flag,
       .help = "clip the denoised prediction to [-1, 1] in every step",
       .group = group,
       .key = "sampling.clip"},
      {.name = "threshold",
       .value = "P[:max=M]",
       .help = "dynamic thresholding at this quantile of each sample, e.g. 0.995",
       .group = group,
       .key = "sampling.threshold"}};
}

Guidance guidance_of(const OptionValues& options, const ModelInfo& model) {
  Guidance guidance;
  if (options.has("guidance")) guidance = parse_guidance(options.text("guidance"), model.sigma_data);
  if (options.has("threshold")) guidance.threshold = parse_threshold(options.text("threshold"));
  if (!options.flag("clip")) return guidance;
  if (guidance.threshold)
    throw UsageError("--clip and --threshold exclude each other: a threshold bounds the prediction to [-1, 1] already");
  guidance.clip = kClipRange;
  return guidance;
}

}  // namespace stride
