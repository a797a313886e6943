#include "apps/experiment/planned_cell.h"

#include "apps/cli/build_info.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "framework/named.h"
#include "pipeline/model_card.h"

#include <filesystem>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace stride {
namespace {

namespace fs = std::filesystem;

constexpr const char* kCellMark = "cell:";

const CommandInfo& info_of(const std::vector<std::unique_ptr<Command>>& commands, const ExperimentCell& cell,
                           const std::string& where) {
  std::vector<std::string> names;
  for (const auto& command : commands) {
    const CommandInfo& info = command->info();
    if (!info.common.run) continue;
    if (info.name == cell.command) return info;
    names.push_back(info.name);
  }
  throw UsageError(fmt::format("{}: stage {}: {}", where, cell.stage,
                               unknown_name("command that leaves a run folder", cell.command, names, names).what()));
}

OptionValues settled(const CommandInfo& info, std::vector<ConfigEntry> entries, const std::string& place) {
  OptionValues out(full_table(info));
  ConfigDocument document;
  document.entries = std::move(entries);
  document.where = place;
  apply_config(out, document, info.name);
  return out;
}

// What the files are that a value names: the value itself, or a part of it ("plan:FILE", "features:CARD").
void add_hashes(const std::string& text, std::map<std::string, std::string>& hashes) {
  const auto add = [&](const std::string& path) {
    if (path.empty() || path.find(kCellMark) != std::string::npos || hashes.contains(path)) return;
    std::error_code none;
    if (fs::is_regular_file(path, none)) hashes[path] = sha256_file(path);
    if (!fs::is_directory(path, none)) return;
    for (const char* name : {"/DONE", "/manifest.json", "/card.toml"}) {
      if (!fs::is_regular_file(path + name, none)) continue;
      hashes[path] = sha256_file(path + name);
      return;
    }
  };
  add(text);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find_first_of(":,=", at), text.size());
    if (end - at < text.size()) add(text.substr(at, end - at));
    at = end + 1;
  }
}

std::string key_of(const CommandInfo& info, const OptionValues& values) {
  std::string said = fmt::format("stride {}\n{}\n", stride_version(), info.name);
  std::map<std::string, std::string> hashes;
  for (const Option& option : values.table()) {
    if (option.key.empty() || option.may_change) continue;
    const std::vector<std::string>& texts = values.values(option.name);
    said += option.key;
    for (const std::string& text : texts) said += fmt::format(" {} {}", text.size(), text);
    said += "\n";
    if (option.kind != ValueKind::text) continue;
    for (const std::string& text : texts) {
      add_hashes(text, hashes);
      if (option.name == "model" && text.find(kCellMark) == std::string::npos)
        hashes["model " + text] = find_model(text).card.info.sha256;
    }
  }
  for (const auto& [path, sum] : hashes) said += fmt::format("{} {}\n", sum, path);
  return sha256(said).substr(0, 16);
}

}  // namespace

std::vector<PlannedCell> plan_cells(const Experiment& experiment,
                                    const std::vector<std::unique_ptr<Command>>& commands) {
  std::vector<PlannedCell> out;
  for (ExperimentCell& cell : experiment_cells(experiment)) {
    const CommandInfo& info = info_of(commands, cell, experiment.where);
    const std::string place = fmt::format("{}: stage {}", experiment.where, cell.stage);
    const auto with = [&](const auto& folder_of) {
      return settled(info, settings_with_folders(cell, folder_of), place);
    };
    PlannedCell planned;
    planned.key = key_of(info, with([&](std::size_t need) { return kCellMark + out[need].key; }));
    planned.folder = fmt::format("{}/cells/{}-{}", experiment.out, cell.command, planned.key);
    planned.config = with([&](std::size_t need) { return out[need].folder; }).to_toml(info.name);
    planned.cell = std::move(cell);
    out.push_back(std::move(planned));
  }
  return out;
}

}  // namespace stride
