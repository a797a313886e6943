// From run folders to the data of a report.
#include "evaluation/joined_results.h"
#include "evaluation/report/report.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/json_text.h"
#include "framework/files/seal.h"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

using Json = nlohmann::ordered_json;

std::string as_text(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

// `run`: which of several runs the machine's facts are of; empty: there is one.
void read_manifest(ReportData& data, const std::string& folder, const std::string& run) {
  const std::string path = folder + "/manifest.json";
  if (!file_exists(path)) return;
  Json manifest = parse_ordered_json_text(read_file(path), path);
  (void)take_seal(manifest, path);
  if (!manifest.is_object())
    throw InputError(fmt::format("{}: damaged; remove it to build the report without the machine's facts", path));
  const auto add = [&](const std::string& name, const Json& value) {
    const std::string text = as_text(value);
    const std::pair<std::string, std::string> fact = {run.empty() ? name : name + " of " + run, text};
    if (!text.empty() && text != "null") data.facts.push_back(fact);
  };
  if (data.created.empty() && manifest.contains("time")) data.created = as_text(manifest["time"]);
  if (manifest.contains("device_name")) add("device", manifest["device_name"]);
  if (manifest.contains("threads")) add("CPU threads", manifest["threads"]);
  if (manifest.contains("git")) add("source revision", manifest["git"]);
  if (manifest.contains("versions") && manifest["versions"].is_object()) {
    for (const auto& [name, value] : manifest["versions"].items()) add(name, value);
  }
}

void read_commands(ReportData& data, const std::string& folder) {
  const std::string path = folder + "/command.txt";
  if (!file_exists(path)) return;
  const std::string text = read_file(path);
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    if (end > begin) data.commands.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
}

}  // namespace

ReportData load_report(const std::vector<std::string>& run_folders) {
  if (run_folders.empty()) throw UsageError("stride report: name at least one run folder");
  ReportData data;
  std::vector<std::string> folders;  // the first of each evaluation
  for (const std::string& folder : run_folders) {
    EvaluationResult result = load_evaluation(folder);
    const std::string described = folder + "/report.json";
    if (run_folders.size() == 1 && file_exists(described)) {
      read_report_json(data, read_file(described), described);
    } else {
      read_manifest(data, folder, run_folders.size() > 1 ? run_name(folder) : "");
      read_commands(data, folder);
    }
    const auto like = std::find_if(data.evaluations.begin(), data.evaluations.end(),
                                   [&](const EvaluationResult& known) { return why_apart(known, result).empty(); });
    if (like != data.evaluations.end()) {
      join_results(*like, std::move(result), folders.at(static_cast<std::size_t>(like - data.evaluations.begin())),
                   folder);
      continue;
    }
    data.apart.push_back(data.evaluations.empty() ? "" : why_apart(data.evaluations.front(), result));
    data.evaluations.push_back(std::move(result));
    folders.push_back(folder);
  }
  return data;
}

}  // namespace stride
