// What goes into a manuscript: tables, BibTeX, the paragraph on methods.
#include "tests/catch_torch.h"

#include "evaluation/comparison/bibliography.h"
#include "evaluation/comparison/comparison_files.h"
#include "evaluation/comparison/comparison_text.h"
#include "evaluation/comparison/methods_text.h"
#include "evaluation/report/report.h"
#include "framework/error.h"
#include "framework/grids/noise_schedule.h"
#include "framework/grids/time_grid.h"
#include "pipeline/policies.h"
#include "solvers/registry.h"
#include "tests/evaluation/made_up_rows.h"

#include <fmt/format.h>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

using namespace stride;
using made_up::against_first;
using made_up::evaluation_of;
using made_up::row;
using made_up::some_errors;

namespace {

EvaluationResult results() {
  std::mt19937_64 generator(21);
  std::vector<SamplerResult> rows = {row("ipndm", 4, some_errors(32, 1.0, generator)),
                                     row("ipndm", 6, some_errors(32, 0.6, generator)),
                                     row("dpmpp_2m", 5, some_errors(32, 0.5, generator)),
                                     row("plan:my_plan.json", 5, some_errors(32, 0.2, generator))};
  rows[2].schedule = "exponential";
  return evaluation_of(rows, "0-31");
}

Comparison comparison_of(const RowPool& pool) {
  ComparisonSettings settings;
  settings.resamples = 199;
  return compare_rows(pool, against_first(pool), settings);
}

std::size_t count(const std::string& text, const std::string& what) {
  std::size_t out = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + what.size())) ++out;
  return out;
}

}  // namespace

TEST_CASE("bibliography: every solver is of some work, and every arXiv number that is cited is there") {
  std::vector<std::pair<std::string, std::string>> references;
  for (const std::string& name : solver_names()) {
    INFO("the solver " << name << ": add what its reference cites to evaluation/comparison/works_on_methods.cpp");
    CHECK_FALSE(solver_citations(name).empty());
    references.emplace_back(name, solver_traits(name).reference);
  }
  for (const GridTraits& traits : grid_traits()) references.emplace_back(traits.name, traits.reference);
  for (const NoiseScheduleTraits& traits : noise_schedule_traits())
    references.emplace_back(traits.name, traits.reference);
  for (const PolicyTraits& traits : policy_traits()) references.emplace_back(traits.name, traits.reference);
  const std::regex arxiv("arXiv:[0-9]{4}\\.[0-9]{5}"), paper("[A-Z][^ ]+ (& [A-Z][^ ]+ )?(1[89]|20)[0-9]{2}");
  for (const auto& [name, reference] : references) {
    INFO(name << ": " << reference);
    for (auto at = std::sregex_iterator(reference.begin(), reference.end(), arxiv); at != std::sregex_iterator(); ++at)
      CHECK(citations(at->str()).size() == 1);
    if (std::regex_search(reference, paper)) CHECK_FALSE(citations(reference).empty());
  }
}

TEST_CASE("bibliography: entries are BibTeX, and say who, what and when") {
  std::set<std::string> keys, cited;
  for (const BibliographyEntry& entry : bibliography()) {
    INFO(entry.key);
    CHECK(keys.insert(entry.key).second);
    CHECK(cited.insert(entry.cited_as).second);
    for (const char* field : {"author", "title", "year"}) CHECK_FALSE(entry.field(field).empty());
    if (entry.kind == "article") CHECK_FALSE(entry.field("journal").empty());
    if (entry.kind == "inproceedings") CHECK_FALSE(entry.field("booktitle").empty());
    if (entry.kind == "book") CHECK_FALSE(entry.field("publisher").empty());
    if (entry.cited_as.starts_with("arXiv:")) CHECK("arXiv:" + entry.field("eprint") == entry.cited_as);
    CHECK(std::regex_match(entry.field("year"), std::regex("(1[89]|20)[0-9]{2}")));
    const std::string text = bibtex({entry.key});
    CHECK(std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 128; }));
    int depth = 0;
    for (const char c : text) {
      depth += c == '{' ? 1 : c == '}' ? -1 : 0;
      CHECK(depth >= 0);
    }
    CHECK(depth == 0);
  }
  CHECK(bibtex({"holm1979", "efron1987", "holm1979"}) == bibtex({"efron1987", "holm1979"}));
  CHECK_THROWS_AS(bibtex({"nobody1900"}), UsageError);
}

TEST_CASE("bibliography: rows cite their solver, grid and policy") {
  SamplerResult one = row("heun:s_churn=4", 5, std::vector<double>(8, 1.0));
  CHECK(citations_of(one) == std::vector<std::string>{"karras2022edm"});
  one.sampler = "ddim@3,dpmpp_2m@2";
  CHECK(citations_of(one) == std::vector<std::string>{"song2021ddim", "lu2022dpmpp", "karras2022edm"});
  one.sampler = "DPM++ 2M";
  CHECK(solver_citations(one.sampler) == std::vector<std::string>{"lu2022dpmpp"});
  one.policy = "pi:atol=0.1";
  CHECK_THAT(bibtex(citations_of(one)), contains("gustafsson1991") && contains("soderlind2003"));
}

