// The sampling options, and what they say.
#include "apps/sampling.h"

#include "apps/guidance_option.h"
#include "apps/refine_option.h"
#include "datasets/samples_file.h"
#include "solvers/hybrid.h"
#include "solvers/names.h"
#include "solvers/registry.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>

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
                   "custom:FILE; "
                   "`stride list noise-schedules` shows all (default: the model's, else linear)",
           .group = kSamplerGroup,
           .key = "sampling.noise_schedule"}};
}

std::vector<double> parse_sigmas(const std::string& text) {
  std::vector<double> out;
  std::size_t begin = 0;
  while (begin <= text.size()) {
    std::size_t end = text.find(',', begin);
    if (end == std::string::npos) end = text.size();
    out.push_back(parse_number(text.substr(begin, end - begin), "--sigmas"));
    begin = end + 1;
  }
  return out;
}

bool in_table(const OptionValues& options, const std::string& name) {
  for (const Option& option : options.table()) {
    if (option.name == name) return true;
  }
  return false;
}

std::vector<std::string> one_or_all(const OptionValues& options, const std::string& name,
                                    const std::string& otherwise) {
  if (!in_table(options, name) || !options.has(name)) return {otherwise};
  return options.values(name);
}

void read_grid(const OptionValues& options, SamplerSpec& spec) {
  const bool sigmas = options.has("sigmas");
  const bool steps = options.has("steps");
  const bool nfe = options.has("nfe");
  if (static_cast<int>(sigmas) + static_cast<int>(steps) + static_cast<int>(nfe) > 1) {
    throw UsageError("--steps, --nfe and --sigmas exclude each other: give one of them");
  }
  if (sigmas) spec.sigmas = parse_sigmas(options.text("sigmas"));
  if (steps) spec.steps = options.integer("steps");
  if (nfe) spec.nfe = options.integer("nfe");
  if (options.has("sigma-min")) spec.sigma_min = options.number("sigma-min");
  if (options.has("sigma-max")) spec.sigma_max = options.number("sigma-max");
  spec.final = parse_final(options.text("final"));
  spec.noise_schedule = options.text_or("noise-schedule", "");
}

Tensor read_normals(const Context& context, const std::string& option, const std::string& dataset) {
  if (!in_table(context.options(), option) || !context.options().has(option)) return {};
  const Tensor values = read_dataset(context.options().text(option), dataset);
  if (!values.is_floating_point()) {
    throw InputError(
        fmt::format("--{} {}: /{} must hold floating-point numbers", option, context.options().text(option), dataset));
  }
  return values;
}

void check_shape(const Tensor& values, int64_t leading, std::size_t samples, const ModelInfo& model, const char* what) {
  if (!values.defined()) return;
  std::vector<int64_t> wanted = {static_cast<int64_t>(samples)};
  wanted.insert(wanted.end(), model.shape.begin(), model.shape.end());
  const auto sizes = values.sizes();
  if (values.dim() < leading || sizes.slice(static_cast<std::size_t>(leading)) != at::IntArrayRef(wanted)) {
    throw InputError(
        fmt::format("{} has the shape [{}], but this run needs [{}{}]: a row a seed, each like the model's sample",
                    what, fmt::join(sizes, ", "), leading > 0 ? "draws, " : "", fmt::join(wanted, ", ")));
  }
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
  if (wanted.condition) {
    table.push_back({.name = "class",
                     .kind = ValueKind::integer,
                     .value = "N",
                     .help = "condition on this label",
                     .group = kModelGroup,
                     .key = "sampling.class"});
    table = table + guidance_options(kModelGroup);
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
    table.push_back(
        {.name = "policy",
         .value = "NAME[:key=value,...]",
         .help = "who chooses the steps: fixed, pi:rtol=R,atol=A, pid, predictor:FILE; default: what the solver is "
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
                                 .help = "multiply the start by sigma, or vp: sqrt(1 + sigma^2)",
                                 .group = kSamplerGroup,
                                 .key = "sampling.init_scale",
                                 .choices = {"sigma", "vp"}},
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
  if (!in_table(options, "hybrid") || !options.has("hybrid")) return one_or_all(options, "solver", otherwise);
  if (options.given("solver")) throw UsageError("--hybrid names its solvers: leave --solver out");
  (void)parse_hybrid(options.text("hybrid"));
  return {options.text("hybrid")};
}

}  // namespace

std::vector<SamplerSpec> sampler_specs(const OptionValues& options) {
  SamplerSpec base;
  if (in_table(options, "steps")) read_grid(options, base);
  base.term = in_table(options, "term") ? options.text("term") : base.term;
  base.allow_model_mismatch = options.flag("allow-model-mismatch");
  if (in_table(options, "strength")) base.strength = strength_of(options);
  std::vector<SamplerSpec> out;
  for (const std::string& text : solvers_of(options, base.solver)) {
    const auto [solver, own_schedule] = resolve_sampler_name(text);
    std::vector<std::string> schedules = one_or_all(options, "schedule", base.schedule);
    if (!own_schedule.empty()) {
      if (options.given("schedule") && schedules != std::vector<std::string>{own_schedule})
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
        out.push_back(std::move(spec));
      }
      if (!is_hybrid(solver) && Spec::parse(solver).name == "plan") break;  // it brings its own grid
    }
  }
  return out;
}

