#include "pipeline/provenance.h"

#include "framework/dtype_name.h"
#include "framework/error.h"
#include "framework/text_list.h"
#include "pipeline/guidance_text.h"
#include "pipeline/seeds.h"
#include "pipeline/teacher.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace stride {
namespace {

using Conditions = std::map<std::string, std::string>;

// Where two runs differ in these they are of two different samplers of the model.
const std::vector<std::string> kOfSampler = {"class", "guidance", "clip", "threshold"};

// In canonical form, so that "2" and "2.0" are one guidance.
Conditions conditions_of(const MadeWith& made, const ModelInfo& model) {
  DrawSettings settings;
  if (!made.guidance.empty()) settings.guidance = parse_guidance(made.guidance, model.sigma_data);
  if (!made.threshold.empty()) settings.guidance.threshold = parse_threshold(made.threshold);
  if (made.clip) settings.guidance.clip = *made.clip;
  Conditions out = conditions_of(settings);
  if (!made.label.empty()) out["class"] = made.label;
  if (!made.condition.empty()) out["condition"] = made.condition;
  return out;
}

std::string in_words(const Conditions& conditions, const std::vector<std::string>& names) {
  std::vector<std::string> words;
  for (const std::string& name : names) {
    const auto found = conditions.find(name);
    const std::string value = found == conditions.end() ? "" : found->second;
    words.push_back(value.empty() ? "no " + name : name + " " + value);
  }
  return fmt::format("{}", fmt::join(words, ", "));
}

// "class 3, and this run has class 7"; empty: they are the same.
std::string difference(const Conditions& made, const Conditions& here, const std::vector<std::string>& names) {
  std::vector<std::string> differ;
  for (const std::string& name : names) {
    if (made.contains(name) != here.contains(name) || (made.contains(name) && made.at(name) != here.at(name)))
      differ.push_back(name);
  }
  return differ.empty() ? std::string()
                        : fmt::format("{}, and this run has {}", in_words(made, differ), in_words(here, differ));
}

// What was trained on several classes knows each of them.
bool is_one_of(const std::string& labels, const Conditions& here) {
  return covers(labels, here.contains("class") ? here.at("class") : "none");
}

int digits_of(const std::string& dtype) { return dtype == "float64" ? 2 : dtype == "float32" ? 1 : 0; }

}  // namespace

std::map<std::string, std::string> conditions_of(const DrawSettings& settings) {
  std::map<std::string, std::string> out;
  if (settings.label) out["class"] = settings.label.text();
  if (!settings.conditions.sha256.empty()) out["condition"] = settings.conditions.sha256;
  if (settings.embedded_guidance.value_or(1.0) != 1.0) out["guidance"] = fmt::format("{}", *settings.embedded_guidance);
  if (std::string text = guidance_text(settings.guidance); !text.empty()) out["guidance"] = std::move(text);
  if (std::string text = threshold_text(settings.guidance); !text.empty()) out["threshold"] = std::move(text);
  if (std::isfinite(settings.guidance.clip)) out["clip"] = fmt::format("{}", settings.guidance.clip);
  return out;
}

MadeWith record_of(const Sampler& teacher, const ModelInfo& model, const DrawSettings& settings,
                   const std::vector<int64_t>& seeds, const std::vector<int64_t>& validation_seeds) {
  MadeWith out;
  out.recorded = true;
  out.model_sha256 = model.sha256;
  out.label = settings.label.text();
  out.condition = settings.conditions.sha256;
  const Conditions conditions = conditions_of(settings);
  if (const auto found = conditions.find("guidance"); found != conditions.end()) out.guidance = found->second;
  out.threshold = threshold_text(settings.guidance);
  if (std::isfinite(settings.guidance.clip)) out.clip = settings.guidance.clip;
  out.dtype = dtype_name(settings.dtype);
  out.teacher = teacher_text(teacher.spec);
  out.teacher_sigmas = teacher.grid.sigmas();
  out.seeds = format_seeds(seeds);
  out.validation_seeds = format_seeds(validation_seeds);
  return out;
}

void require_made_for(const Sampler& sampler, const ModelInfo& model, const DrawSettings& settings) {
  if (!sampler.made || !sampler.made->made_with.recorded || sampler.spec.allow_model_mismatch) return;
  Conditions made = conditions_of(sampler.made->made_with, model);
  const Conditions here = conditions_of(settings);
  if (made.contains("class") && is_one_of(made.at("class"), here)) {
    made.erase("class");
    if (here.contains("class")) made["class"] = here.at("class");
  }
  if (const std::string what = difference(made, here, kOfSampler); !what.empty())
    throw UsageError(
        fmt::format("{} was made with {}: it belongs to what it was made with; ask for the same, or "
                    "`allow_model_mismatch` runs it all the same",
                    sampler.made->path, what));
}

void require_recorded_for(const MadeFile& store, const ModelInfo& model, const DrawSettings& settings) {
  std::vector<std::string> all = kOfSampler;
  all.emplace_back("condition");
  if (const std::string what = difference(conditions_of(store.made_with, model), conditions_of(settings), all);
      !what.empty())
    throw UsageError(fmt::format("{} was recorded with {}: ask for the same", store.path, what));
}

std::vector<std::string> run_warnings(const Sampler& sampler, const DrawSettings& settings) {
  std::vector<std::string> out = sampler.warnings;
  if (sampler.made) {
    const MadeWith& made = sampler.made->made_with;
    if (!made.recorded) {
      out.push_back(
          fmt::format("{} does not say which class, guidance and precision it was made with, as files of earlier "
                      "versions do not: whether it belongs to this run is not known",
                      sampler.made->path));
    } else if (const std::string here = dtype_name(settings.dtype); digits_of(here) < digits_of(made.dtype)) {
      out.push_back(fmt::format("{} was made in {} and runs in {}", sampler.made->path, made.dtype, here));
    }
  }
  if (sampler.made && sampler.made->made_with.recorded && !sampler.made->made_with.condition.empty() &&
      sampler.made->made_with.condition != settings.conditions.sha256)
    out.push_back(fmt::format("{} was made with other conditions ({:.12}) than this run has", sampler.made->path,
                              sampler.made->made_with.condition));
  if (settings.noise.defined() && !sampler.solver->traits().stochastic && !sampler.term->stochastic())
    out.push_back(fmt::format("`noise` has no effect: {} draws none", sampler.spec.solver));
  if (settings.start.defined() && settings.init_scale != InitScale::sigma)
    out.emplace_back("`init_scale` is for noise alone: to the images of `start` it is added times sigma");
  return out;
}

std::string seeds_seen(const Sampler& sampler, const std::vector<int64_t>& seeds) {
  if (!sampler.made) return "";
  std::set<int64_t> known;
  for (const std::string& text : {sampler.made->made_with.seeds, sampler.made->made_with.validation_seeds}) {
    if (text.empty()) continue;
    try {
      const std::vector<int64_t> some = parse_seeds(text);
      known.insert(some.begin(), some.end());
    } catch (const UsageError&) {
      throw InputError(fmt::format("{}: its seeds '{}' cannot be read", sampler.made->path, text));
    }
  }
  std::vector<int64_t> out;
  std::copy_if(seeds.begin(), seeds.end(), std::back_inserter(out), [&](int64_t seed) { return known.contains(seed); });
  return out.empty() ? std::string() : format_seeds(out);
}

}  // namespace stride
