#include "pipeline/familiar/diffusers_config.h"

#include "framework/error.h"
#include "framework/grids/flow_time.h"
#include "framework/grids/noise_schedule.h"
#include "framework/named.h"
#include "framework/spec.h"
#include "pipeline/familiar/scheduler_settings.h"
#include "solvers/registry.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

namespace stride {
namespace {

using Settings = std::map<std::string, std::string>;

// What is made of it.
struct Made {
  Spec solver, grid, betas;
  bool ends_above_zero = false;  // at the level of timestep 0
  std::string sigma_min = {}, sigma_max = {};
  std::string init_scale = "vp";  // the classes' init_noise_sigma, in EDM coordinates
  std::vector<std::string> notes = {};
};

// Numbers that are the named noise schedule's own are left out.
void put_unless(Spec& spec, const std::string& option, double value, double own) {
  if (value != own) spec.options[option] = fmt::format("{}", value);
}

Spec betas(SchedulerSettings& from) {
  if (!from.null("trained_betas"))
    throw UsageError(fmt::format("{}: trained_betas: write the numbers to a file and give `noise_schedule` custom:FILE",
                                 from.where()));
  const std::map<std::string, std::string> names = {{"linear", "linear"},
                                                    {"scaled_linear", "scaled_linear"},
                                                    {"squaredcos_cap_v2", "cosine"},
                                                    {"cosine", "cosine"},
                                                    {"sigmoid", "sigmoid"},
                                                    {"laplace", "laplace"}};
  const auto found = names.find(from.text("beta_schedule"));
  if (found == names.end())
    from.refuse("beta_schedule", "there are linear, scaled_linear, squaredcos_cap_v2, sigmoid, laplace");
  Spec out{found->second, {}, {}};
  put_unless(out, "steps", from.number("num_train_timesteps"), 1000);
  const double start = from.number("beta_start"), end = from.number("beta_end");
  const bool latent = out.name == "scaled_linear";
  if (out.name != "cosine" && out.name != "laplace") {
    put_unless(out, "beta_start", start, latent ? 0.00085 : 1e-4);
    put_unless(out, "beta_end", end, latent ? 0.012 : 0.02);
  }
  if (from.flag("rescale_betas_zero_snr")) out.options["rescale_zero_snr"] = "true";
  return out;
}

// Which of the flags is set; empty: none.
std::string curve_of(SchedulerSettings& from) {
  std::string out;
  for (const auto& [key, curve] :
       {std::pair{"use_karras_sigmas", "karras"}, std::pair{"use_exponential_sigmas", "exponential"},
        std::pair{"use_beta_sigmas", "beta"}, std::pair{"use_lu_lambdas", "exponential"}}) {
    if (!from.flag(key)) continue;
    if (!out.empty()) from.refuse(key, "a class makes one kind of levels; keep one of the use_… settings");
    out = curve;
  }
  return out;
}

enum class Family { euler, ddim, dpm_solver };

// Where the levels come to the class's end by themselves, its last step has no length, and is left out here. It was the
// one of first order under lower_order_final: those before it keep theirs, but for the last one of order 3.
void keep_order_of_last_step(SchedulerSettings& from, Made& out, const std::string& order_key) {
  const bool left_out =
      out.ends_above_zero && (out.grid.options.contains("curve") || out.grid.options.contains("flow"));
  if (!left_out || !from.flag("lower_order_final")) return;
  if (out.solver.options.contains("lower_order_final")) out.solver.options["lower_order_final"] = "false";
  if (from.number(order_key) > 2.0)
    out.notes.emplace_back("the last step keeps its order: the class's step of no length after it is left out");
}

void add_range(SchedulerSettings& from, Made& out, const std::string& curve) {
  if (from.null("sigma_min") && from.null("sigma_max")) return;
  if (curve.empty() || out.ends_above_zero || from.null("sigma_min") || from.null("sigma_max")) {
    if (curve.empty()) return;  // as in the classes: their range is that of the timesteps
    from.refuse("sigma_min", "give sigma_min and sigma_max together, with final_sigmas_type zero");
  }
  out.grid = {curve, {}, {}};
  out.sigma_min = from.text("sigma_min");
  out.sigma_max = from.text("sigma_max");
}

void add_flow(SchedulerSettings& from, Made& out, const std::string& curve) {
  if (!curve.empty()) from.refuse("use_flow_sigmas", "beside levels on a curve");
  if (from.flag("use_dynamic_shifting"))
    from.refuse("use_dynamic_shifting", "give `schedule` flow:mu=M or flow:seq_len=L, the shift of this image");
  if (!from.null("shift_terminal")) from.refuse("shift_terminal", "give `schedule` flow:shift_terminal=S");
  out.betas = {};  // flow times need none
  out.init_scale = "flow";
  const bool unipc = from.name() == "UniPCMultistepScheduler";
  if (out.ends_above_zero && !unipc && from.has("final_sigmas_type"))
    from.refuse("final_sigmas_type", "with flow times the class ends at a level of its betas");
  out.grid = {"diffusers", {}, {{"flow", unipc ? "unipc" : "dpm_solver"}}};
  put_unless(out.grid, "shift", from.number("flow_shift"), 1.0);
  put_unless(out.grid, "timesteps", from.number("num_train_timesteps"), 1000);
}

// The levels of the classes that live on timesteps.
void add_levels(SchedulerSettings& from, Family family, Made& out) {
  out.betas = betas(from);
  const std::string curve = curve_of(from);
  const double offset = from.has("steps_offset") ? from.number("steps_offset") : 0.0;
  if (from.flag("use_flow_sigmas")) return add_flow(from, out, curve);
  (void)from.flag("use_dynamic_shifting"), (void)from.text("time_shift_type"), (void)from.text("flow_shift");
  const std::string spacing =
      from.has("timestep_spacing") ? from.word("timestep_spacing", {"leading", "trailing", "linspace"}) : "linspace";
  const double clipped = from.has("lambda_min_clipped") ? from.number("lambda_min_clipped") : -INFINITY;
  if (family == Family::euler && spacing != "leading") out.init_scale = "sigma";
  Spec grid{"diffusers", {}, {}};
  if (family == Family::dpm_solver) grid.options["family"] = "dpm_solver";
  if (spacing != "linspace") grid.options["spacing"] = spacing;
  if (spacing == "leading") put_unless(grid, "offset", offset, 0.0);
  if (!curve.empty()) grid.options["curve"] = curve;
  if (family == Family::ddim && spacing == "linspace") grid.options["whole"] = "true";
  const bool clips = std::isfinite(clipped);
  if (clips && (curve.empty() || family != Family::dpm_solver)) put_unless(grid, "lambda_min", clipped, -INFINITY);
  const bool log_linear = from.has("interpolation_type") && from.text("interpolation_type") == "log_linear";
  if (log_linear) from.refuse("interpolation_type", "give `schedule` exponential and `final` sigma_min");
  // Between timesteps the classes go along σ, not ln σ; their other spacings keep to whole timesteps.
  if (family == Family::euler && spacing == "linspace" && curve.empty()) out.betas.options["interpolation"] = "linear";
  // The plain spacings have names.
  if (curve.empty() && !out.ends_above_zero && !clips && family != Family::ddim) {
    grid.name = spacing;
    grid.options.erase("spacing");
    const bool other = grid.options.erase("family") > 0 && spacing != "trailing";
    if (other) grid.options["variant"] = "dpm_solver";
  } else if (curve.empty() && !out.ends_above_zero && spacing != "linspace") {
    grid.name = spacing;
    grid.options.erase("spacing");
  }
  out.grid = std::move(grid);
  add_range(from, out, curve);
}

// zero or sigma_min, as the class's setting says.
bool ends_at_sigma_min(SchedulerSettings& from) {
  return from.word("final_sigmas_type", {"zero", "sigma_min"}) == "sigma_min";
}

void order_between(SchedulerSettings& from, const std::string& key, double low, double high) {
  const double order = from.number(key);
  if (order < low || order > high) from.refuse(key, fmt::format("there are orders {} to {}", low, high));
}

// Options of DPM-Solver's steps that change the last one alone.
void check_last_step(SchedulerSettings& from, const Made& out, bool stochastic) {
  if (!out.ends_above_zero) {
    (void)from.flag("euler_at_final");  // the jump to 0 is Euler's anyway
    return;
  }
  if (from.flag("euler_at_final")) from.refuse("euler_at_final", "with a last step that is no jump to 0");
  if (stochastic && from.flag("lower_order_final"))
    from.refuse("lower_order_final", "stochastic steps keep their order; give final_sigmas_type zero");
}

// DPMSolverMultistepScheduler and EDMDPMSolverMultistepScheduler.
void dpm_solver_steps(SchedulerSettings& from, Made& out) {
  order_between(from, "solver_order", 1, 3);
  const int order = static_cast<int>(from.number("solver_order"));
  const std::string& said = from.text("solver_type");
  const std::string type = said == "heun" ? "heun" : "midpoint";  // the class turns logrho, bh1 and bh2 into midpoint
  if (said != "heun" && said != "midpoint" && said != "logrho" && said != "bh1" && said != "bh2")
    from.refuse("solver_type", "there are midpoint and heun");
  std::string algorithm = from.text("algorithm_type");
  if (algorithm == "deis") algorithm = "dpmsolver++";  // so does the class
  const bool lower = from.flag("lower_order_final");
  if (algorithm == "dpmsolver++") {
    out.solver.name = order == 1 ? "ddim" : order == 2 ? "dpmpp_2m" : "dpmpp_3m";
    if (order > 1) out.solver.options = {{"lower_order_final", lower ? "true" : "false"}, {"solver_type", type}};
  } else if (algorithm == "dpmsolver") {
    if (!out.ends_above_zero) from.refuse("final_sigmas_type", "the class itself has no jump to 0 for dpmsolver");
    out.solver = {
        "dpm_multistep",
        {},
        {{"order", fmt::format("{}", order)}, {"lower_order_final", lower ? "true" : "false"}, {"solver_type", type}}};
  } else if (algorithm == "sde-dpmsolver++" && order > 1) {
    out.solver.name = order == 2 ? "dpmpp_2m_sde" : "dpmpp_3m_sde";
    if (order == 2) out.solver.options["solver_type"] = type;
    if (order == 3)
      out.notes.emplace_back(
          "solver_order 3 with sde-dpmsolver++ has a wrong sign there; it runs here with the published weight");
  } else {
    from.refuse("algorithm_type", "there are dpmsolver++, dpmsolver, and sde-dpmsolver++ of order 2 and 3");
  }
  check_last_step(from, out, algorithm == "sde-dpmsolver++");
}

void add_bounds(SchedulerSettings& from, Settings& fields) {
  const double ratio = from.has("dynamic_thresholding_ratio") ? from.number("dynamic_thresholding_ratio") : 0.995;
  const double most = from.has("sample_max_value") ? from.number("sample_max_value") : 1.0;
  const double range = from.has("clip_sample_range") ? from.number("clip_sample_range") : 1.0;
  const bool clip = from.flag("clip_sample");
  if (from.flag("thresholding")) {
    fields["threshold"] = fmt::format("{}:max={}", ratio, most);
  } else if (clip) {
    if (range != 1.0) from.refuse("clip_sample_range", "predictions are clipped to -1 ... 1");
    fields["clip"] = "true";
  }
}

using Reader = std::function<void(SchedulerSettings&, Made&)>;

// A class whose solver has no settings but its grid's.
Reader plain(const std::string& solver, Family family) {
  return [=](SchedulerSettings& from, Made& out) {
    out.solver = Spec::parse(solver);
    if (from.has("final_sigmas_type")) out.ends_above_zero = ends_at_sigma_min(from);
    add_levels(from, family, out);
  };
}

void ddim(SchedulerSettings& from, Made& out) {
  out.solver.name = "ddim";
  out.ends_above_zero = !from.flag("set_alpha_to_one");
  add_levels(from, Family::ddim, out);
  if (from.text("timestep_spacing") != "leading")
    out.notes.emplace_back(
        "each step ends where the next begins; diffusers' DDIM updates to other levels than it tells the network");
}

void ddpm(SchedulerSettings& from, Made& out) {
  out.solver = {"ddpm", {}, {{"variance", from.text("variance_type")}}};
  add_levels(from, Family::ddim, out);
}

void pndm(SchedulerSettings& from, Made& out) {
  out.solver.name = from.flag("skip_prk_steps") ? "plms" : "pndm";
  out.ends_above_zero = !from.flag("set_alpha_to_one");
  add_levels(from, Family::ddim, out);
  if (out.solver.name == "pndm")
    out.notes.emplace_back(
        "the Runge-Kutta steps have their middle at the mean of the noise levels, not of the timesteps");
}

void dpm_multistep(SchedulerSettings& from, Made& out) {
  out.ends_above_zero = ends_at_sigma_min(from);
  dpm_solver_steps(from, out);
  add_levels(from, Family::dpm_solver, out);
  keep_order_of_last_step(from, out, "solver_order");
}

void dpm_singlestep(SchedulerSettings& from, Made& out) {
  out.ends_above_zero = ends_at_sigma_min(from);
  order_between(from, "solver_order", 1, 3);
  const std::string& algorithm = from.word("algorithm_type", {"dpmsolver++", "dpmsolver"});
  out.solver.name = algorithm == "dpmsolver" ? "dpm_singlestep" : "dpmpp_singlestep";
  out.solver.options = {{"order", from.text("solver_order")},
                        {"solver_type", from.word("solver_type", {"midpoint", "heun"})}};
  (void)from.flag("lower_order_final");
  out.notes.push_back(
      fmt::format("a step is one interval of the grid with {} evaluations; diffusers spends an interval "
                  "on each evaluation",
                  from.text("solver_order")));
  add_levels(from, Family::dpm_solver, out);
}

void deis(SchedulerSettings& from, Made& out) {
  out.ends_above_zero = true;
  order_between(from, "solver_order", 1, 3);
  // The class turns the names of other methods into its own.
  (void)from.word("algorithm_type", {"deis", "dpmsolver", "dpmsolver++"});
  (void)from.word("solver_type", {"logrho", "midpoint", "heun", "bh1", "bh2"});
  out.solver = {
      "deis",
      {},
      {{"order", from.text("solver_order")}, {"lower_order_final", from.flag("lower_order_final") ? "true" : "false"}}};
  add_levels(from, Family::dpm_solver, out);
  keep_order_of_last_step(from, out, "solver_order");
}

void unipc(SchedulerSettings& from, Made& out) {
  out.ends_above_zero = ends_at_sigma_min(from);
  order_between(from, "solver_order", 1, 3);
  const std::string& type = from.text("solver_type");
  if (!from.flag("predict_x0")) from.refuse("predict_x0", "the denoised image is what is extrapolated");
  if (from.text("disable_corrector") != "[]") from.refuse("disable_corrector", "corrector=false is for all steps");
  if (!from.null("solver_p")) from.refuse("solver_p", "the predictor is UniPC's own");
  out.solver = {
      "unipc",
      {},
      {{"order", from.text("solver_order")}, {"lower_order_final", from.flag("lower_order_final") ? "true" : "false"}}};
  if (type == "bh1") out.solver.options["variant"] = "bh1";
  add_levels(from, Family::dpm_solver, out);
  keep_order_of_last_step(from, out, "solver_order");
}

void sa_solver(SchedulerSettings& from, Made& out) {
  out.ends_above_zero = true;
  if (!from.null("tau_func")) from.refuse("tau_func", "give the solver's tau, tau_start and tau_end");
  (void)from.word("algorithm_type", {"data_prediction"});
  (void)from.flag("lower_order_final");
  add_levels(from, Family::dpm_solver, out);
  // The class's own rule: noise at timesteps 200 to 800, which are flow times 0.2 to 0.8.
  const bool flow = out.betas.name.empty();
  const auto level = [&](double timestep) {
    return flow ? flow_sigma(timestep / from.number("num_train_timesteps"))
                : make_noise_schedule(out.betas).sigma(timestep);
  };
  out.solver = {"sa_solver",
                {},
                {{"predictor", from.text("predictor_order")},
                 {"corrector", from.text("corrector_order")},
                 {"simple_order_2", "true"},
                 {"tau_start", fmt::format("{:.9g}", level(800.0) * (1.0 + 1e-8))},
                 {"tau_end", fmt::format("{:.9g}", level(200.0) * (1.0 - 1e-8))}}};
  out.notes.emplace_back("a step's noise is decided by the level where it ends; diffusers decides it where it begins");
}

void consistency(SchedulerSettings& from, Made& out) {
  out.betas = betas(from);
  out.grid = {"lcm", {}, {}};
  put_unless(out.grid, "original", from.number("original_inference_steps"), 50);
  (void)from.text("timestep_spacing"), (void)from.text("steps_offset"), (void)from.flag("set_alpha_to_one");
  const double scaling = from.number("timestep_scaling");
  if (from.name() == "TCDScheduler") {
    out.solver.name = "tcd";
    return;
  }
  out.solver = {"lcm", {}, {{"boundary", "true"}}};
  put_unless(out.solver, "scaling", scaling, 10.0);
}

void flow_euler(SchedulerSettings& from, Made& out) {
  out.solver.name = from.flag("stochastic_sampling") ? "lcm" : "euler";
  if (!curve_of(from).empty())
    throw UsageError(
        fmt::format("{}: levels on a curve of flow times have no counterpart "
                    "here; give `schedule` as it should be",
                    from.where()));
  out.grid = {"flow", {}, {}};
  out.init_scale = "flow";
  put_unless(out.grid, "timesteps", from.number("num_train_timesteps"), 1000);
  if (from.flag("use_dynamic_shifting")) {
    const std::string mu = from.take_other("mu"), length = from.take_other("seq_len");
    if (!mu.empty()) out.grid.options["mu"] = mu;
    if (!length.empty()) out.grid.options["seq_len"] = length;
    if (mu.empty() && length.empty()) {
      out.grid.options["image"] = "true";
      out.notes.emplace_back(
          "use_dynamic_shifting: the shift is that of the model's own size, in patches of 2 by 2; \"seq_len\" or "
          "\"mu\" in the file say another");
    }
    if (mu.empty()) {
      put_unless(out.grid, "base_shift", from.number("base_shift"), 0.5);
      put_unless(out.grid, "max_shift", from.number("max_shift"), 1.15);
      put_unless(out.grid, "base_seq_len", from.number("base_image_seq_len"), 256);
      put_unless(out.grid, "max_seq_len", from.number("max_image_seq_len"), 4096);
    }
    if (from.word("time_shift_type", {"exponential", "linear"}) == "linear") out.grid.options["time_shift"] = "linear";
    (void)from.text("shift");
  } else {
    put_unless(out.grid, "shift", from.number("shift"), 1.0);
    for (const char* key : {"base_shift", "max_shift", "base_image_seq_len", "max_image_seq_len", "time_shift_type"})
      (void)from.text(key);
  }
  if (!from.null("shift_terminal")) out.grid.options["shift_terminal"] = from.text("shift_terminal");
  if (from.take_other("_pipeline").starts_with("Flux")) out.grid.options["even"] = "true";
}

void edm(SchedulerSettings& from, Made& out) {
  if (from.name() == "EDMEulerScheduler")
    out.solver.name = "euler";
  else
    dpm_solver_steps(from, out);
  const bool above = ends_at_sigma_min(from);
  out.grid.name = from.word("sigma_schedule", {"karras", "exponential"});
  if (above)
    from.refuse("final_sigmas_type", "the class makes its last level twice; give one step less and `final` sigma_min");
  if (out.grid.name == "karras") put_unless(out.grid, "rho", from.number("rho"), 7.0);
  out.sigma_min = from.text("sigma_min");
  out.sigma_max = from.text("sigma_max");
  (void)from.text("sigma_data"), (void)from.text("num_train_timesteps"), (void)from.text("rho");
}

const std::map<std::string, Reader>& readers() {
  static const std::map<std::string, Reader> table = {
      {"DDIMScheduler", ddim},
      {"DDIMParallelScheduler", ddim},
      {"DDPMScheduler", ddpm},
      {"DDPMParallelScheduler", ddpm},
      {"DEISMultistepScheduler", deis},
      {"DPMSolverMultistepScheduler", dpm_multistep},
      {"DPMSolverSDEScheduler", plain("dpmpp_sde", Family::euler)},
      {"DPMSolverSinglestepScheduler", dpm_singlestep},
      {"EDMDPMSolverMultistepScheduler", edm},
      {"EDMEulerScheduler", edm},
      {"EulerAncestralDiscreteScheduler", plain("euler_ancestral", Family::euler)},
      {"EulerDiscreteScheduler", plain("euler", Family::euler)},
      {"FlowMatchEulerDiscreteScheduler", flow_euler},
      {"HeunDiscreteScheduler", plain("heun", Family::euler)},
      {"KDPM2AncestralDiscreteScheduler", plain("dpm2_ancestral", Family::euler)},
      {"KDPM2DiscreteScheduler", plain("dpm2", Family::euler)},
      {"LCMScheduler", consistency},
      {"LMSDiscreteScheduler", plain("lms", Family::euler)},
      {"PNDMScheduler", pndm},
      {"SASolverScheduler", sa_solver},
      {"TCDScheduler", consistency},
      {"UniPCMultistepScheduler", unipc},
  };
  return table;
}

// As it is written, else folded; nullptr: none.
const DiffusersClass* find_class(const std::string& name) {
  for (const bool folded : {false, true})
    for (const DiffusersClass& each : diffusers_classes())
      if (folded ? folded_name(each.name) == folded_name(name) : each.name == name) return &each;
  return nullptr;
}

const DiffusersClass& class_named(const std::string& name, const std::string& where) {
  if (const DiffusersClass* found = find_class(name)) return *found;
  std::vector<std::string> known;
  for (const DiffusersClass& each : diffusers_classes()) known.push_back(each.name);
  const std::string near = nearest(name, known);
  throw UsageError(fmt::format(
      "{}: the scheduler class '{}' has no counterpart here; {}", where, name,
      near.empty() ? fmt::format("there are {}", fmt::join(known, ", ")) : fmt::format("did you mean '{}'?", near)));
}

// Settings that are about the network, or about nothing that is in a result.
void add_network_note(SchedulerSettings& from, Made& out) {
  std::vector<std::string> keys;
  for (const char* key : {"prediction_type", "timestep_type", "variance_type", "noise_sampler_seed"}) {
    if (from.name().starts_with("DDPM") && std::string(key) == "variance_type") continue;
    if (from.gives(key)) keys.emplace_back(key);
    (void)from.text(key);
  }
  if (!keys.empty())
    out.notes.push_back(
        fmt::format("{}: the model's card and the seeds say this, not the sampler", fmt::join(keys, ", ")));
}

// Options of the solver are taken; what nobody knows is read over in a published file, as diffusers does.
void add_others(const SchedulerSettings& from, Made& out, bool published) {
  const std::vector<OptionInfo> known = solver_traits(out.solver.name).options;
  std::vector<std::string> over;
  for (const auto& other : from.others()) {
    const auto& [key, value] = other;
    const bool option =
        std::any_of(known.begin(), known.end(), [&](const OptionInfo& info) { return info.name == other.first; });
    if (option || !published)
      out.solver.options[key] = value;
    else
      over.push_back(key);
  }
  if (!over.empty())
    out.notes.push_back(
        fmt::format("{}: no settings of {}, read over as in diffusers", fmt::join(over, ", "), from.name()));
}

}  // namespace

const std::vector<DiffusersClass>& diffusers_classes() {
  static const std::vector<DiffusersClass> table = {
#include "pipeline/familiar/diffusers_defaults.def"
  };
  return table;
}

bool is_diffusers_class(const std::string& name) { return find_class(name) != nullptr; }

FamiliarSettings diffusers_settings(const std::string& name, Settings given, const std::string& where, bool published) {
  SchedulerSettings from(class_named(name, where), std::move(given), where);
  Made made;
  FamiliarSettings out;
  readers().at(from.name())(from, made);
  add_bounds(from, out.fields);
  add_network_note(from, made);
  add_others(from, made, published);
  from.require_all_read();
  out.fields["solver"] = made.solver.text();
  out.fields["schedule"] = made.grid.text();
  if (made.init_scale != "sigma") out.fields["init_scale"] = made.init_scale;
  if (!made.betas.name.empty()) out.fields["noise_schedule"] = made.betas.text();
  if (made.ends_above_zero) out.fields["final"] = "sigma_min";
  if (!made.sigma_min.empty()) out.fields["sigma_min"] = made.sigma_min;
  if (!made.sigma_max.empty()) out.fields["sigma_max"] = made.sigma_max;
  for (std::string& note : made.notes) out.notes.push_back(where + ": " + std::move(note));
  return out;
}

}  // namespace stride