DrawSettings draw_settings(const Context& context, const ModelInfo& model) {
  const OptionValues& options = context.options();
  DrawSettings settings;
  settings.seeds = context.seeds();
  settings.batch = context.batch();
  settings.device = context.device();
  settings.dtype = context.dtype();
  if (in_table(options, "class") && options.has("class")) settings.label = options.integer("class");
  if (in_table(options, "guidance")) settings.guidance = guidance_of(options, model);
  if (settings.guidance.active() && !settings.label) {
    throw UsageError("--guidance needs a condition to guide towards: add --class N");
  }
  (void)make_condition(model, settings.label, 1, at::kCPU);
  settings.init = read_normals(context, "init", "x");
  settings.noise = read_normals(context, "noise", "eps");
  check_shape(settings.init, 0, settings.seeds.size(), model, "--init: /x");
  check_shape(settings.noise, 1, settings.seeds.size(), model, "--noise: /eps");
  if (in_table(options, "start")) read_refine(options, model, settings);
  settings.init_scale_vp = in_table(options, "init-scale") && options.text("init-scale") == "vp";
  settings.exact = options.text("numerics") == "exact";
  settings.oom_backoff = options.text("oom") == "backoff";
  return settings;
}

DrawSettings for_seeds(const DrawSettings& settings, const std::vector<int64_t>& seeds) {
  std::map<int64_t, int64_t> place;
  for (std::size_t i = 0; i < settings.seeds.size(); ++i) place[settings.seeds[i]] = static_cast<int64_t>(i);
  std::vector<int64_t> rows;
  for (const int64_t seed : seeds) {
    const auto found = place.find(seed);
    if (found == place.end()) throw UsageError(fmt::format("seed {} is not one of this run's", seed));
    rows.push_back(found->second);
  }
  const Tensor index = at::tensor(rows, at::TensorOptions().dtype(at::kLong));
  DrawSettings out = settings;
  out.seeds = seeds;
  if (out.init.defined()) out.init = out.init.index_select(0, index);
  if (out.noise.defined()) out.noise = out.noise.index_select(1, index);
  if (out.start.defined()) out.start = out.start.index_select(0, index);
  if (out.mask.defined()) out.mask = out.mask.index_select(0, index);
  return out;
}

BatchState make_condition(const ModelInfo& model, std::optional<int64_t> label, int64_t n, at::Device device) {
  if (model.conditions.empty()) {
    if (label) throw UsageError(fmt::format("--class: the model '{}' takes no condition", model.name));
    return {};
  }
  if (model.conditions.size() != 1 || model.conditions[0].classes < 1) {
    throw UsageError(fmt::format(
        "the model '{}' needs conditions other than one label, which this version cannot give it", model.name));
  }
  const int64_t classes = model.conditions[0].classes;
  if (label && (*label < 0 || *label >= classes)) {
    throw UsageError(
        fmt::format("--class {}: the model '{}' has the classes 0 to {}", *label, model.name, classes - 1));
  }
  return BatchState({at::full({n}, label.value_or(-1), at::TensorOptions().dtype(at::kLong).device(device))});
}

}  // namespace stride
