// After ComfyUI's comfy/samplers.py (KSampler.set_steps and .sample, the SCHEDULER_HANDLERS) and
// comfy_extras/nodes_custom_sampler.py, nodes_align_your_steps.py: what each does to its levels.
#include "pipeline/familiar/comfy_sigmas.h"

#include "framework/error.h"
#include "framework/text_list.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

namespace stride {
namespace {

constexpr int64_t kMostSteps = 10'000;
// The largest level of Stable Diffusion's networks, less the 1e-5 of itself that ComfyUI allows (max_denoise).
constexpr double kTop = 14.6146412 * (1.0 - 1e-5);

const std::map<std::string, std::string>& schedulers() {
  static const std::map<std::string, std::string> table = {{"normal", "linspace"},
                                                           {"karras", "karras"},
                                                           {"exponential", "exponential"},
                                                           {"sgm_uniform", "sgm_uniform"},
                                                           {"simple", "simple"},
                                                           {"ddim_uniform", "ddim_uniform:variant=comfyui"},
                                                           {"beta", "beta:variant=comfyui"},
                                                           {"linear_quadratic", "linear_quadratic"},
                                                           {"kl_optimal", "kl_optimal"}};
  return table;
}

std::string number_text(double value) { return fmt::format("{}", value); }

// Flow times evenly spaced: the end of the spacing is a shifted time already, and is shifted again (ModelSamplingSD3
// and ModelSamplingFlux give the level back as the time).
Spec flow_times(const ComfyModel& model, bool drops_last) {
  Spec out{"flow", {}, {{"shift", fmt::format("{:.17g}", *model.shift)}}};
  if (model.timesteps != 1000) out.options["timesteps"] = fmt::format("{}", model.timesteps);
  if (drops_last) out.options["drop_next_to_last"] = "true";
  return out;
}

// int() of Python, towards 0, and its round(), to even.
int64_t python_round(double value) { return static_cast<int64_t>(std::nearbyint(value)); }

using Maker = std::function<ComfySigmas(const ComfyGraph&, const ComfyNode&, const ComfyModel&)>;

int64_t steps_of(const ComfyGraph& graph, const ComfyNode& node, int64_t otherwise = 20, int64_t most = kMostSteps) {
  return graph.integer(node, "steps", otherwise, 1, most);
}

// A curve between two levels that the node names.
Maker curve(const std::string& grid, const std::string& power, double power_default) {
  return [=](const ComfyGraph& graph, const ComfyNode& node, const ComfyModel&) {
    ComfySigmas out{{grid, {}, {}}, steps_of(graph, node)};
    if (!power.empty())
      if (const double rho = graph.number(node, power, power_default, 0.0, 100.0); rho != power_default)
        out.grid.options["rho"] = number_text(rho);
    const double high = graph.number(node, "sigma_max", 14.614642, 0.0, 5000.0);
    out.from_the_top = high >= kTop;
    out.sigma_max = number_text(high);
    out.sigma_min = number_text(graph.number(node, "sigma_min", 0.0291675, 0.0, 5000.0));
    return out;
  };
}

double denoise_of(const ComfyGraph& graph, const ComfyNode& node) {
  const double denoise = graph.number(node, "denoise", 1.0, 0.0, 1.0);
  if (denoise == 0.0) graph.refuse(node, "denoise", "0 leaves nothing to do");
  return denoise;
}

ComfySigmas basic(const ComfyGraph& graph, const ComfyNode& node, const ComfyModel& model) {
  const double denoise = denoise_of(graph, node);
  ComfySigmas out = comfy_scheduler(graph, node, graph.text(node, "scheduler", "normal"), steps_of(graph, node), model);
  if (denoise < 1.0) {
    const int64_t total = static_cast<int64_t>(static_cast<double>(out.steps) / denoise);
    out.part.last = out.steps;
    out.steps = total;
  }
  return out;
}

// Timesteps 999, 899, … 99 of 1000, `steps` of them, and 0.
ComfySigmas turbo(const ComfyGraph& graph, const ComfyNode& node, const ComfyModel&) {
  const double denoise = denoise_of(graph, node);
  const int64_t steps = steps_of(graph, node, 1, 10);
  const int64_t start = 10 - static_cast<int64_t>(10.0 * denoise);
  if (start >= 10) graph.refuse(node, "denoise", "leaves no step of the ten");
  ComfySigmas out{{"trailing", {}, {}}, 10};
  out.slice(start, start + steps);
  out.part.jump = true;
  return out;
}

ComfySigmas align_your_steps(const ComfyGraph& graph, const ComfyNode& node, const ComfyModel&) {
  const std::map<std::string, std::string> models = {{"SD1", "sd15"}, {"SDXL", "sdxl"}, {"SVD", "svd"}};
  const std::string type = graph.text(node, "model_type", "SD1");
  if (!models.contains(type)) graph.refuse(node, "model_type", "there are SD1, SDXL and SVD");
  ComfySigmas out{{"ays", {}, {{"variant", "comfyui"}}}, steps_of(graph, node, 10)};
  if (type != "SD1") out.grid.options["model"] = models.at(type);
  const double denoise = denoise_of(graph, node);
  if (denoise < 1.0) {  // here the grid stays, and fewer of its steps are run
    const int64_t total = python_round(static_cast<double>(out.steps) * denoise);
    if (total < 1) graph.refuse(node, "denoise", fmt::format("leaves none of {} steps", out.steps));
    out.part.last = total;
  }
  return out;
}

ComfySigmas beta(const ComfyGraph& graph, const ComfyNode& node, const ComfyModel& model) {
  ComfySigmas out = comfy_scheduler(graph, node, "beta", steps_of(graph, node), model);
  for (const char* key : {"alpha", "beta"})
    if (const double value = graph.number(node, key, 0.6, 0.0, 50.0); value != 0.6)
      out.grid.options[key] = number_text(value);
  return out;
}

ComfySigmas vp(const ComfyGraph& graph, const ComfyNode& node, const ComfyModel&) {
  ComfySigmas out{{"vp", {}, {}}, steps_of(graph, node)};
  for (const auto& [key, usual, high] :
       {std::tuple{"beta_d", 19.9, 5000.0}, std::tuple{"beta_min", 0.1, 5000.0}, std::tuple{"eps_s", 0.001, 1.0}})
    if (const double value = graph.number(node, key, usual, 0.0, high); value != usual)
      out.grid.options[key] = number_text(value);
  return out;
}

ComfySigmas by_hand(const ComfyGraph& graph, const ComfyNode& node, const ComfyModel&) {
  ComfySigmas out;
  out.levels = graph.text(node, "sigmas", "1, 0.5");
  try {
    const std::vector<double> levels = parse_numbers(out.levels, "sigmas");
    out.steps = static_cast<int64_t>(levels.size()) - 1;
    out.from_the_top = levels.front() >= kTop;
  } catch (const UsageError& error) {
    graph.refuse(node, "sigmas", error.what());
  }
  return out;
}

const std::map<std::string, Maker>& makers() {
  static const std::map<std::string, Maker> table = {
      {"BasicScheduler", basic},
      {"KarrasScheduler", curve("karras", "rho", 7.0)},
      {"ExponentialScheduler", curve("exponential", "", 0.0)},
      {"PolyexponentialScheduler", curve("polyexponential", "rho", 1.0)},
      {"SDTurboScheduler", turbo},
      {"AlignYourStepsScheduler", align_your_steps},
      {"BetaSamplingScheduler", beta},
      {"VPScheduler", vp},
      {"ManualSigmas", by_hand},
  };
  return table;
}

// One cut, in the order in which the levels flow.
void split(const ComfyGraph& graph, const ComfyNode& node, int64_t output, ComfySigmas& sigmas) {
  if (!sigmas.levels.empty()) graph.refuse(node, "sigmas", "levels that are written out: write those of the part");
  if (node.type == "SplitSigmas") {
    const int64_t step = graph.integer(node, "step", 0, 0, kMostSteps);
    if (output == 0)
      sigmas.slice(0, step);
    else
      sigmas.slice(step, std::nullopt);
    return;
  }
  // SplitSigmasDenoise counts from the end of the levels that there are.
  const int64_t there = std::min(sigmas.part.to.value_or(sigmas.part.last.value_or(sigmas.steps)),
                                 sigmas.part.last.value_or(sigmas.steps)) -
                        sigmas.part.from;
  const int64_t low = python_round(static_cast<double>(there) * graph.number(node, "denoise", 1.0, 0.0, 1.0));
  if (low < 1) graph.refuse(node, "denoise", "leaves none of the steps");
  if (output == 0)
    sigmas.slice(0, there - low);
  else
    sigmas.slice(there - low, std::nullopt);
}

}  // namespace

std::string ComfySigmas::schedule() const {
  Spec out = grid;
  if (part.last) out.options["last"] = fmt::format("{}", *part.last);
  if (part.from > 0 || part.to)
    out.options["part"] = fmt::format("{}-{}", part.from, part.to ? fmt::format("{}", *part.to) : "");
  if (part.jump) out.options["jump"] = "true";
  return out.text();
}

void ComfySigmas::slice(int64_t from, std::optional<int64_t> to) {
  if (to) {
    const int64_t end = part.from + *to;
    // A last level that was put to 0 stays with the levels that are cut away.
    if (part.to && end < *part.to) part.jump = false;
    part.to = part.to ? std::min(*part.to, end) : end;
  }
  part.from += from;
}

void apply_denoise(ComfySigmas& sigmas, double denoise) {
  if (denoise > 0.9999) return;
  sigmas.part.last = sigmas.steps;
  sigmas.steps = static_cast<int64_t>(static_cast<double>(sigmas.steps) / denoise);
}

ComfySigmas comfy_scheduler(const ComfyGraph& graph, const ComfyNode& node, const std::string& scheduler, int64_t steps,
                            const ComfyModel& model) {
  const auto found = schedulers().find(scheduler);
  if (found == schedulers().end()) {
    std::vector<std::string> known;
    for (const auto& [name, grid] : schedulers()) known.push_back(name);
    graph.refuse(node, "scheduler", fmt::format("'{}' is none of {}", scheduler, fmt::join(known, ", ")));
  }
  ComfySigmas out{Spec::parse(found->second), steps};
  // The table of 1 + k·c begins at the last timestep only where c divides the rest.
  out.from_the_top = scheduler != "ddim_uniform";
  if (!model.shift) return out;
  if (scheduler == "normal" || scheduler == "sgm_uniform")
    out.grid = flow_times(model, scheduler == "sgm_uniform");
  else if (scheduler == "karras" || scheduler == "exponential" || scheduler == "kl_optimal" ||
           scheduler == "linear_quadratic")
    graph.refuse(node, "scheduler",
                 fmt::format("'{}' is a curve over flow times there, and over their noise levels here; print the "
                             "levels that ComfyUI makes and give them as `schedule` custom:FILE",
                             scheduler));
  return out;
}

ComfySigmas comfy_sigmas(const ComfyGraph& graph, const ComfyNode& sampler,
                         ComfyModel (*model_of)(const ComfyGraph&, const ComfyNode&)) {
  // From the sampler back to the node that makes levels; then forward through the cuts.
  std::vector<std::pair<const ComfyNode*, int64_t>> cuts;
  const ComfyNode* node = &graph.need(sampler, "sigmas");
  int64_t output = sampler.inputs.at("sigmas").link->output;
  while (node->type == "SplitSigmas" || node->type == "SplitSigmasDenoise") {
    if (cuts.size() > 100) graph.refuse(*node, "sigmas", "the links run in a circle");
    cuts.emplace_back(node, output);
    output =
        node->inputs.contains("sigmas") && node->inputs.at("sigmas").link ? node->inputs.at("sigmas").link->output : 0;
    node = &graph.need(*node, "sigmas");
  }
  const auto found = makers().find(node->type);
  if (found == makers().end()) {
    std::vector<std::string> known{"SplitSigmas", "SplitSigmasDenoise"};
    for (const auto& [name, maker] : makers()) known.push_back(name);
    graph.refuse(*node, "",
                 fmt::format("levels are read from {}; write those that this node makes to a file, for `schedule` "
                             "custom:FILE",
                             fmt::join(known, ", ")));
  }
  const ComfyNode* model = graph.from(*node, "model");
  ComfySigmas out = found->second(graph, *node, model == nullptr ? ComfyModel{} : model_of(graph, *model));
  for (auto cut = cuts.rbegin(); cut != cuts.rend(); ++cut) split(graph, *cut->first, cut->second, out);
  return out;
}

}  // namespace stride
