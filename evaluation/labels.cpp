#include "evaluation/labels.h"

#include "framework/files/hash.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <set>

#include <fmt/format.h>

namespace stride {
namespace {

// What follows the name up to the first option: "predictor:FILE,tolerance=…".
std::string argument_of(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (colon == std::string::npos) return "";
  const std::string argument = text.substr(colon + 1, text.find(',', colon) - colon - 1);
  return argument.find('=') == std::string::npos ? argument : "";
}

// "predictor tol=0.01": name and options, without the file that an argument names.
std::string policy_label(const std::string& policy) {
  std::size_t end = policy.find(':');
  std::string out = policy.substr(0, end);
  while (end < policy.size()) {
    const std::size_t begin = end + 1;
    end = std::min(policy.find(',', begin), policy.size());
    const std::string item = policy.substr(begin, end - begin);
    if (item.find('=') != std::string::npos) out += " " + item;
  }
  return out;
}

std::string label_with(const SamplerResult& sampler, const std::string& tag) {
  const std::string told = tag.empty() ? "" : fmt::format(" ({})", tag);
  const std::string solver = solver_label(sampler);
  if (sampler.adaptive()) return policy_label(sampler.policy) + told + " · " + solver + " · " + sampler.final;
  const bool grid = !sampler.schedule.empty() && !sampler.is_plan();
  return solver + told + (grid ? " · " + sampler.schedule : "") + " · " + sampler.final;
}

// The last `parts` components of a path without its ending.
std::string tail_of(const std::string& path, int parts) {
  std::filesystem::path all(path);
  std::filesystem::path out = all.stem();
  for (int i = 1; i < parts; ++i) {
    all = all.parent_path();
    if (all.filename().empty()) break;
    out = all.filename() / out;
  }
  return out.string();
}

std::string content_hash(const SamplerResult& sampler) {
  const std::string whole = sampler.plan_json.empty() ? sampler.policy_sha256 : sha256(sampler.plan_json);
  return whole.substr(0, 8);
}

}  // namespace

std::string solver_label(const SamplerResult& sampler) { return sampler.is_plan() ? "fitted plan" : sampler.sampler; }

std::string full_label(const SamplerResult& sampler) { return label_with(sampler, sampler.tag); }

std::string source_of(const SamplerResult& sampler) {
  return argument_of(sampler.is_plan() ? sampler.sampler : sampler.policy);
}

std::vector<std::string> distinct_tags(const std::vector<const SamplerResult*>& rows,
                                       const std::vector<EvaluationPart>& parts) {
  if (rows.size() < 2) return std::vector<std::string>(rows.size());
  const auto run = [&](const SamplerResult& row) {
    return row.part < parts.size() ? parts[row.part].name : std::string();
  };
  std::vector<std::function<std::string(const SamplerResult&)>> ways;
  for (const int components : {1, 2, 3, 8})
    ways.emplace_back([components](const SamplerResult& row) {
      const std::string path = source_of(row);
      return path.empty() ? std::string() : tail_of(path, components);
    });
  ways.emplace_back(run);
  ways.emplace_back(
      [](const SamplerResult& row) { return fmt::format("{} {}", tail_of(source_of(row), 1), content_hash(row)); });
  ways.emplace_back(
      [&](const SamplerResult& row) { return fmt::format("{} {}", tail_of(source_of(row), 1), run(row)); });
  std::vector<std::string> out(rows.size());
  for (const auto& way : ways) {
    std::transform(rows.begin(), rows.end(), out.begin(), [&](const SamplerResult* row) { return way(*row); });
    if (std::set<std::string>(out.begin(), out.end()).size() == rows.size()) return out;
  }
  for (std::size_t i = 0; i < rows.size(); ++i) out[i] = fmt::format("{}", i + 1);
  return out;
}

void set_tags(EvaluationResult& result) {
  std::map<std::string, std::vector<std::size_t>> same;
  for (std::size_t i = 0; i < result.samplers.size(); ++i) {
    const SamplerResult& row = result.samplers[i];
    const std::string nfe = row.adaptive() ? "" : fmt::format(" @ {}", std::llround(row.cost.nfe_mean));
    same[label_with(row, "") + nfe].push_back(i);
  }
  for (const auto& [label, places] : same) {
    std::vector<const SamplerResult*> rows;
    for (const std::size_t place : places) rows.push_back(&result.samplers[place]);
    const std::vector<std::string> tags = distinct_tags(rows, result.parts);
    for (std::size_t i = 0; i < places.size(); ++i) result.samplers[places[i]].tag = tags[i];
  }
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    out += (i == 0 ? "" : i + 1 == words.size() ? " and " : ", ") + words[i];
  }
  return out;
}

std::string runs_text(const std::vector<const SamplerResult*>& rows) {
  if (rows.size() == 1) return full_label(*rows.front());
  std::vector<std::string> names;
  std::set<std::string> grids;
  for (const SamplerResult* row : rows) {
    const std::string name = solver_label(*row);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    grids.insert(row->is_plan() ? full_label(*row) : row->schedule + " · " + row->final);
  }
  const std::string where = grids.size() == 1 ? "on " + *grids.begin() : fmt::format("over {} grids", grids.size());
  return fmt::format("{} runs of {} {}", rows.size(), joined(names), where);
}

}  // namespace stride
