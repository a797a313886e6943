// From run folders to the data of a report.
#include "evaluation/labels.h"
#include "evaluation/report/report.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/json_text.h"
#include "framework/files/seal.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

using Json = nlohmann::ordered_json;

std::string as_text(const Json& value) { return value.is_string() ? value.get<std::string>() : value.dump(); }

std::string run_name(const std::string& folder) {
  std::filesystem::path path = std::filesystem::path(folder).lexically_normal();
  if (path.filename().empty()) path = path.parent_path();
  return path.filename().string();
}

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

std::string conditions_text(const EvaluationResult& result) {
  std::string out;
  for (const auto& [name, text] : result.conditions) out += (out.empty() ? "" : ", ") + name + " " + text;
  return out.empty() ? "no class, guidance or bound" : out;
}

std::string teacher_text(const EvaluationResult& result) {
  const SamplerResult& teacher = result.teacher;
  return fmt::format("{} in {} steps on {}, {}", teacher.sampler, teacher.steps, teacher.schedule, teacher.final);
}

EvaluationPart part_of(const EvaluationResult& result, const std::string& folder) {
  const SampleCost& cost = result.teacher.cost;
  return {run_name(folder), result.device, result.dtype, result.batch,
          cost.seconds / static_cast<double>(std::max<int64_t>(cost.n, 1))};
}

// Two folders of one name are told apart by number.
void add_part(std::vector<EvaluationPart>& parts, EvaluationPart part) {
  const auto same = std::count_if(parts.begin(), parts.end(), [&](const EvaluationPart& other) {
    return other.name == part.name || other.name.starts_with(part.name + " (");
  });
  if (same > 0) part.name += fmt::format(" ({})", same + 1);
  parts.push_back(std::move(part));
}

void join(EvaluationResult& first, EvaluationResult&& other, const std::string& first_folder,
          const std::string& folder) {
  if (first.parts.empty()) first.parts.push_back(part_of(first, first_folder));
  add_part(first.parts, part_of(other, folder));
  for (SamplerResult& sampler : other.samplers) {
    sampler.part = first.parts.size() - 1;
    first.samplers.push_back(std::move(sampler));
  }
  for (std::string& warning : other.warnings)
    if (std::find(first.warnings.begin(), first.warnings.end(), warning) == first.warnings.end())
      first.warnings.push_back(std::move(warning));
  set_tags(first);
}

}  // namespace

std::string why_apart(const EvaluationResult& a, const EvaluationResult& b) {
  const auto differ = [](const std::string& what, const std::string& one, const std::string& other) {
    return fmt::format("{}: {} there, {} here", what, one, other);
  };
  if (a.model_sha256 != b.model_sha256)
    return differ("another model", fmt::format("{} ({:.8})", a.model, a.model_sha256),
                  fmt::format("{} ({:.8})", b.model, b.model_sha256));
  if (a.conditions != b.conditions) return differ("other conditions", conditions_text(a), conditions_text(b));
  if (a.seeds != b.seeds) return differ("other seeds", a.seeds, b.seeds);
  if (a.block_sizes != b.block_sizes)
    return differ("other blocks of seeds", fmt::format("{}", a.block_sizes.size()),
                  fmt::format("{}", b.block_sizes.size()));
  if (a.dtype != b.dtype) return differ("another precision", a.dtype, b.dtype);
  if (a.teacher.sampler != b.teacher.sampler || a.teacher.sigmas != b.teacher.sigmas)
    return differ("another teacher", teacher_text(a), teacher_text(b));
  if (a.features_sha256 != b.features_sha256 || a.quantisation != b.quantisation)
    return differ("another feature network", fmt::format("{} ({})", a.features, a.quantisation),
                  fmt::format("{} ({})", b.features, b.quantisation));
  if (a.reference != b.reference) return differ("another reference", a.reference, b.reference);
  return "";
}

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
      join(*like, std::move(result), folders.at(static_cast<std::size_t>(like - data.evaluations.begin())), folder);
      continue;
    }
    data.apart.push_back(data.evaluations.empty() ? "" : why_apart(data.evaluations.front(), result));
    data.evaluations.push_back(std::move(result));
    folders.push_back(folder);
  }
  return data;
}

}  // namespace stride
