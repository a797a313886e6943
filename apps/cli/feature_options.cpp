#include "apps/cli/feature_options.h"

namespace stride {

OptionTable trust_option(const std::string& section, const char* group) {
  return {{.name = "trust-model",
           .kind = ValueKind::flag,
           .help = "run networks that are programs: TorchScript, compiled packages",
           .group = group,
           .key = section + ".trust_model"}};
}

OptionTable feature_options(const std::string& section, const std::string& fallback) {
  return OptionTable{
             {.name = "features",
              .fallback = fallback,
              .value = "CARD|FILE|NAME",
              .help = "feature network that fd, kid and the like are measured in; `features-digits` and "
                      "`features-cifar10` are embedded",
              .group = "Measuring",
              .key = section + ".features"},
             {.name = "quantise",
              .fallback = "none",
              .value = "RULE",
              .help = "pixels before the network sees them: none, or uint8: rounded to 8 bits, as image files are",
              .group = "Measuring",
              .key = section + ".quantise",
              .choices = {"none", "uint8"}}} +
         trust_option(section, "Measuring");
}

OptionTable device_option() {
  return {{.name = "device",
           .fallback = "auto",
           .value = "DEVICE",
           .help = "cpu, cuda or cuda:N; auto takes a GPU where there is one",
           .group = "Running",
           .key = "run.device"}};
}

FeatureRequest feature_request(const Context& context) {
  const OptionValues& options = context.options();
  return {.features = options.text_or("features", ""),
          .quantisation = options.text("quantise"),
          .trust = options.flag("trust-model"),
          .device = context.device()};
}

}  // namespace stride
