// From run folders to the data of a report.
#include "evaluation/report/report.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/json_text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

using Json = nlohmann::ordered_json;

std::string as_text(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

void read_manifest(ReportData& data, const std::string& folder) {
  const std::string path = folder + "/manifest.json";
  if (!file_exists(path)) return;
  const Json manifest = parse_ordered_json_text(read_file(path), path);
  if (!manifest.is_object())
    throw InputError(fmt::format("{}: damaged; remove it to build the report without the machine's facts", path));
  const auto add = [&](const std::string& name, const Json& value) {
    const std::string text = as_text(value);
    if (!text.empty() && text != "null") data.facts.emplace_back(name, text);
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

// Runs on the same model, seeds and teacher belong on one plot.
bool comparable(const EvaluationResult& a, const EvaluationResult& b) {
  return a.model_sha256 == b.model_sha256 && a.seeds == b.seeds && a.block_sizes == b.block_sizes &&
         a.dtype == b.dtype && a.device == b.device && a.features_sha256 == b.features_sha256 &&
         a.reference == b.reference && a.teacher.sampler == b.teacher.sampler && a.teacher.sigmas == b.teacher.sigmas;
}

}  // namespace

ReportData load_report(const std::vector<std::string>& run_folders) {
  if (run_folders.empty()) throw UsageError("stride report: name at least one run folder");
  ReportData data;
  for (const std::string& folder : run_folders) {
    EvaluationResult result = load_evaluation(folder);
    const std::string described = folder + "/report.json";
    if (run_folders.size() == 1 && file_exists(described)) {
      read_report_json(data, read_file(described), described);
    } else {
      if (data.facts.empty()) read_manifest(data, folder);
      read_commands(data, folder);
    }
    if (!data.evaluations.empty() && comparable(data.evaluations.back(), result)) {
      EvaluationResult& first = data.evaluations.back();
      first.samplers.insert(first.samplers.end(), std::make_move_iterator(result.samplers.begin()),
                            std::make_move_iterator(result.samplers.end()));
    } else {
      data.evaluations.push_back(std::move(result));
    }
  }
  return data;
}

}  // namespace stride
