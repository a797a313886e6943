#include "evaluation/evaluation_warnings.h"

#include "pipeline/provenance.h"
#include "pipeline/seeds.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace stride {
namespace {

constexpr double kOneStart = 0.01;  // levels of one start differ by less: noise schedules and cards round

std::string seeds_warning(const Sampler& sampler, const std::vector<int64_t>& seeds) {
  const std::string seen = seeds_seen(sampler, seeds);
  if (seen.empty()) return "";
  return fmt::format(
      "{} was fitted to, or chosen on, {} of these {} seeds ({}): it looks better on them than on others",
      sampler.made->path, parse_seeds(seen).size(), seeds.size(), seen);
}

std::string start_warning(const Sampler& sampler, const Sampler& teacher) {
  const double from = sampler.grid.start(), other = teacher.grid.start();
  if (std::abs(from - other) <= kOneStart * other) return "";
  return fmt::format(
      "{} on {} starts at the noise level {:.4g} and the teacher at {:.4g}: they do not start from the same noisy "
      "sample, and what compares them seed by seed holds that difference too",
      sampler.spec.solver, sampler.spec.schedule, from, other);
}

}  // namespace

std::vector<std::string> evaluation_warnings(const Sampler& teacher, const std::vector<Sampler>& samplers,
                                             const EvaluationSettings& settings) {
  std::vector<std::string> out;
  const auto add = [&](const std::string& warning) {
    if (!warning.empty() && std::find(out.begin(), out.end(), warning) == out.end()) out.push_back(warning);
  };
  for (const std::string& note : settings.notes) add(note);
  const bool paired = std::any_of(settings.metrics.begin(), settings.metrics.end(),
                                  [](const std::string& metric) { return metric_needs(metric).paired; });
  for (const std::string& warning : run_warnings(teacher, settings.draw)) add(warning);
  for (const Sampler& sampler : samplers) {
    for (const std::string& warning : run_warnings(sampler, settings.draw)) add(warning);
    add(seeds_warning(sampler, settings.draw.seeds));
    if (paired) add(start_warning(sampler, teacher));
  }
  return out;
}

std::vector<std::string> evaluation_warnings(const ModelInfo& model, const ModelCard* card,
                                             const EvaluationSettings& settings) {
  std::vector<Sampler> samplers;
  for (const SamplerSpec& spec : settings.samplers) samplers.push_back(make_sampler(spec, model, card));
  return evaluation_warnings(make_sampler(settings.teacher, model, card), samplers, settings);
}

}  // namespace stride
