// The options of sample, record, evaluate and schedule, for the test of pairs.
#include "datasets/files/hdf5.h"
#include "datasets/files/samples_file.h"
#include "framework/files/file.h"
#include "framework/files/safetensors.h"
#include "solvers/plan.h"
#include "tests/apps/option_pairs.h"
#include "tests/pipeline/mixture_card.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace stride::testing {

std::string digest(const std::map<std::string, at::Tensor>& tensors) {
  std::string bytes;
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor flat = tensor.contiguous().cpu();
    bytes += name + fmt::format(" {} {} ", at::toString(flat.scalar_type()), fmt::join(flat.sizes(), ","));
    bytes.append(static_cast<const char*>(flat.const_data_ptr()), flat.nbytes());
  }
  return sha256(bytes);
}

std::map<std::string, std::string> common_aside() {
  const std::string words = "says how much is printed";
  return {{"config", "where settings come from: config_file tests"},
          {"set", "where settings come from: config_file tests"},
          {"print-config", "prints, and nothing runs"},
          {"dry-run", "checks, and nothing runs"},
          {"help", "prints, and nothing runs"},
          {"json", words},
          {"quiet", words},
          {"verbose", words},
          {"threads", "speed: results are the same but for roundings"}};
}

std::map<std::string, std::string> computing_aside() {
  const std::string same = "speed and memory: results are the same but for roundings";
  std::map<std::string, std::string> out = common_aside();
  out.insert({{"device", same},
              {"tf32", same},
              {"batch", same},
              {"numerics", same},
              {"oom", same},
              {"outdir", "where results go"},
              {"resume", "excludes what it would change: run_dir tests"}});
  return out;
}

