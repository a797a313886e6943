// The sampling options, and what they say.
#include "apps/cli/sampling_options.h"

#include "apps/cli/feature_options.h"
#include "apps/cli/guidance_option.h"
#include "apps/cli/refine_option.h"
#include "framework/text_list.h"
#include "solvers/hybrid.h"
#include "solvers/names.h"
#include "solvers/registry.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace stride {
namespace {

const char* kModelGroup = "Model";
const char* kSamplerGroup = "Sampler";

OptionTable grid_options(bool several) {
  return {{.name = "steps",
           .kind = ValueKind::integer,
           .value = "N",
           .help = "intervals of the grid, the last one included (default 18)",
           .group = kSamplerGroup,
           .key = "sampling.steps"},
          {.name = "nfe",
           .kind = ValueKind::integer,
           .value = "N",
           .help = "in place of --steps: the steps that cost N evaluations",
           .group = kSamplerGroup,
           .key = "sampling.nfe"},
          {.name = "schedule",
           .fallback = "karras",
           .value = "NAME[:key=value,...]",
           .help = "the grid of noise levels; `stride list schedules` shows all",
           .group = kSamplerGroup,
           .key = "sampling.schedule",
           .repeatable = several},
          {.name = "sigmas",
           .value = "LIST",
           .help = "the grid itself, e.g. 14.6,6.3,1,0",
           .group = kSamplerGroup,
           .key = "sampling.sigmas"},
          {.name = "final",
           .fallback = "zero",
           .value = "END",
           .help = "zero: the last step jumps to 0; sigma_min: there is no jump",
           .group = kSamplerGroup,
           .key = "sampling.final",
           .choices = {"zero", "sigma_min"}},
          {.name = "sigma-min",
           .kind = ValueKind::number,
           .value = "S",
           .help = "smallest noise level (default: the model's)",
           .group = kSamplerGroup,
           .key = "sampling.sigma_min"},
          {.name = "sigma-max",
           .kind = ValueKind::number,
           .value = "S",
           .help = "where sampling starts (default: the model's)",
           .group = kSamplerGroup,
           .key = "sampling.sigma_max"},
          {.name = "noise-schedule",
           .value = "NAME[:key=value,...]",
           .help = "the noise levels behind timestep grids: linear, scaled_linear, cosine, sigmoid, laplace, flow, "
                   "custom:FILE; `stride list noise-schedules` shows all (default: the model's, else linear)",
           .group = kSamplerGroup,
           .key = "sampling.noise_schedule"}};
}

std::vector<std::string> one_or_all(const OptionValues& options, const std::string& name,
                                    const std::string& otherwise) {
  if (!options.knows(name) || !options.has(name)) return {otherwise};
  return options.values(name);
}

void read_grid(const OptionValues& options, SamplerSpec& spec) {
  const bool sigmas = options.has("sigmas");
  const bool steps = options.has("steps");
  const bool nfe = options.has("nfe");
  if (static_cast<int>(sigmas) + static_cast<int>(steps) + static_cast<int>(nfe) > 1) {
    throw UsageError("--steps, --nfe and --sigmas exclude each other: give one of them");
  }
  if (sigmas) spec.sigmas = parse_numbers(options.text("sigmas"), "--sigmas");
  if (steps) spec.steps = options.integer("steps");
  if (nfe) spec.nfe = options.integer("nfe");
  if (options.has("sigma-min")) spec.sigma_min = options.number("sigma-min");
  if (options.has("sigma-max")) spec.sigma_max = options.number("sigma-max");
  spec.final = parse_final(options.text("final"));
  spec.noise_schedule = options.text_or("noise-schedule", "");
}

}  // namespace

