#include "evaluation/comparison/methods_text.h"

#include "evaluation/comparison/bibliography.h"
#include "evaluation/comparison/comparison_files.h"
#include "evaluation/labels.h"
#include "evaluation/number_text.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace stride {
namespace {

using Keys = std::vector<std::string>;

class Writer final {
 public:
  Writer(const RowPool& pool, const Comparison& comparison, Citing citing)
      : pool_(pool), comparison_(comparison), citing_(citing) {
    for (const RowComparison& row : comparison.rows) {
      add(row.row);
      for (const ComparedRow& one : row.opponents) add(one);
    }
  }

  std::string write() {
    samplers();
    teacher();
    statistics();
    return out_ + "\n";
  }

  [[nodiscard]] const Keys& cited() const { return cited_; }

 private:
  void add(const ComparedRow& row) {
    for (const SamplerResult& member : row.members) {
      const bool known = std::any_of(rows_.begin(), rows_.end(), [&](const SamplerResult* other) {
        return row_label(*other) == row_label(member);
      });
      if (!known) rows_.push_back(&member);
    }
  }

  void say(const std::string& text) { out_ += citing_ == Citing::latex ? escape_latex(text) : text; }
  void cite(const Keys& keys) {
    if (keys.empty()) return;
    add_keys(cited_, keys);
    out_ += citing_ == Citing::latex ? fmt::format("~\\citep{{{}}}", fmt::join(keys, ","))
                                     : fmt::format(" [@{}]", fmt::join(keys, "; @"));
  }

  // "a [1], b [2] and c [3]".
  void list(const std::vector<std::pair<std::string, Keys>>& items) {
    for (std::size_t i = 0; i < items.size(); ++i) {
      say((i == 0 ? "" : i + 1 == items.size() ? " and " : ", ") + items[i].first);
      cite(items[i].second);
    }
  }

  static void once(std::vector<std::pair<std::string, Keys>>& items, const std::string& name, const Keys& keys) {
    for (const auto& [known, works] : items)
      if (known == name) return;
    items.emplace_back(name, keys);
  }

  void samplers() {
    const EvaluationResult& result = pool_.rows;
    say(fmt::format(
        "Samplers of the model {} (SHA-256 {:.12}) were compared on the same {} noise images (seeds {}), in {}",
        result.model, result.model_sha256, comparison_.n, comparison_.seeds, result.dtype));
    for (const auto& [name, text] : result.conditions) say(fmt::format(", with {} {}", name, text));
    say(": ");
    std::vector<std::pair<std::string, Keys>> solvers, grids, policies;
    std::set<std::string> ends, evaluations;
    std::vector<double> counts;
    for (const SamplerResult* row : rows_) {
      once(solvers, row->is_plan() ? "plans fitted by least squares" : solver_label(*row),
           solver_citations(row->sampler));
      if (!row->is_plan() && !row->adaptive()) once(grids, row->schedule, schedule_citations(row->schedule));
      if (row->adaptive()) {
        const std::string policy = row->policy.substr(0, row->policy.find(':'));
        Keys keys = citations_of(*row);
        const Keys own = solver_citations(row->sampler), of_grid = schedule_citations(row->schedule);
        std::erase_if(keys, [&](const std::string& key) {
          return std::find(own.begin(), own.end(), key) != own.end() ||
                 std::find(of_grid.begin(), of_grid.end(), key) != of_grid.end();
        });
        once(policies, policy, keys);
      } else {
        counts.push_back(row->cost.nfe_mean);
      }
      ends.insert(row->final == "zero" ? "a last jump to σ = 0" : "the smallest noise level of the grid as the end");
    }
    list(solvers);
    if (!grids.empty()) {
      say(grids.size() == 1 ? ", on the grid of noise levels " : ", on the grids of noise levels ");
      list(grids);
    }
    if (!policies.empty()) {
      say(", with steps chosen per sample by ");
      list(policies);
    }
    say(", with " + joined({ends.begin(), ends.end()}));
    std::sort(counts.begin(), counts.end());
    counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
    std::vector<std::string> words;
    for (const double count : counts) words.push_back(nfe_text(count));
    if (!words.empty()) say(fmt::format(", at {} network evaluations (NFE) per sample", joined(words)));
    say(". ");
  }

