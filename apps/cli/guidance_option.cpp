#include "apps/cli/guidance_option.h"

namespace stride {
OptionTable guidance_options(const char* group) {
  return {{.name = "guidance",
           .value = "SCALE[:key=value,...]",
           .help = "classifier-free guidance; needs --class or --cond. Keys: rescale, rescale_of, interval=LOW-HIGH, "
                   "apg, apg_norm",
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
  return make_guidance({options.text_or("guidance", ""), options.text_or("threshold", ""), options.flag("clip")},
                       model.sigma_data);
}

}  // namespace stride
