#include "apps/cli/refine_option.h"

#include "pipeline/sample_source.h"
#include "pipeline/starts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace stride {

OptionTable refine_options() {
  return {{.name = "start",
           .value = "FILE|DIR",
           .help = "start from an image with noise added: PNG, JPEG, WebP, a folder of {seed:06d}.png, or HDF5 /x",
           .group = kStartGroup,
           .key = "sampling.start"},
          {.name = "strength",
           .kind = ValueKind::number,
           .value = "S",
           .help = "with --start: run the last S of the steps, 0 to 1 (default 1)",
           .group = kStartGroup,
           .key = "sampling.strength"},
          {.name = "mask",
           .value = "FILE|DIR",
           .help = "with --start: white (HDF5 /mask: 1) where the sample is made anew, black (0) where the start stays",
           .group = kStartGroup,
           .key = "sampling.mask"}};
}

double strength_of(const OptionValues& options) {
  if (!options.has("strength")) return 1.0;
  if (!options.has("start")) throw UsageError("--strength says how much of --start is made anew: add --start FILE");
  return options.number("strength");
}

void read_refine(Context& context, const ModelInfo& model, DrawSettings& settings) {
  const OptionValues& options = context.options();
  if (options.has("mask") && !options.has("start"))
    throw UsageError("--mask says which part of --start stays: add --start FILE");
  const auto read = [&](const char* option, auto* reader) -> Tensor {
    if (!options.has(option)) return {};
    const std::string path = samples_of_run(options.text(option));
    ReadInput got = reader({option, path, settings.seeds}, model);
    context.add_input(path, got.sha256);
    return std::move(got.values);
  };
  settings.start = read("start", &read_start);
  settings.mask = read("mask", &read_mask);
}

}  // namespace stride
