#include "apps/commands/invert_options.h"

#include "apps/cli/refine_option.h"
#include "framework/error.h"
#include "solvers/registry.h"

#include <fmt/format.h>

namespace stride {

OptionTable invert_options() {
  return {{.name = "invert",
           .kind = ValueKind::flag,
           .help = "with --start: walk the grid upwards; /x becomes the noise that --init takes",
           .group = kStartGroup,
           .key = "sampling.invert"},
          {.name = "invert-iterations",
           .kind = ValueKind::integer,
           .fallback = "0",
           .value = "K",
           .help = "more evaluations per step, which make the way back exact",
           .group = kStartGroup,
           .key = "sampling.invert_iterations"},
          {.name = "round-trip",
           .kind = ValueKind::flag,
           .help = "with --invert: come back by DDIM and show how far from the images that ends",
           .group = kStartGroup,
           .key = "sampling.round_trip"}};
}

SamplerSpec inversion_spec(const OptionValues& options) {
  if (!options.has("start")) throw UsageError("--invert needs the images: add --start FILE");
  SamplerSpec spec = sampler_specs(options).at(0);
  const bool other = options.given("solver") || options.has("hybrid");
  if (other && (options.has("hybrid") || find_solver(Spec::parse(spec.solver).name) != find_solver("ddim")))
    throw UsageError(fmt::format("--invert is DDIM's way backwards, not that of {}: leave it out", spec.solver));
  if (spec.policy != "fixed" || spec.term != "ode" || spec.nfe)
    throw UsageError("--invert walks a fixed grid of the ode: leave --policy, --term and --nfe out");
  for (const char* option : {"init", "init-scale", "noise"})
    if (options.asked(option))
      throw UsageError(fmt::format("--invert makes noise and takes none: leave --{} out", option));
  if (options.integer("invert-iterations") < 0) throw UsageError("--invert-iterations: at least 0");
  spec.solver = "ddim";
  return spec;
}

}  // namespace stride