  void teacher() {
    const SamplerResult& teacher = comparison_.teacher;
    const std::string& metric = comparison_.settings.metric;
    if (metric == "rmse") {
      say(fmt::format(
          "The error of a sample is the root mean square difference to where the teacher ended from the same "
          "noise: {}",
          solver_label(teacher)));
      cite(solver_citations(teacher.sampler));
      say(fmt::format(" in {} steps on {} ({} evaluations). ", teacher.steps, teacher.schedule,
                      nfe_text(teacher.cost.nfe_mean)));
      return;
    }
    say("The metric is " + metric);
    cite(metric_citations(metric));
    if (!pool_.rows.features.empty())
      say(fmt::format(", in the features of {} (SHA-256 {:.12})", pool_.rows.features, pool_.rows.features_sha256));
    say(". ");
  }

  void statistics() {
    const ComparisonSettings& settings = comparison_.settings;
    say(comparison_.by_seed
            ? std::string("Differences are paired seed by seed. ")
            : fmt::format("Differences are paired over {} blocks of consecutive seeds. ", comparison_.units));
    say(fmt::format("Intervals (95 %) are the delete-one-block jackknife over {} blocks of seeds with Student's t",
                    settings.blocks));
    cite({"efron1993"});
    say(fmt::format(" and the BCa bootstrap of {} resamples of {} blocks", settings.resamples,
                    comparison_.bootstrap_blocks));
    cite({"efron1987"});
    say(". p-values are those of the two-sided exact sign test and of the permutation test that swaps the two "
        "samplers");
    const bool exact = std::all_of(comparison_.rows.begin(), comparison_.rows.end(),
                                   [](const RowComparison& row) { return row.permutation.exact; });
    if (exact) {
      say(", over all ways of swapping");
    } else {
      say(fmt::format(" ({} random ways", settings.resamples));
      cite({"phipson2010"});
      say(")");
    }
    if (comparison_.rows.size() > 1) {
      say(fmt::format(", adjusted for {} comparisons by Holm's method", comparison_.rows.size()));
      cite({"holm1979"});
    }
    say(". ");
    if (std::any_of(comparison_.rows.begin(), comparison_.rows.end(),
                    [](const auto& row) { return row.saved.has_value(); }))
      say("Evaluations saved at equal error are read off the opponent's error over NFE, interpolated between the "
          "numbers "
          "of evaluations that were run on logarithmic axes and made monotone by its running minimum; nothing is "
          "extrapolated; their intervals are percentiles of the same resamples. ");
    if (std::any_of(comparison_.rows.begin(), comparison_.rows.end(),
                    [](const auto& row) { return row.trained.has_value(); })) {
      say("For recipes that were trained several times, the variances between trainings and between seeds are added, "
          "with "
          "Satterthwaite's degrees of freedom");
      cite({"satterthwaite1946"});
      say(". ");
    }
    say("Everything was computed with Stride");
    cite({"stride"});
    say(".");
  }

  const RowPool& pool_;
  const Comparison& comparison_;
  Citing citing_;
  std::vector<const SamplerResult*> rows_;
  std::string out_;
  Keys cited_;
};

}  // namespace

std::string methods_text(const RowPool& pool, const Comparison& comparison, Citing citing) {
  return Writer(pool, comparison, citing).write();
}

std::vector<std::string> works_cited(const RowPool& pool, const Comparison& comparison) {
  Writer writer(pool, comparison, Citing::markdown);
  (void)writer.write();
  return writer.cited();
}

}  // namespace stride
