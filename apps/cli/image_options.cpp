#include "apps/cli/image_options.h"

namespace stride {

OptionTable image_options(const std::string& section) {
  return {{.name = "decoder",
           .value = "CARD",
           .help = "network from samples (latents) to pictures, by its card",
           .group = "Pictures",
           .key = section + ".decoder"},
          {.name = "post",
           .value = "CARD",
           .help = "network from pictures to pictures, after the decoder, e.g. super-resolution",
           .group = "Pictures",
           .key = section + ".post"}};
}

ImageStages image_stages(Context& context) {
  const OptionValues& options = context.options();
  ImageStages out(options.text_or("decoder", ""), options.text_or("post", ""), options.flag("trust-model"),
                  context.device());
  for (const auto& [path, sha256] : out.made_with()) context.add_input(path, sha256);
  return out;
}

}  // namespace stride
