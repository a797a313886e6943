#include "evaluation/verify.h"

#include "datasets/files/npz_reader.h"
#include "datasets/files/samples_file.h"
#include "datasets/images/image_codec.h"
#include "datasets/store/trajectory_store.h"
#include "evaluation/evaluation_result.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "framework/files/json_text.h"
#include "framework/files/safetensors.h"
#include "framework/files/safetensors_seal.h"
#include "framework/files/seal.h"
#include "pipeline/card_check.h"
#include "pipeline/run_folder.h"
#include "pipeline/seeds.h"
#include "solvers/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

namespace fs = std::filesystem;

// Runs one check; what it throws is a problem. A check that finds no checksum says so: false.
template <class Check>
void check(Findings& findings, const std::string& what, const Check& work) {
  try {
    if (!work()) findings.notes.push_back(what + ": can be read; it has no checksum of its own to be checked against");
    findings.checked.push_back(what);
  } catch (const Error& error) {
    findings.problems.emplace_back(error.what());
  }
}

bool verify_json(const std::string& path) {
  auto root = parse_ordered_json_text(read_file(path), path);
  const bool sealed = take_seal(root, path);
  if (root.is_object() && root.value("format", nlohmann::ordered_json()) == "stride-plan") (void)Plan::load(path);
  return sealed;
}

bool is_evaluation(const std::string& path) {
  return read_file(path).find("\"stride-evaluation\"") != std::string::npos;
}

bool verify_npz(const std::string& path) {
  const NpzReader file = NpzReader::open(path);
  for (const std::string& name : file.names()) (void)file.read(name);
  return true;
}

// False for names that no check knows.
bool verify_file(Findings& findings, const std::string& path) {
  if (path.ends_with(".h5")) {
    check(findings, path, [&] { return (void)MappedSamples(path), true; });
  } else if (path.ends_with(".json") || fs::path(path).filename() == "DONE") {
    check(findings, path, [&] { return verify_json(path); });
  } else if (path.ends_with(".safetensors")) {
    check(findings, path, [&] {
      const std::string bytes = read_file(path);
      return (void)parse_safetensors(bytes, path), is_sealed_safetensors(bytes);
    });
  } else if (path.ends_with(".toml")) {
    check(findings, path, [&] { return check_card(path); });
  } else if (path.ends_with(".npz")) {
    check(findings, path, [&] { return verify_npz(path); });
  } else if (path.ends_with(".png")) {
    check(findings, path, [&] { return (void)decode_image(read_file(path), path), true; });
  } else {
    return false;
  }
  return true;
}

void verify_trajectories(Findings& findings, const std::string& folder) {
  const StoreReport report = verify_store(folder);
  const auto bytes = static_cast<double>(report.bytes);
  findings.checked.push_back(fmt::format("{}: {} trajectories in {} shards, {:.3g} MB at {:.2f} GB/s", folder,
                                         report.trajectories, report.shards, bytes / 1e6,
                                         bytes / 1e9 / std::max(report.seconds, 1e-9)));
  findings.problems.insert(findings.problems.end(), report.problems.begin(), report.problems.end());
  findings.notes.insert(findings.notes.end(), report.notes.begin(), report.notes.end());
}

// What the run's end says, and a store that was there then and is gone or has lost something since.
void verify_end(Findings& findings, const std::string& folder, const RunEnd& end) {
  const std::vector<std::string> damage = run_damage(folder, end);
  findings.problems.insert(findings.problems.end(), damage.begin(), damage.end());
  if (damage.empty())
    findings.checked.push_back(fmt::format("{}: {} files are as DONE lists them", folder, end.files.size()));
  for (const auto& [name, seeds] : end.stores) {
    const std::string store = folder + "/" + name;
    try {
      const StoreIndex index(store);
      const std::vector<int64_t> wanted = seeds.empty() ? std::vector<int64_t>{} : parse_seeds(seeds);
      const auto lost =
          std::count_if(wanted.begin(), wanted.end(), [&](int64_t seed) { return !index.seeds().contains(seed); });
      if (lost > 0)
        findings.problems.push_back(
            fmt::format("{}: {} of the trajectories are gone that it held when the run ended", store, lost));
    } catch (const Error& error) {
      if (!is_trajectory_store(store)) findings.problems.emplace_back(error.what());
    }
  }
}

void verify_beginning(Findings& findings, const std::string& folder) {
  for (const char* name : {"command.txt", "manifest.json", "config.toml"}) {
    if (!file_exists(folder + "/" + name))
      findings.problems.push_back(fmt::format("{}/{}: is missing, and every run folder has one", folder, name));
  }
  if (findings.problems.empty())
    check(findings, folder + "/config.toml", [&] { return (void)run_config(folder), true; });
}

}  // namespace

void verify_run(Findings& findings, const std::string& folder) {
  verify_beginning(findings, folder);
  std::optional<RunEnd> end;
  try {
    end = run_end(folder);
    if (!end) findings.notes.push_back(folder + ": not finished (no DONE); `resume` continues it");
    if (end && !end->lists)
      findings.notes.push_back(folder + ": ended under an earlier version, whose DONE lists no files to check");
  } catch (const Error& error) {
    findings.problems.emplace_back(error.what());
  }
  if (end && end->lists) verify_end(findings, folder, *end);
  for (const std::string& name : list_folder(folder)) {
    const std::string path = folder + "/" + name;
    if (is_temporary(name)) {
      findings.notes.push_back(path + ": left by a killed process, harmless");
    } else if (fs::is_directory(path)) {
      if (!is_trajectory_store(path)) continue;
      try {
        verify_trajectories(findings, path);
      } catch (const Error& error) {
        findings.problems.emplace_back(error.what());
      }
    } else if (!(end && end->files.contains(name)) && name != "config.toml" && name != "DONE") {
      if (name == "results.json" && is_evaluation(path)) {
        check(findings, path, [&] { return (void)load_evaluation(folder), true; });  // and its pictures
      } else {
        (void)verify_file(findings, path);
      }
    }
  }
}

Findings verify_path(const std::string& path) {
  Findings findings;
  if (!file_exists(path)) throw InputError(fmt::format("{}: there is no such file or folder", path));
  if (!fs::is_directory(path)) {
    if (!fs::is_regular_file(path)) throw InputError(fmt::format("{}: is no file", path));
    if (!verify_file(findings, path))
      throw InputError(fmt::format("{}: no samples.h5, plan, card, safetensors, .npz, .json or .png", path));
    return findings;
  }
  const bool run =
      file_exists(path + "/config.toml") || file_exists(path + "/command.txt") || file_exists(path + "/DONE");
  if (run && !is_stillborn_run(path)) {
    verify_run(findings, path);
  } else if (is_trajectory_store(path)) {
    verify_trajectories(findings, path);
  } else if (file_exists(path + "/card.toml")) {
    (void)verify_file(findings, path + "/card.toml");
    if (file_exists(path + "/decoder/card.toml")) (void)verify_file(findings, path + "/decoder/card.toml");
    if (file_exists(path + "/checkpoint.safetensors")) (void)verify_file(findings, path + "/checkpoint.safetensors");
  } else if (file_exists(path + "/checkpoint.safetensors")) {
    (void)verify_file(findings, path + "/checkpoint.safetensors");
  } else {
    throw InputError(fmt::format("{}: no run folder, store, model or file that can be checked", path));
  }
  return findings;
}

}  // namespace stride