namespace {

void write(const TemporaryFolder& folder, const std::string& name, const std::string& dataset,
           const at::Tensor& values) {
  hdf5::ImageWriter image;
  image.dataset(dataset, values.contiguous());
  write_file_atomic(folder / name, image.finish());
}

void write_files(const TemporaryFolder& folder) {
  write_file_atomic(folder / "gm.toml", std::string(kMixtureCard) + "classes = [0, 1]\n");
  Plan plan;
  plan.sigmas = {80.0, 3.0, 0.5, 0.002};
  plan.weights = {{1.0}, {1.5, -0.5}, {1.5, -0.5}};
  plan.scale_time = {1.0, 1.0, 1.0};
  plan.made_with.recorded = true;
  write_file_atomic(folder / "plan.json", plan.to_json());
  write(folder, "start.h5", "x", at::linspace(-1.0, 1.0, 8, at::kDouble).view({4, 2}));
  write(folder, "init.h5", "x", at::linspace(-1.5, 1.2, 8, at::kDouble).view({4, 2}));
  write(folder, "mask.h5", "mask", at::tensor({1.0, 0.0}, at::kDouble).expand({4, 2}));
  write_safetensors(folder / "cond.safetensors", {{"class", at::tensor({1, 1, 0, 0}, at::kLong)}});
  write(folder, "noise.h5", "eps", at::linspace(-2.0, 2.0, 60 * 8, at::kDouble).view({60, 4, 2}));
}

using Settings = std::vector<PairSetting>;

Settings operator+(Settings a, const Settings& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

Settings condition() {
  return {{"class", "class", {{"--class", "1"}}},
          {"classes", "class", {{"--class", "0-1"}}},
          {"conditions", "cond", {{"--cond", "@cond.safetensors"}}},
          {"guidance", "guidance", {{"--class", "1"}, {"--guidance", "2"}}},
          {"clip", "clip", {{"--clip", ""}}},
          {"threshold", "threshold", {{"--threshold", "0.5"}}}};
}

Settings solver() {
  return {{"solver", "solver", {{"--solver", "dpmpp_2m"}}},
          {"a solver that drops a level", "solver", {{"--solver", "dpm_2"}}},
          {"plan", "solver", {{"--solver", "plan:@plan.json"}}}};
}

Settings hybrids() {
  return {{"hybrid", "hybrid", {{"--hybrid", "ddim@3,heun@2"}}},
          {"hybrid with ranges", "hybrid", {{"--hybrid", "ddim@3:50-1,heun@2:1-0.01"}}},
          {"term", "term", {{"--solver", "euler"}, {"--term", "sde:eta=1"}}}};
}

Settings grid() {
  return {{"steps", "steps", {{"--steps", "6"}}},
          {"nfe", "nfe", {{"--nfe", "13"}}},
          {"schedule", "schedule", {{"--schedule", "exponential"}}},
          {"timesteps", "schedule", {{"--schedule", "leading"}}},
          {"flow", "schedule", {{"--schedule", "flow:shift=3"}}},
          {"noise schedule", "noise-schedule", {{"--schedule", "leading"}, {"--noise-schedule", "cosine"}}},
          {"noise schedule alone", "noise-schedule", {{"--noise-schedule", "cosine"}}},
          {"sigmas", "sigmas", {{"--sigmas", "20, 3, 1, 0.1, 0"}}},
          {"final", "final", {{"--final", "sigma_min"}}},
          {"sigma min", "sigma-min", {{"--sigma-min", "0.05"}}},
          {"sigma max", "sigma-max", {{"--sigma-max", "30"}}}};
}

Settings starts() {
  return {{"init", "init", {{"--init", "@init.h5"}}},
          {"init scale", "init-scale", {{"--init-scale", "vp"}}},
          {"noise", "noise", {{"--solver", "euler_ancestral"}, {"--noise", "@noise.h5"}}},
          {"noise alone", "noise", {{"--noise", "@noise.h5"}}}};
}

// A plan ends where it ends, and says the same with that end asked for.
const std::map<std::set<std::string>, std::string>& same_end() {
  static const std::map<std::set<std::string>, std::string> known = {{{"plan", "final"}, "the plan ends at sigma_min"}};
  return known;
}

PairCommand sample_pairs() {
  PairCommand out{
      .name = "sample",
      .base = {"--model", "@gm.toml", "--seeds", "0-3", "--dtype", "float64", "--quiet", "--outdir", "{out}"}};
  out.settings =
      condition() + solver() + hybrids() + grid() + starts() +
      Settings{{"policy", "policy", {{"--policy", "pi:atol=0.05"}}},
               {"start", "start", {{"--start", "@start.h5"}}},
               {"strength", "strength", {{"--start", "@start.h5"}, {"--strength", "0.5"}}},
               {"mask", "mask", {{"--start", "@start.h5"}, {"--mask", "@mask.h5"}}},
               {"invert", "invert", {{"--start", "@start.h5"}, {"--invert", ""}}},
               {"invert iterations",
                "invert-iterations",
                {{"--start", "@start.h5"}, {"--invert", ""}, {"--invert-iterations", "1"}}},
               {"round trip", "round-trip", {{"--start", "@start.h5"}, {"--invert", ""}, {"--round-trip", ""}}}};
  out.aside = computing_aside();
  for (const auto& [option, why] :
       std::map<std::string, std::string>{{"model", "another model is another result"},
                                          {"seeds", "in the base: other seeds are other samples"},
                                          {"dtype", "in the base: precision"},
                                          {"allow-model-mismatch", "made_with tests"},
                                          {"trust-model", "whether a network runs at all: foreign tests"},
                                          {"tile", "images only, and refused of mixtures: tile tests"},
                                          {"save", "which files are written: output tests"},
                                          {"decoder", "images only: decoder tests"},
                                          {"post", "images only: decoder tests"},
                                          {"trust-model", "lets --decoder and --post be run: decoder tests"}})
    out.aside.emplace(option, why);
  out.known = same_end();
  out.result = [](const std::string& folder, const std::string&) {
    const Samples samples = read_samples(folder + "/samples.h5");
    // Of a round trip the error is what it adds.
    const auto summary = nlohmann::json::parse(read_file(folder + "/results.json"));
    return digest({{"x", samples.x}, {"nfe", samples.nfe}}) + summary.value("round_trip_rmse", nlohmann::json()).dump();
  };
  return out;
}

PairCommand record_pairs() {
  PairCommand out{
      .name = "record",
      .base = {"--model", "@gm.toml", "--seeds", "0-3", "--dtype", "float64", "--quiet", "--outdir", "{out}"}};
  out.settings = condition() + solver() + hybrids() + grid() + starts() +
                 Settings{{"save at", "save-at", {{"--save-at", "0,2,-1"}}},
                          {"features only", "features-only", {{"--features-only", ""}}},
                          {"shard", "shard", {{"--shard", "0/2"}}},
                          {"store type", "store-dtype", {{"--store-dtype", "float16"}}},
                          {"shard rows", "shard-rows", {{"--shard-rows", "2"}}},
                          {"policy", "policy", {{"--policy", "pi:atol=0.05"}}}};
  out.aside = computing_aside();
  for (const auto& [option, why] :
       std::map<std::string, std::string>{{"model", "another model is another result"},
                                          {"seeds", "in the base: other seeds are other samples"},
                                          {"dtype", "in the base: precision"},
                                          {"allow-model-mismatch", "made_with tests"},
                                          {"trust-model", "whether a network runs at all: foreign tests"},
                                          {"store", "where results go"}})
    out.aside.emplace(option, why);
  out.known = same_end();
  out.result = [](const std::string& folder, const std::string&) {
    std::string bytes;
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::directory_iterator(folder + "/store"))
      if (entry.path().extension() == ".h5") files.push_back(entry.path().string());
    std::sort(files.begin(), files.end());
    for (const std::string& file : files) bytes += read_file(file);
    return sha256(bytes);
  };
  return out;
}

// results.csv without the columns of time and memory.
std::string measured(const std::string& folder) {
  std::istringstream file(read_file(folder + "/results.csv"));
  std::string out, line;
  std::vector<bool> kept;
  while (std::getline(file, line)) {
    std::istringstream cells(line);
    std::string cell;
    for (std::size_t i = 0; std::getline(cells, cell, ','); ++i) {
      if (kept.size() <= i) kept.push_back(cell != "seconds" && cell != "peak_bytes");
      if (kept[i]) out += cell + ",";
    }
    out += "\n";
  }
  return out;
}

PairCommand evaluate_pairs() {
  PairCommand out{.name = "evaluate",
                  .base = {"--model", "@gm.toml", "--seeds", "0-3", "--dtype", "float64", "--blocks", "2", "--images",
                           "0", "--teacher", "heun:steps=6", "--quiet", "--outdir", "{out}"}};
  out.settings =
      condition() + solver() +
      Settings{{"hybrid", "hybrid", {{"--solver", "ddim@3,heun@2"}}},
               {"steps", "steps", {{"--steps", "3,4"}}},
               {"nfe", "nfe", {{"--nfe", "5"}}},
               {"schedule", "schedule", {{"--schedule", "exponential"}}},
               {"timesteps", "schedule", {{"--schedule", "leading"}}},
               {"noise schedule", "noise-schedule", {{"--schedule", "leading"}, {"--noise-schedule", "cosine"}}},
               {"noise schedule alone", "noise-schedule", {{"--noise-schedule", "cosine"}}},
               {"final", "final", {{"--final", "sigma_min"}}},
               {"sigma min", "sigma-min", {{"--sigma-min", "0.05"}}},
               {"sigma max", "sigma-max", {{"--sigma-max", "30"}}},
               {"policy", "policy", {{"--solver", "heun"}, {"--policy", "pi:atol=0.05"}}},
               {"metric", "metric", {{"--metric", "swd"}, {"--ref", "@start.h5"}}},
               {"reference", "ref", {{"--ref", "@start.h5"}}}} +
      starts();
  for (PairSetting& setting : out.settings)
    if (setting.name == "hybrid") setting.option = "solver";
  out.aside = computing_aside();
  for (const auto& [option, why] :
       std::map<std::string, std::string>{{"model", "another model is another result"},
                                          {"seeds", "in the base: other seeds are other samples"},
                                          {"dtype", "in the base: precision"},
                                          {"teacher", "in the base: what all are measured against"},
                                          {"blocks", "in the base: what intervals are made of"},
                                          {"images", "pictures in the report"},
                                          {"decoder", "images only: decoder tests"},
                                          {"post", "images only: decoder tests"},
                                          {"features", "images only: evaluation tests"},
                                          {"quantise", "images only: evaluation tests"},
                                          {"trust-model", "a TorchScript file is run: evaluation tests"},
                                          {"allow-model-mismatch", "made_with tests"}})
    out.aside.emplace(option, why);
  out.known = same_end();
  out.result = [](const std::string& folder, const std::string&) { return measured(folder); };
  return out;
}

PairCommand schedule_pairs() {
  PairCommand out{.name = "schedule", .base = {"--model", "@gm.toml", "--json", "--quiet"}};
  out.settings = solver() + hybrids() + grid();
  out.aside = common_aside();
  for (const auto& [option, why] : std::map<std::string, std::string>{{"model", "another model is another result"},
                                                                      {"allow-model-mismatch", "made_with tests"}})
    out.aside.emplace(option, why);
  out.idle = {{"solver", "a grid is a grid, whoever walks it"}, {"term", "a grid is a grid, whoever walks it"}};
  out.known = same_end();
  out.known.emplace(std::set<std::string>{"a solver that drops a level", "sigmas"}, "a list is taken as it is");
  out.known.emplace(std::set<std::string>{"a solver that drops a level", "final"},
                    "only grids with a jump to 0 drop one");
  out.result = [](const std::string&, const std::string& printed) { return printed; };
  return out;
}

PairCommand export_pairs() {
  PairCommand out = schedule_pairs();
  out.name = "export";
  out.base = {"--model", "@gm.toml", "--quiet"};
  out.settings.push_back({"to", "to", {{"--to", "numpy"}}});
  out.aside.emplace("out", "where the text goes");
  return out;
}

}  // namespace

std::vector<PairCommand> sampling_pairs(const TemporaryFolder& folder) {
  write_files(folder);
  return {sample_pairs(), record_pairs(), evaluate_pairs(), schedule_pairs(), export_pairs()};
}

}  // namespace stride::testing
