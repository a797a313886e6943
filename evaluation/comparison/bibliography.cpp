#include "evaluation/comparison/bibliography.h"

#include "framework/error.h"
#include "framework/grids/time_grid.h"
#include "pipeline/policies.h"
#include "solvers/hybrid.h"
#include "solvers/registry.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

namespace stride {
namespace {

std::string head_of(const std::string& spec) { return spec.substr(0, spec.find_first_of(":@")); }

// What a row's text says, without the reading of files or options that made it.
template <class List>
std::string reference_in(const List& cards, const std::string& name) {
  for (const auto& card : cards) {
    const bool is =
        card.name == name || std::find(card.aliases.begin(), card.aliases.end(), name) != card.aliases.end();
    if (is) return card.reference;
  }
  return "";
}

}  // namespace

std::string BibliographyEntry::field(const std::string& name) const {
  for (const auto& [key, value] : fields)
    if (key == name) return value;
  return "";
}

const std::vector<BibliographyEntry>& bibliography() {
  static const std::vector<BibliographyEntry> all = [] {
    std::vector<BibliographyEntry> out = works_on_methods();
    for (BibliographyEntry& entry : works_on_measuring()) out.push_back(std::move(entry));
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
    return out;
  }();
  return all;
}

void add_keys(std::vector<std::string>& keys, const std::vector<std::string>& more) {
  for (const std::string& key : more)
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) keys.push_back(key);
}

std::vector<std::string> citations(const std::string& reference) {
  std::map<std::size_t, std::string> found;  // by place
  for (const BibliographyEntry& entry : bibliography()) {
    const std::size_t at = reference.find(entry.cited_as);
    if (at != std::string::npos) found.emplace(at, entry.key);
  }
  std::vector<std::string> out;
  for (const auto& [place, key] : found) out.push_back(key);
  return out;
}

std::vector<std::string> solver_citations(const std::string& sampler) {
  std::vector<std::string> out;
  if (is_hybrid(sampler)) {
    for (std::size_t begin = 0; begin < sampler.size();) {
      const std::size_t end = std::min(sampler.find(',', begin), sampler.size());
      add_keys(out, solver_citations(head_of(sampler.substr(begin, end - begin))));
      begin = end + 1;
    }
    return out;
  }
  const SolverTraits* traits = find_solver(head_of(sampler));
  return traits == nullptr ? out : citations(traits->reference);
}

std::vector<std::string> schedule_citations(const std::string& schedule) {
  return citations(reference_in(grid_traits(), head_of(schedule)));
}

std::vector<std::string> citations_of(const SamplerResult& row) {
  std::vector<std::string> out = solver_citations(row.sampler);
  if (!row.is_plan()) add_keys(out, schedule_citations(row.schedule));
  if (row.adaptive()) add_keys(out, citations(reference_in(policy_traits(), head_of(row.policy))));
  return out;
}

std::vector<std::string> metric_citations(const std::string& metric) {
  const auto is = [&](const char* name) { return metric.starts_with(name); };
  if (is("fd-inf")) return {"heusel2017", "dowson1982", "chong2020"};
  if (is("fd") || is("exact-fd")) return {"heusel2017", "dowson1982"};
  if (is("kid")) return {"binkowski2018"};
  if (is("precision") || is("recall")) return {"kynkaanniemi2019"};
  if (is("density") || is("coverage")) return {"naeem2020"};
  if (is("swd")) return {"bonneel2015"};
  return {};
}

std::string bibtex(std::vector<std::string> keys) {
  std::sort(keys.begin(), keys.end());
  keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
  std::string out;
  for (const std::string& key : keys) {
    const auto entry = std::find_if(bibliography().begin(), bibliography().end(),
                                    [&](const BibliographyEntry& one) { return one.key == key; });
    if (entry == bibliography().end()) throw UsageError(fmt::format("there is no work '{}' in the bibliography", key));
    out += fmt::format("{}@{}{{{},\n", out.empty() ? "" : "\n", entry->kind, entry->key);
    for (const auto& [name, value] : entry->fields) out += fmt::format("  {} = {{{}}},\n", name, value);
    out += "}\n";
  }
  return out;
}

}  // namespace stride
