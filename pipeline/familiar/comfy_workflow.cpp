// After ComfyUI's nodes.py (common_ksampler, KSamplerAdvanced), comfy/samplers.py (KSampler, KSAMPLER.sample),
// comfy/model_sampling.py and comfy_extras/nodes_custom_sampler.py, nodes_model_advanced.py.
#include "pipeline/familiar/comfy_workflow.h"

#include "framework/error.h"
#include "pipeline/familiar/comfy_sigmas.h"
#include "pipeline/familiar/foreign_seed.h"
#include "solvers/names.h"
#include "solvers/registry.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

namespace stride {
namespace {

using nlohmann::json;

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

const json& nodes_of(const json& document) {
  return document.contains("prompt") && document["prompt"].is_object() ? document["prompt"] : document;
}

// Samplers

// A name of ComfyUI's as a solver. KSampler leaves a level out for some names; the custom samplers take their levels as
// they come.
std::string solver_of(const ComfyGraph& graph, const ComfyNode& node, const std::string& name, bool makes_levels) {
  if (name == "dpm_fast" || name == "dpm_adaptive")
    graph.refuse(node, "sampler_name",
                 fmt::format("{} takes the ends of the levels alone and makes its own; give `solver` {}", name,
                             name == "dpm_fast" ? "dpm_fast with `schedule` exponential, `final` sigma_min and `nfe`"
                                                : "dpm_adaptive with `final` sigma_min"));
  if (name == "deis")
    graph.refuse(node, "sampler_name",
                 "ComfyUI's deis works in the time of a VP fitted to the levels; give `solver` deis, which works in "
                 "ln sigma, or deis:type=tab, on the continuous VP");
  const SamplerName found = resolve_sampler_name(name);
  Spec solver = Spec::parse(found.solver);
  if (find_solver(solver.name) == nullptr || !found.schedule.empty())
    graph.refuse(
        node, "sampler_name",
        fmt::format("'{}' has no counterpart here; `solver` names one of those that `stride list solvers` shows",
                    name));
  if (makes_levels && found.drops_next_to_last) solver.name = found.variant;
  return solver.text();
}

struct SamplerNode {
  const char* type;
  const char* solver;
  std::vector<std::pair<const char*, double>> options;  // numbers with the node's defaults
};

// The node behind SamplerCustom's input `sampler`.
std::string custom_solver(const ComfyGraph& graph, const ComfyNode& node) {
  if (node.type == "KSamplerSelect") return solver_of(graph, node, graph.text(node, "sampler_name", "euler"), false);
  static const std::vector<SamplerNode> table = {
      {"SamplerEulerAncestral", "euler_ancestral", {{"eta", 1.0}, {"s_noise", 1.0}}},
      {"SamplerLMS", "lms", {{"order", 4.0}}},
      {"SamplerDPMPP_3M_SDE", "dpmpp_3m_sde", {{"eta", 1.0}, {"s_noise", 1.0}}},
      {"SamplerDPMPP_2M_SDE", "dpmpp_2m_sde", {{"eta", 1.0}, {"s_noise", 1.0}}},
      {"SamplerDPMPP_SDE", "dpmpp_sde", {{"eta", 1.0}, {"s_noise", 1.0}, {"r", 0.5}}},
      {"SamplerDPMPP_2S_Ancestral", "dpmpp_2s_ancestral", {{"eta", 1.0}, {"s_noise", 1.0}}},
  };
  for (const SamplerNode& row : table) {
    if (node.type != row.type) continue;
    Spec out{row.solver, {}, {}};
    for (const auto& [key, usual] : row.options)
      if (const double value = graph.number(node, key, usual, 0.0, 100.0); value != usual)
        out.options[key] = fmt::format("{}", value);
    if (node.type == "SamplerDPMPP_2M_SDE")
      if (const std::string type = graph.text(node, "solver_type", "midpoint"); type != "midpoint")
        out.options["solver_type"] = type;
    return out.text();
  }
  graph.refuse(node, "", "samplers are read from KSamplerSelect and the plain Sampler... nodes; give `solver` by name");
}

// The network

// The shift of ModelSamplingFlux: its logarithm is linear in the number of patches of 2 × 2 latent pixels.
double flux_shift(const ComfyGraph& graph, const ComfyNode& node) {
  const double most = graph.number(node, "max_shift", 1.15, 0.0, 100.0);
  const double least = graph.number(node, "base_shift", 0.5, 0.0, 100.0);
  const double width = graph.number(node, "width", 1024.0, 1.0, 1e5);
  const double height = graph.number(node, "height", 1024.0, 1.0, 1e5);
  const double slope = (most - least) / (4096.0 - 256.0);
  return std::exp(width * height / 256.0 * slope + least - slope * 256.0);
}

void flow(ComfyModel& out, double shift, int64_t timesteps) {
  out.shift = shift;
  out.timesteps = timesteps;
  out.noise_schedule = fmt::format("flow:shift={:.17g}", shift);
  if (timesteps != 1000) out.noise_schedule += fmt::format(",steps={}", timesteps);
}

// One node between loader and sampler. Returns false where it changes the network in a way that is not known here.
bool read_model_node(const ComfyGraph& graph, const ComfyNode& node, ComfyModel& out, std::string& rescale) {
  if (node.type == "ModelSamplingSD3" || node.type == "ModelSamplingAuraFlow") {
    flow(out, graph.number(node, "shift", node.type == "ModelSamplingSD3" ? 3.0 : 1.73, 0.0, 100.0), 1000);
  } else if (node.type == "ModelSamplingFlux") {
    flow(out, flux_shift(graph, node), 10'000);
  } else if (node.type == "ModelSamplingDiscrete") {
    if (graph.text(node, "sampling", "eps") == "lcm")
      graph.refuse(node, "sampling", "lcm keeps 50 timesteps of the table; give `schedule` lcm, and take the node out");
    if (graph.flag(node, "zsnr", false)) out.noise_schedule = "scaled_linear:rescale_zero_snr=true";
  } else if (node.type == "RescaleCFG") {
    rescale = fmt::format("rescale={},rescale_of=v_prediction", graph.number(node, "multiplier", 0.7, 0.0, 1.0));
  } else {
    return has(node.type, "Loader") || has(node.type, "Lora") || has(node.type, "LoRA");
  }
  return true;
}

struct Network {
  ComfyModel model = {};
  std::string rescale = {};
};

Network network_of(const ComfyGraph& graph, const ComfyNode& first) {
  Network out;
  std::set<const ComfyNode*> seen;
  for (const ComfyNode* node = &first; node != nullptr && seen.insert(node).second; node = graph.from(*node, "model")) {
    Network one;
    if (!read_model_node(graph, *node, one.model, one.rescale))
      graph.refuse(*node, "",
                   "changes the network on its way to the sampler; export the changed network, and take the "
                   "node out");
    // The node nearest to the sampler wins, as there.
    if (out.model.noise_schedule.empty()) out.model = one.model;
    if (out.rescale.empty()) out.rescale = one.rescale;
  }
  return out;
}

ComfyModel model_of(const ComfyGraph& graph, const ComfyNode& first) { return network_of(graph, first).model; }

// Guidance

void add_guidance(const ComfyGraph& graph, const ComfyNode& node, const std::string& input, double cfg,
                  const std::string& rescale, FamiliarSettings& out) {
  std::optional<double> embedded;
  for (const std::string& key : {input, std::string("negative")}) {
    const ComfyNode* condition = graph.from(node, key);
    if (condition == nullptr) continue;
    for (const ComfyNode* one : graph.upstream(*condition)) {
      if (has(one->type, "ControlNet") || has(one->type, "GLIGEN") || has(one->type, "SetArea") ||
          has(one->type, "SetMask") || has(one->type, "SetTimestepRange"))
        graph.refuse(*one, "", "steers the sampling in a way that has no counterpart here; take the node out");
      if (one->type == "FluxGuidance" && key == input) embedded = graph.number(*one, "guidance", 3.5, 0.0, 100.0);
    }
  }
  if (embedded && cfg != 1.0)
    graph.refuse(node, "cfg", "a scale that the network is told and guidance by two passes at once; keep one");
  if (embedded) {
    out.fields["guidance"] = fmt::format("{}", *embedded);
    return;
  }
  if (cfg != 1.0) out.fields["guidance"] = fmt::format("{}{}{}", cfg, rescale.empty() ? "" : ":", rescale);
}

// Seeds and the image that is begun from. A batch is one seed there, and as many samples; here each has its own.
void add_start(const ComfyGraph& graph, const ComfyNode& node, const std::string& seed, FamiliarSettings& out) {
  int64_t count = 1;
  if (const ComfyNode* latent = graph.from(node, "latent_image"); latent != nullptr) {
    if (latent->type.starts_with("Empty")) {
      count = graph.integer(*latent, "batch_size", 1, 1, 4096);
    } else {
      if (latent->type == "SetLatentNoiseMask" || latent->type == "VAEEncodeForInpaint")
        graph.refuse(*latent, "", "put an EmptyLatentImage in its place, and give `start` and `mask`");
      out.fields["strength"] = "1";  // which asks for an image
      out.notes.push_back(fmt::format("{}: the image to begin from is `start`", latent->name()));
    }
  }
  add_foreign_seeds(seed, count, graph.where(), out);
}

void finish(const ComfyGraph& graph, const ComfyNode& node, const ComfySigmas& sigmas, const ComfyModel& model,
            FamiliarSettings& out) {
  if (model.shift && has(out.fields.at("solver"), "ancestral"))
    graph.refuse(node, "sampler_name",
                 "on flow times ComfyUI's ancestral steps are others, without a counterpart here");
  // At the model's largest level the noise is multiplied by sqrt(1 + σ²) (max_denoise), but for flow times.
  if (sigmas.from_the_top && !sigmas.part.last && sigmas.part.from == 0 && !model.shift)
    out.fields["init_scale"] = "vp";
  if (!sigmas.levels.empty()) {
    out.fields["sigmas"] = sigmas.levels;
    return;
  }
  out.fields["schedule"] = sigmas.schedule();
  out.fields["steps"] = fmt::format("{}", sigmas.steps);
  if (!sigmas.sigma_min.empty()) out.fields["sigma_min"] = sigmas.sigma_min;
  if (!sigmas.sigma_max.empty()) out.fields["sigma_max"] = sigmas.sigma_max;
  if (!model.noise_schedule.empty() && sigmas.grid.name != "flow") out.fields["noise_schedule"] = model.noise_schedule;
}

// The four samplers

void ksampler(const ComfyGraph& graph, const ComfyNode& node, FamiliarSettings& out) {
  const bool advanced = node.type == "KSamplerAdvanced";
  const Network network = network_of(graph, graph.need(node, "model"));
  out.fields["solver"] = solver_of(graph, node, graph.text(node, "sampler_name", "euler"), true);
  ComfySigmas sigmas = comfy_scheduler(graph, node, graph.text(node, "scheduler", "normal"),
                                       graph.integer(node, "steps", 20, 1, 10'000), network.model);
  if (advanced) {
    if (!graph.flag(node, "add_noise", true))
      graph.refuse(node, "add_noise",
                   "a run from a state that holds its noise already has no counterpart here; run the "
                   "whole workflow as one sampler");
    const int64_t start = graph.integer(node, "start_at_step", 0, 0, 10'000);
    const int64_t end = graph.integer(node, "end_at_step", 10'000, 0, 10'000);
    // return_with_leftover_noise off: the last level of a part is made 0.
    const bool leaves_noise = graph.flag(node, "return_with_leftover_noise", false);
    if (end < sigmas.steps) {
      sigmas.slice(0, end);
      sigmas.part.jump = !leaves_noise;
    }
    if (start >= std::min(end, sigmas.steps)) graph.refuse(node, "start_at_step", "leaves no step to run");
    if (start > 0) sigmas.slice(start, std::nullopt);
  } else {
    const double denoise = graph.number(node, "denoise", 1.0, 0.0, 1.0);
    if (denoise == 0.0) graph.refuse(node, "denoise", "0 leaves nothing to do");
    apply_denoise(sigmas, denoise);
  }
  finish(graph, node, sigmas, network.model, out);
  add_guidance(graph, node, "positive", graph.number(node, "cfg", 8.0, 0.0, 1000.0), network.rescale, out);
  add_start(graph, node, graph.text(node, advanced ? "noise_seed" : "seed", "0"), out);
}

void custom(const ComfyGraph& graph, const ComfyNode& node, FamiliarSettings& out) {
  const bool advanced = node.type == "SamplerCustomAdvanced";
  const ComfyNode& guider = advanced ? graph.need(node, "guider") : node;
  const Network network = network_of(graph, graph.need(guider, "model"));
  out.fields["solver"] = custom_solver(graph, graph.need(node, "sampler"));
  finish(graph, node, comfy_sigmas(graph, node, model_of), network.model, out);
  if (!advanced) {
    if (!graph.flag(node, "add_noise", true))
      graph.refuse(node, "add_noise", "a run from a state that holds its noise already has no counterpart here");
    add_guidance(graph, node, "positive", graph.number(node, "cfg", 8.0, 0.0, 1000.0), network.rescale, out);
    add_start(graph, node, graph.text(node, "noise_seed", "0"), out);
    return;
  }
  if (guider.type == "CFGGuider")
    add_guidance(graph, guider, "positive", graph.number(guider, "cfg", 8.0, 0.0, 1000.0), network.rescale, out);
  else if (guider.type == "BasicGuider")
    add_guidance(graph, guider, "conditioning", 1.0, "", out);
  else
    graph.refuse(guider, "", "guiders are CFGGuider and BasicGuider here");
  const ComfyNode& noise = graph.need(node, "noise");
  if (noise.type != "RandomNoise") graph.refuse(noise, "", "noise is RandomNoise here: a run begins from seeds");
  add_start(graph, node, graph.text(noise, "noise_seed", "0"), out);
}

const ComfyNode& sampler_of(const ComfyGraph& graph) {
  static const std::set<std::string> known = {"KSampler", "KSamplerAdvanced", "SamplerCustom", "SamplerCustomAdvanced"};
  std::vector<const ComfyNode*> found;
  std::vector<std::string> others;
  for (const auto& [id, node] : graph.nodes()) {
    if (known.contains(node.type))
      found.push_back(&node);
    else if (has(node.type, "Sampler") && !has(node.type, "ModelSampling"))
      others.push_back(node.name());
  }
  if (found.empty())
    throw UsageError(fmt::format("{}: there is no {} in it{}", graph.where(), fmt::join(known, ", "),
                                 others.empty() ? "" : fmt::format("; {} is not read", fmt::join(others, ", "))));
  if (found.size() > 1)
    throw UsageError(fmt::format("{}: {} and {} are both samplers; a file is one run: keep one in it", graph.where(),
                                 found[0]->name(), found[1]->name()));
  return *found[0];
}

}  // namespace

bool is_comfy_workflow(const json& document) {
  if (!document.is_object() || document.empty()) return false;
  if (document.contains("nodes") && document["nodes"].is_array() && document.contains("links")) return true;
  const json& nodes = nodes_of(document);
  return !nodes.empty() && std::any_of(nodes.begin(), nodes.end(), [](const json& node) {
    return node.is_object() && node.contains("class_type") && node["class_type"].is_string();
  });
}

FamiliarSettings comfy_settings(const json& document, const std::string& where) {
  if (document.contains("nodes") && document["nodes"].is_array())
    throw UsageError(fmt::format(
        "{}: this is a workflow as ComfyUI's editor saves it; export it for the API (Workflow > Export (API))", where));
  const ComfyGraph graph(nodes_of(document), where);
  const ComfyNode& node = sampler_of(graph);
  FamiliarSettings out;
  if (node.type.starts_with("K"))
    ksampler(graph, node, out);
  else
    custom(graph, node, out);
  out.notes.push_back(
      fmt::format("{}: {} is read; networks, prompts and decoding are the model's card, `cond` and `decoder` here",
                  where, node.name()));
  return out;
}

}  // namespace stride