TEST_CASE("methods: the paragraph says what was run, and nothing that was not") {
  const RowPool pool = pool_of(results());
  const Comparison comparison = comparison_of(pool);
  const std::string text = methods_text(pool, comparison, Citing::markdown);
  INFO(text);
  for (const char* there :
       {"ipndm [@zhang2023deis]", "dpmpp_2m [@lu2022dpmpp]", "plans fitted by least squares", "karras [@karras2022edm]",
        "exponential [@lu2022dpmsolver]", "at 4, 5 and 6 network evaluations", "32 noise images (seeds 0-31)",
        "heun [@karras2022edm] in 79 steps", "4 blocks of seeds", "199 resamples", "Holm's method [@holm1979]",
        "running minimum"})
    CHECK_THAT(text, contains(there));
  for (const char* absent : {"Satterthwaite", "per sample by", "with class"}) CHECK_THAT(text, !contains(absent));
  const std::string latex = methods_text(pool, comparison, Citing::latex);
  CHECK_THAT(latex, contains("dpmpp\\_2m~\\citep{lu2022dpmpp}") && contains("$\\sigma$") && !contains("σ"));
  const std::vector<std::string> works = works_cited(pool, comparison);
  const std::string bib = bibtex(works);
  CHECK(count(bib, "@") == works.size());
  for (const std::string& key : works) CHECK_THAT(text, contains("@" + key));
}

TEST_CASE("comparison files: CSV has a field for each column, and numbers that read back") {
  const RowPool pool = pool_of(results());
  const Comparison comparison = comparison_of(pool);
  const std::string csv = comparison_csv(comparison);
  const std::size_t columns = count(csv.substr(0, csv.find('\n')), ",");
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < csv.size(); at = csv.find('\n', at) + 1)
    lines.push_back(csv.substr(at, csv.find('\n', at) - at));
  REQUIRE(lines.size() == 4);
  for (const std::string& line : lines) CHECK(count(line, ",") == columns);
  CHECK_THAT(csv, contains(fmt::format("{}", comparison.rows[1].change.low)));
  const auto json = nlohmann::json::parse(comparison_json(comparison));
  CHECK(json.at("rows").at(1).at("change").at("jackknife").at(0).get<double>() == comparison.rows[1].change.low);
  CHECK(json.at("rows").at(0).at("saved_nfe").contains("none"));
}

TEST_CASE("comparison files: LaTeX is escaped and balanced, Markdown has as many cells as titles") {
  const RowPool pool = pool_of(results());
  const Comparison comparison = comparison_of(pool);
  const std::string latex = comparison_latex(comparison);
  INFO(latex);
  for (const char* environment : {"table", "tabular"}) {
    CHECK(count(latex, std::string("\\begin{") + environment + "}") == 1);
    CHECK(count(latex, std::string("\\end{") + environment + "}") == 1);
  }
  for (const char* rule : {"\\toprule", "\\midrule", "\\bottomrule"}) CHECK(count(latex, rule) == 1);
  CHECK(count(latex, " \\\\\n") == 4);
  CHECK_THAT(latex, contains("dpmpp\\_2m $\\cdot$ exponential"));
  const std::string body = latex.substr(0, latex.find("\\end{table}"));
  CHECK(std::all_of(body.begin(), body.end(), [](char c) { return static_cast<unsigned char>(c) < 128; }));
  CHECK(count(body, "{") == count(body, "}"));
  CHECK(escape_latex("50 % of a_b & c") == "50 \\% of a\\_b \\& c");
  const std::string markdown = comparison_markdown(comparison);
  std::size_t bars = 0;
  for (std::size_t at = 0; at < markdown.size() && markdown[at] == '|'; at = markdown.find('\n', at) + 1) {
    const std::size_t here = count(markdown.substr(at, markdown.find('\n', at) - at), "|");
    if (bars > 0) CHECK(here == bars);
    bars = here;
  }
  CHECK(bars == 12);
}

TEST_CASE("report: runs of one NFE are shown in pairs where they hold what each seed came to") {
  ReportData data;
  data.evaluations = {results()};
  const std::string page = report_html(data);
  CHECK_THAT(page,
             contains("Paired differences") && contains("against fitted plan") && contains("the lowest of 2 runs"));
  for (SamplerResult& sampler : data.evaluations[0].samplers) sampler.seeds_npz.clear();
  CHECK_THAT(report_html(data), !contains("Paired differences"));
}
