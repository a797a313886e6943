#include "evaluation/inspect.h"

#include "datasets/files/samples_file.h"
#include "datasets/images/image_source.h"
#include "datasets/store/store_index.h"
#include "datasets/store/trajectory_store.h"
#include "framework/dtype_name.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "framework/files/json_text.h"
#include "framework/files/safetensors.h"
#include "framework/run_state.h"
#include "pipeline/card_check.h"
#include "pipeline/decoding/stage_card.h"
#include "pipeline/feature_card.h"
#include "pipeline/model_card.h"
#include "pipeline/seeds.h"
#include "pipeline/store_path.h"
#include "solvers/plan.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

using Json = nlohmann::ordered_json;

std::string shape_text(at::IntArrayRef sizes) { return fmt::format("[{}]", fmt::join(sizes, ", ")); }

Json code_of(const ForeignCard& card) {
  Json out = {{"dtype", dtype_name(card.dtype)}};
  if (!card.device.empty()) out["device"] = card.device;
  if (card.code.size() > 1)
    for (const CodeFile& code : card.code) out["packages"].push_back(fmt::format("{}: {} rows", code.file, code.batch));
  if (!card.weights.empty()) out["weights"] = card.weights;
  return out;
}

Json inspect_model(const std::string& path) {
  const ModelSource source = find_model(path);
  const ModelCard& card = source.card;
  Json out = {{"what", "model card"},
              {"name", card.info.name},
              {"kind", card.info.kind},
              {"shape", card.info.shape},
              {"sigma_min", card.info.sigma_min},
              {"sigma_max", card.info.sigma_max},
              {"sigma_data", card.info.sigma_data}};
  for (const ConditionSpec& condition : card.info.conditions) {
    out["conditions"].push_back(condition.classes > 0 ? fmt::format("{}: {} classes", condition.name, condition.classes)
                                : condition.guidance
                                    ? fmt::format("{}: a scale of guidance", condition.name)
                                    : fmt::format("{}: {}", condition.name, shape_text(condition.shape)));
  }
  if (card.file.empty()) {
    out["components"] = card.mixture.weights.size();
  } else {
    out["file"] = card.file;
    out["prediction"] = card.prediction;
    out["time"] = card.time;
    if (card.foreign) out.update(code_of(*card.foreign));
    if (!card.batches.empty()) out["batches"] = card.batches;
    if (!card.probe.empty()) out["probe"] = card.probe;
  }
  out["sha256"] = card.info.sha256;
  return out;
}

Json inspect_stage(const std::string& text, const std::string& table, const std::string& path) {
  const StageCard card = parse_stage_card(text, table, path);
  Json out = {{"what", table + " card"},   {"name", card.name},           {"kind", card.kind},
              {"in_shape", card.in_shape}, {"out_shape", card.out_shape}, {"file", card.code.code.front().file}};
  if (table == "decoder") {
    out["scale"] = card.scale;
    out["shift"] = card.shift;
  }
  out.update(code_of(card.code));
  if (!card.batches.empty()) out["batches"] = card.batches;
  if (card.tiles.window > 0) {
    out["tile"] = card.tiles.window;
    out["context"] = card.tiles.context;
    out["overlap"] = card.tiles.overlap;
  }
  if (!card.probe.empty()) out["probe"] = card.probe;
  out["sha256"] = foreign_identity(card.code, card.code.weights_sha256);
  return out;
}

Json inspect_features(const std::string& text, const std::string& path) {
  const FeatureCard card = parse_feature_card(text, path);
  Json out = {{"what", "features card"}, {"name", card.name}, {"kind", card.kind}, {"file", card.file}};
  if (card.size) out["size"] = *card.size;
  if (card.shape) out["shape"] = *card.shape;
  if (card.kind == "torchscript") {
    out["input"] = card.input.range;
    if (!card.input.resize.empty()) out["resize"] = card.input.resize;
  }
  if (!card.sha256.empty()) out["sha256"] = card.sha256;
  return out;
}

Json inspect_card(const std::string& path) {
  const std::string text = read_file(path), table = card_table(text, path);
  if (table == "model") return inspect_model(path);
  return table == "features" ? inspect_features(text, path) : inspect_stage(text, table, path);
}

Json inspect_safetensors(const std::string& path) {
  const std::string bytes = read_file(path);
  const Safetensors file = parse_safetensors(bytes, path);
  int64_t values = 0;
  Json tensors = Json::object();
  for (const auto& [name, tensor] : file.tensors) {
    values += tensor.numel();
    tensors[name] = fmt::format("{} {}", at::toString(tensor.scalar_type()), shape_text(tensor.sizes()));
  }
  Json metadata = Json::object();
  for (const auto& [name, text] : file.metadata) metadata[name] = text;
  return {{"what", "safetensors"},
          {"tensors", tensors},
          {"values", values},
          {"metadata", metadata},
          {"sha256", sha256(bytes)}};
}

