#include "evaluation/joined_results.h"

#include "evaluation/labels.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

namespace stride {
namespace {

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

std::string differ(const std::string& what, const std::string& one, const std::string& other) {
  return fmt::format("{}: {} there, {} here", what, one, other);
}

}  // namespace

std::string why_unpaired(const EvaluationResult& a, const EvaluationResult& b) {
  if (a.model_sha256 != b.model_sha256)
    return differ("another model", fmt::format("{} ({:.8})", a.model, a.model_sha256),
                  fmt::format("{} ({:.8})", b.model, b.model_sha256));
  if (a.conditions != b.conditions) return differ("other conditions", conditions_text(a), conditions_text(b));
  if (a.dtype != b.dtype) return differ("another precision", a.dtype, b.dtype);
  if (a.teacher.sampler != b.teacher.sampler || a.teacher.sigmas != b.teacher.sigmas)
    return differ("another teacher", teacher_text(a), teacher_text(b));
  if (a.seeds == b.seeds) return "";
  for (const auto& [name, text] : a.conditions) {
    const bool by_row =
        name == "init" || name == "noise" || name == "condition" || (name == "class" && text.starts_with("list:"));
    if (by_row) return differ(fmt::format("{} was given row by row, and the seeds are others", name), a.seeds, b.seeds);
  }
  return "";
}

std::string why_apart(const EvaluationResult& a, const EvaluationResult& b) {
  if (std::string why = why_unpaired(a, b); !why.empty()) return why;
  if (a.seeds != b.seeds) return differ("other seeds", a.seeds, b.seeds);
  if (a.block_sizes != b.block_sizes)
    return differ("other blocks of seeds", fmt::format("{}", a.block_sizes.size()),
                  fmt::format("{}", b.block_sizes.size()));
  if (a.features_sha256 != b.features_sha256 || a.quantisation != b.quantisation)
    return differ("another feature network", fmt::format("{} ({})", a.features, a.quantisation),
                  fmt::format("{} ({})", b.features, b.quantisation));
  if (a.reference != b.reference) return differ("another reference", a.reference, b.reference);
  return "";
}

void join_results(EvaluationResult& first, EvaluationResult&& other, const std::string& first_folder,
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

std::string run_name(const std::string& folder) {
  std::filesystem::path path = std::filesystem::path(folder).lexically_normal();
  if (path.filename().empty()) path = path.parent_path();
  return path.filename().string();
}

}  // namespace stride
