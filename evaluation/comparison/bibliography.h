// BibTeX of what was used: found by how it is cited in the references of solvers, grids, policies and metrics.
#pragma once

#include "evaluation/evaluation_result.h"

#include <string>
#include <utility>
#include <vector>

namespace stride {

struct BibliographyEntry {
  std::string key;
  std::string cited_as;  ///< "arXiv:2206.00364", "Holm 1979": what stands in a reference
  std::string kind;      ///< "article"
  std::vector<std::pair<std::string, std::string>> fields;  ///< in LaTeX, ASCII alone
  [[nodiscard]] std::string field(const std::string& name) const;
};

/// All entries, by key.
[[nodiscard]] const std::vector<BibliographyEntry>& bibliography();
/// The parts of it.
[[nodiscard]] std::vector<BibliographyEntry> works_on_methods();
[[nodiscard]] std::vector<BibliographyEntry> works_on_measuring();

/// The keys of what `reference` cites, in the order in which it does, none twice.
[[nodiscard]] std::vector<std::string> citations(const std::string& reference);
/// Those of a row's solver (or of a hybrid's), its grid and its policy.
[[nodiscard]] std::vector<std::string> citations_of(const SamplerResult& row);
/// Those of a solver by name, options and all, and of a grid. Empty for names that are not known here.
[[nodiscard]] std::vector<std::string> solver_citations(const std::string& sampler);
[[nodiscard]] std::vector<std::string> schedule_citations(const std::string& schedule);
/// Those of a metric by its name in results: "fd-teacher".
[[nodiscard]] std::vector<std::string> metric_citations(const std::string& metric);

/// The entries of `keys` as a .bib file, by key, each once. Throws UsageError on a key that there is not.
[[nodiscard]] std::string bibtex(std::vector<std::string> keys);

/// `more` behind `keys`, none twice.
void add_keys(std::vector<std::string>& keys, const std::vector<std::string>& more);

}  // namespace stride