Json inspect_samples(const std::string& path) {
  const MappedSamples file(path);
  const Samples& samples = file.get();
  Json out = {{"what", "samples"},
              {"x", fmt::format("{} {}", at::toString(samples.x.scalar_type()), shape_text(samples.x.sizes()))}};
  if (samples.seed.size(0) > 0) {
    const auto* seeds = samples.seed.const_data_ptr<int64_t>();
    out["seeds"] = format_seeds({seeds, seeds + samples.seed.size(0)});
    out["nfe_mean"] = samples.nfe.to(at::kDouble).mean().item<double>();
    out["nfe_max"] = samples.nfe.max().item<int64_t>();
    out["ok"] = samples.status.eq(static_cast<int8_t>(Status::ok)).sum().item<int64_t>();
    out["mean"] = samples.x.to(at::kDouble).mean().item<double>();
    out["std"] = samples.x.to(at::kDouble).std().item<double>();
  }
  for (const auto& [name, text] : samples.attributes) out[name] = text;
  if (samples.sigmas.defined()) {
    const auto* sigmas = samples.sigmas.const_data_ptr<double>();
    out["sigmas"] = std::vector<double>(sigmas, sigmas + samples.sigmas.size(0));
  }
  return out;
}

Json inspect_store(const std::string& folder) {
  const StoreIndex index(folder);
  const TrajectoryConfig& config = index.config();
  Json out = {{"what", "trajectory store"},
              {"trajectories", index.size()},
              {"shards", index.shards().size()},
              {"bytes", index.bytes()},
              {"solver", config.solver},
              {"schedule", config.schedule},
              {"final", config.final},
              {"points", config.points()},
              {"sample_shape", config.sample_shape},
              {"content", config.features ? "features" : "states"},
              {"dtype", at::toString(config.dtype)},
              {"model_sha256", config.model_sha256}};
  if (index.parts().size() > 1) out["writers"] = index.parts().size();
  if (!config.save_at.empty()) out["save_at"] = config.save_at;
  if (!index.seeds().empty()) out["seeds"] = index.seeds().text();
  if (!config.sigmas.empty()) out["sigmas"] = config.sigmas;
  for (const auto& [name, text] : config.settings) out[out.contains(name) ? "run_" + name : name] = text;
  return out;
}

Json inspect_run(const std::string& folder) {
  Json out = {{"what", "run folder"}, {"finished", file_exists(folder + "/DONE")}};
  if (file_exists(folder + "/command.txt")) out["command"] = read_file(folder + "/command.txt");
  if (file_exists(folder + "/manifest.json")) {
    out["manifest"] = parse_ordered_json_text(read_file(folder + "/manifest.json"), folder + "/manifest.json");
  }
  out["files"] = list_folder(folder);
  return out;
}

Json inspect_plan(const std::string& path) {
  const Plan plan = Plan::load(path);
  Json out = {{"what", "plan"},        {"nfe", plan.nfe()},       {"final", plan.final_zero() ? "zero" : "sigma_min"},
              {"sigmas", plan.sigmas}, {"weights", plan.weights}, {"scale_time", plan.scale_time}};
  if (!plan.fit_json.empty()) out["fit"] = parse_ordered_json_text(plan.fit_json, path);
  out["model_sha256"] = plan.model_sha256;
  return out;
}

Json inspect_json(const std::string& path) {
  const Json root = parse_ordered_json_text(read_file(path), path);
  if (root.is_object() && root.value("format", Json()) == "stride-plan") return inspect_plan(path);
  throw InputError(fmt::format("{}: JSON, but no file of Stride's (a plan has \"format\": \"stride-plan\")", path));
}

Json inspect_images(const std::string& path) {
  const auto images = open_images(path);
  const Pixels first = images->decode(0);
  Json out = {{"what", "image set"},      {"kind", images->kind()},           {"images", images->size()},
              {"first", images->name(0)}, {"first_shape", shape_text(first)}, {"classes", images->classes()}};
  const std::vector<std::string> names = images->class_names();
  if (!names.empty()) out["class_names"] = names;
  return out;
}

// Samples and image sets are both HDF5.
Json inspect_hdf5(const std::string& path) {
  try {
    return inspect_samples(path);
  } catch (const InputError&) {
    try {
      return inspect_images(path);
    } catch (const InputError&) {
    }
    throw;
  }
}

}  // namespace

nlohmann::ordered_json inspect(const std::string& path) {
  if (std::filesystem::is_directory(path)) {
    if (is_trajectory_store(path)) return inspect_store(path);
    if (file_exists(path + "/config.toml")) return inspect_run(path);
    if (file_exists(path + "/card.toml")) return inspect_card(path + "/card.toml");
    return inspect_images(path);
  }
  if (path.ends_with(".toml")) return inspect_card(path);
  if (path.ends_with(".safetensors")) return inspect_safetensors(path);
  if (path.ends_with(".h5")) return inspect_hdf5(path);
  if (path.ends_with(".json")) return inspect_json(path);
  if (!file_exists(path)) {
    for (const std::string& name : known_models()) {
      if (name == path) return inspect_model(path);
    }
    if (path.find('/') == std::string::npos)
      throw InputError(fmt::format("{}: there is no such file, folder or embedded model", path));
  }
  return inspect_images(path);
}

}  // namespace stride