OptionTable sampling_options(const SamplingTable& wanted) {
  OptionTable table = {{.name = "model",
                        .fallback = "digits",
                        .value = "CARD|NAME",
                        .help = "a model card (TOML), or an embedded model; `stride list models` shows them",
                        .group = kModelGroup,
                        .key = "sampling.model"},
                       {.name = "allow-model-mismatch",
                        .kind = ValueKind::flag,
                        .help = "accept a plan or predictor that was made for another model",
                        .group = kModelGroup,
                        .key = "sampling.allow_model_mismatch"}};
  if (wanted.trust) table = table + trust_option("sampling", kModelGroup);
  if (wanted.condition) {
    table = table +
            OptionTable{{.name = "class",
                         .value = "N|A-B|random|FILE",
                         .help = "condition on this label, on a range that the seeds go through, or on one a seed",
                         .group = kModelGroup,
                         .key = "sampling.class"},
                        {.name = "cond",
                         .value = "FILE",
                         .help = "other conditions by name (safetensors), as ./scripts/encode-prompt writes them",
                         .group = kModelGroup,
                         .key = "sampling.cond"}} +
            guidance_options(kModelGroup);
  }
  if (!wanted.solver.empty()) {
    table.push_back({.name = "solver",
                     .fallback = wanted.solver,
                     .value = "NAME[:key=value,...]",
                     .help = "e.g. heun, ddim:eta=0.5, plan:FILE.json; `stride list solvers` shows all",
                     .group = kSamplerGroup,
                     .key = "sampling.solver",
                     .repeatable = wanted.several});
    table.push_back({.name = "hybrid",
                     .value = "NAME@N,...",
                     .help = "in place of --solver: legs on one grid, e.g. ddim@10,heun@5 or ddim@10,heun@5:1.0-0.002",
                     .group = kSamplerGroup,
                     .key = "sampling.hybrid"});
    table.push_back({.name = "term",
                     .fallback = "ode",
                     .value = "NAME[:eta=E]",
                     .help = "what is integrated: ode, or sde for solvers that can",
                     .group = kSamplerGroup,
                     .key = "sampling.term"});
  }
  if (wanted.grid) table = table + grid_options(wanted.several);
  if (wanted.policy) {
    table.push_back({.name = "policy",
                     .value = "NAME[:key=value,...]",
                     .help =
                         "who chooses the steps: fixed, pi:atol=A, pid, predictor:FILE; default: what the solver is "
                         "made for, which is fixed but for dpm_adaptive",
                     .group = kSamplerGroup,
                     .key = "sampling.policy",
                     .repeatable = wanted.several});
  }
  if (wanted.starts) {
    table = table + OptionTable{{.name = "init",
                                 .value = "FILE.h5",
                                 .help = "/x: unit normals in place of the seeds' noise",
                                 .group = kSamplerGroup,
                                 .key = "sampling.init"},
                                {.name = "init-scale",
                                 .fallback = "sigma",
                                 .value = "HOW",
                                 .help = "multiply noise alone by sigma, vp: sqrt(1 + sigma^2), flow: 1 + sigma",
                                 .group = kSamplerGroup,
                                 .key = "sampling.init_scale",
                                 .choices = {"sigma", "vp", "flow"}},
                                {.name = "noise",
                                 .value = "FILE.h5",
                                 .help = "/eps: unit normals that stochastic solvers consume in order",
                                 .group = kSamplerGroup,
                                 .key = "sampling.noise"}};
  }
  if (wanted.refine) table = table + refine_options();
  return table;
}

namespace {

// The names that --solver or --hybrid give.
std::vector<std::string> solvers_of(const OptionValues& options, const std::string& otherwise) {
  if (!options.knows("hybrid") || !options.has("hybrid")) return one_or_all(options, "solver", otherwise);
  if (options.given("solver")) throw UsageError("--hybrid names its solvers: leave --solver out");
  (void)parse_hybrid(options.text("hybrid"));
  return {options.text("hybrid")};
}

}  // namespace

std::vector<SamplerSpec> sampler_specs(const OptionValues& options) {
  SamplerSpec base;
  if (options.knows("steps")) read_grid(options, base);
  base.term = options.knows("term") ? options.text("term") : base.term;
  base.allow_model_mismatch = options.flag("allow-model-mismatch");
  if (options.knows("strength")) base.strength = strength_of(options);
  std::vector<SamplerSpec> out;
  for (const std::string& text : solvers_of(options, base.solver)) {
    const SamplerName name = resolve_sampler_name(text);
    const std::string& solver = name.solver;
    const std::string& own_schedule = name.schedule;
    std::vector<std::string> schedules = one_or_all(options, "schedule", base.schedule);
    if (!own_schedule.empty()) {
      if (options.asked("schedule") && schedules != std::vector<std::string>{own_schedule})
        throw UsageError(fmt::format("--solver '{}' says the schedule {}, --schedule says {}", text, own_schedule,
                                     fmt::join(schedules, ", ")));
      schedules = {own_schedule};
    }
    for (const std::string& schedule : schedules) {
      for (const std::string& policy : one_or_all(options, "policy", "")) {
        SamplerSpec spec = base;
        spec.solver = solver;
        spec.schedule = schedule;
        // A solver that is made for a policy runs under it unless another one is asked for.
        const std::string own = is_hybrid(solver) ? "" : solver_traits(Spec::parse(solver).name).policy;
        if (!policy.empty())
          spec.policy = policy;
        else if (!own.empty())
          spec.policy = own;
        if (name.drops_next_to_last && spec.policy == "fixed" && spec.final == Final::zero && spec.sigmas.empty())
          spec.schedule = levels_of_name(name, schedule);
        out.push_back(std::move(spec));
      }
      if (!is_hybrid(solver) && Spec::parse(solver).name == "plan") break;  // it brings its own grid
    }
  }
  return out;
}

}  // namespace stride
