#include "evaluation/comparison/comparison.h"

#include "datasets/metrics/bootstrap.h"
#include "evaluation/comparison/nfe_curve.h"
#include "evaluation/comparison/pairing.h"
#include "evaluation/labels.h"
#include "evaluation/metric_facts.h"
#include "evaluation/metric_set.h"
#include "evaluation/number_text.h"
#include "framework/error.h"
#include "pipeline/seeds.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include <fmt/format.h>

namespace stride {
namespace {

constexpr int64_t kBootstrapBlocks = 256;
constexpr int64_t kPermutationBlocks = 4096;
constexpr double kTail = 0.025;

using Members = std::vector<std::size_t>;  // places in a Pairing

// One recipe's files are its trainings; what has none is a method of its own.
std::string recipe_of(const SamplerResult& row) {
  SamplerResult bare = row;
  bare.tag.clear();
  const std::string nfe = row.adaptive() ? "" : fmt::format(" @ {}", nfe_text(row.cost.nfe_mean));
  return full_label(bare) + nfe;
}

// What has one error over NFE: one solver on one kind of grid, at any number of steps.
std::string method_of(const SamplerResult& row) {
  SamplerResult bare = row;
  bare.tag.clear();
  if (!row.adaptive()) return full_label(bare);
  return row.policy.substr(0, row.policy.find(':')) + " · " + solver_label(row) + " · " + row.final;
}

bool same_training(const SamplerResult& a, const SamplerResult& b) {
  return a.plan_json == b.plan_json && a.policy_sha256 == b.policy_sha256;
}

// What names a row and its grid.
SamplerResult slim(const SamplerResult& row) {
  SamplerResult out = row;
  out.strip_png.clear();
  out.seeds_npz.clear();
  out.paths.clear();
  out.plan_json.clear();
  return out;
}

double mean_of(const std::vector<double>& values, const Members& members) {
  double sum = 0.0;
  for (const std::size_t member : members) sum += values[member];
  return sum / static_cast<double>(members.size());
}

class Comparer final {
 public:
  Comparer(const RowPool& pool, const RowChoice& choice, const ComparisonSettings& settings)
      : pool_(pool), choice_(choice), pairing_(pair_rows(pool, all_of(choice), settings.metric)) {
    out_.settings = settings;
    higher_ = higher_is_better(settings.metric);
    const PairedTable& table = pairing_.table;
    if (settings.resamples < 100 || settings.resamples > 10'000'000)
      throw UsageError(fmt::format("`resamples` {}: give from 100 to 10,000,000", settings.resamples));
    int64_t& blocks = out_.settings.blocks;
    if (blocks < 0) throw UsageError(fmt::format("`blocks` {}: give a positive number", blocks));
    if (blocks == 0) blocks = static_cast<int64_t>(pool.block_sizes.front().size());
    blocks = std::min(blocks, table.units());
    out_.bootstrap_blocks = std::min(kBootstrapBlocks, table.units());
    out_.permutation_blocks = std::min(kPermutationBlocks, table.units());
    all_ = table.all();
    without_ = table.without(blocks);
    without_one_ = table.without(out_.bootstrap_blocks);
    resampled_ = table.resampled(out_.bootstrap_blocks, settings.resamples, settings.seed);
  }

  Comparison run() {
    describe();
    std::vector<Members> baseline, rows;
    group(baseline, rows);
    for (const Members& row : rows) {
      const std::vector<Members> opponents = opponents_of(row, baseline);
      if (opponents.empty()) {
        note(fmt::format("{} is left out: no row of the baseline has its evaluations", compared(row).label));
        continue;
      }
      out_.rows.push_back(compare(row, opponents));
    }
    if (out_.rows.empty())
      throw UsageError("no row has as many evaluations as a row of the baseline: name one row as the baseline");
    adjust();
    return std::move(out_);
  }

 private:
  using Statistic = std::function<double(const PairedView&)>;

  static std::vector<std::size_t> all_of(const RowChoice& choice) {
    std::vector<std::size_t> out = choice.baseline;
    out.insert(out.end(), choice.rows.begin(), choice.rows.end());
    return out;
  }

  void note(const std::string& text) {
    if (std::find(out_.notes.begin(), out_.notes.end(), text) == out_.notes.end()) out_.notes.push_back(text);
  }

  void describe() {
    const EvaluationResult& first = pool_.rows;
    out_.model = first.model;
    out_.model_sha256 = first.model_sha256;
    out_.teacher = slim(first.teacher);
    out_.by_seed = pairing_.by_seed;
    out_.units = pairing_.table.units();
    out_.seeds = format_seeds(pairing_.seeds);
    out_.n = static_cast<int64_t>(pairing_.seeds.size());
    std::set<std::size_t> parts;
    for (const std::size_t row : all_of(choice_)) parts.insert(first.samplers[row].part);
    for (const std::size_t part : parts) {
      const auto seeds = static_cast<int64_t>(pool_.seeds[part].size());
      out_.runs.emplace_back(part < first.parts.size() ? first.parts[part].name : "", seeds);
      if (seeds != out_.n)
        note(fmt::format("{} of the {} seeds of {} are common to all rows, and were used", out_.n, seeds,
                         out_.runs.back().first));
    }
    if (!pairing_.by_seed)
      note(out_.settings.metric == "rmse"
               ? fmt::format("a run holds nothing by seed, so that rows are paired by their {} blocks of seeds",
                             out_.units)
               : fmt::format("{} is a metric of a set: rows are paired by their {} blocks of seeds, whose values share "
                             "the bias of small sets; their mean is compared",
                             out_.settings.metric, out_.units));
    for (const std::size_t row : all_of(choice_)) {
      const SamplerResult& sampler = first.samplers[row];
      if (!sampler.seeds_seen.empty())
        note(fmt::format("{} was fitted to, or chosen on, some of these seeds ({}), which favours it",
                         full_label(sampler), sampler.seeds_seen));
    }
  }

  // Rows of the choice as they are compared: each alone, or the trainings of a recipe together.
  void group(std::vector<Members>& baseline, std::vector<Members>& rows) {
    std::vector<Members> groups;
    std::map<std::string, std::size_t> known;
    for (const std::size_t place : all_of(choice_)) {
      const SamplerResult& row = pool_.rows.samplers[place];
      const std::size_t at = pairing_.place(&row);
      const bool trained = out_.settings.training_seeds && !source_of(row).empty();
      const auto [entry, fresh] = trained ? known.emplace(recipe_of(row), groups.size()) : std::pair{known.end(), true};
      if (fresh) {
        groups.push_back({at});
        continue;
      }
      Members& members = groups[entry->second];
      const bool again = std::any_of(members.begin(), members.end(),
                                     [&](std::size_t member) { return same_training(*pairing_.rows[member], row); });
      if (again)
        note(fmt::format("{} is there twice with one file, and counts once", full_label(row)));
      else
        members.push_back(at);
    }
    for (const Members& members : groups) {
      const bool opponent = std::any_of(choice_.baseline.begin(), choice_.baseline.end(), [&](std::size_t place) {
        return std::find(members.begin(), members.end(), pairing_.place(&pool_.rows.samplers[place])) != members.end();
      });
      (opponent ? baseline : rows).push_back(members);
    }
    const auto several = [](const Members& members) { return members.size() > 1; };
    if (out_.settings.training_seeds && std::none_of(groups.begin(), groups.end(), several))
      note("`training_seeds` has no effect: no two rows are trainings of one recipe");
    if (rows.empty()) throw UsageError("nothing is left to compare: all rows are trainings of the baseline's recipe");
  }

  // Of several rows of a baseline those with the row's evaluations; for the mean of an adaptive policy the next count.
  [[nodiscard]] std::vector<Members> opponents_of(const Members& row, const std::vector<Members>& baseline) const {
    if (baseline.size() == 1) return baseline;
    const double nfe = mean_of(all_.nfe, row);
    const bool adaptive = pairing_.rows[row.front()]->adaptive();
    double level = std::numeric_limits<double>::infinity();
    for (const Members& one : baseline) {
      const double there = mean_of(all_.nfe, one);
      if (there >= nfe - 1e-9 && (adaptive || there <= nfe + 1e-9)) level = std::min(level, there);
    }
    std::vector<Members> out;
    std::copy_if(baseline.begin(), baseline.end(), std::back_inserter(out),
                 [&](const Members& one) { return std::abs(mean_of(all_.nfe, one) - level) <= 1e-9; });
    return out;
  }

  [[nodiscard]] ComparedRow compared(const Members& members) const {
    ComparedRow out;
    for (const std::size_t member : members) {
      out.members.push_back(slim(*pairing_.rows[member]));
      out.not_finite += pairing_.not_finite[member];
    }
    out.nfe = mean_of(all_.nfe, members);
    out.error = mean_of(all_.error, members);
    const SamplerResult& first = out.members.front();
    out.label = members.size() == 1
                    ? row_label(first)
                    : fmt::format("{} ({} trainings){}", recipe_of(first), members.size(),
                                  first.adaptive() ? fmt::format(" @ {}", nfe_text(out.nfe)) : std::string());
    return out;
  }

  // The lowest (or highest) among `rows`; NaN where one is.
  [[nodiscard]] double best(const PairedView& view, const std::vector<Members>& rows) const {
    double out = mean_of(view.error, rows.front());
    for (const Members& row : rows) {
      const double value = mean_of(view.error, row);
      if (std::isnan(value) || std::isnan(out)) return std::nan("");
      if (higher_ ? value > out : value < out) out = value;
    }
    return out;
  }

  void intervals(const Statistic& of, Estimate& jack, Estimate& boot) const {
    const auto values = [&](const std::vector<PairedView>& views) {
      std::vector<double> out;
      for (const PairedView& view : views) out.push_back(of(view));
      return out;
    };
    const double all = of(all_);
    jack = jackknife(all, values(without_));
    boot = bca_interval(all, values(resampled_), values(without_one_));
  }

  RowComparison compare(const Members& row, const std::vector<Members>& opponents) {
    RowComparison out;
    out.row = compared(row);
    for (const Members& one : opponents) out.opponents.push_back(compared(one));
    const auto chosen = std::min_element(opponents.begin(), opponents.end(), [&](const Members& a, const Members& b) {
      const double x = mean_of(all_.error, a), y = mean_of(all_.error, b);
      return higher_ ? x > y : x < y;
    });
    out.opponent = compared(*chosen);
    const Statistic change = [&](const PairedView& view) {
      return mean_of(view.error, row) / best(view, opponents) - 1.0;
    };
    intervals([&](const PairedView& view) { return mean_of(view.error, row) - best(view, opponents); }, out.difference,
              out.difference_bootstrap);
    intervals(change, out.change, out.change_bootstrap);
    test(out, row, *chosen);
    save(out, row, opponents);
    if (row.size() > 1 || chosen->size() > 1) out.trained = trained(out, row, *chosen, change);
    return out;
  }

  // Squared errors (or a metric's values) by unit, a recipe's mean.
  [[nodiscard]] std::vector<double> figures(const Members& members) const {
    std::vector<double> out(static_cast<std::size_t>(out_.units), 0.0);
    for (const std::size_t member : members) {
      const std::vector<double>& values = pairing_.table.figures(member);
      for (std::size_t u = 0; u < out.size(); ++u) out[u] += values[u] / static_cast<double>(members.size());
    }
    return out;
  }

  void test(RowComparison& out, const Members& row, const Members& opponent) const {
    const std::vector<double> mine = figures(row), theirs = figures(opponent);
    std::vector<double> differences(mine.size());
    for (std::size_t u = 0; u < mine.size(); ++u) {
      // A sample that is not finite is worse than any other.
      const bool bad = !std::isfinite(mine[u]), their_bad = !std::isfinite(theirs[u]);
      const bool tie = bad || their_bad ? bad == their_bad : mine[u] == theirs[u];
      const bool good = bad || their_bad ? their_bad : higher_ ? mine[u] > theirs[u] : mine[u] < theirs[u];
      ++(tie ? out.ties : good ? out.better : out.worse);
      differences[u] = pairing_.table.samples()[u] * (mine[u] - theirs[u]);
    }
    out.sign_p = sign_test(out.better, out.worse);
    out.permutation =
        permutation_test(block_sums(differences, out_.permutation_blocks), out_.settings.resamples, out_.settings.seed);
  }

  // The opponents' methods over NFE: all rows of theirs that were run, on the view's samples.
  [[nodiscard]] std::vector<std::pair<double, double>> curve(
      const PairedView& view, const std::map<int64_t, std::vector<Members>>& levels) const {
    std::vector<std::pair<double, double>> out;
    for (const auto& [nfe, rows] : levels) {
      double evaluations = 0.0;
      for (const Members& row : rows) evaluations += mean_of(view.nfe, row) / static_cast<double>(rows.size());
      out.emplace_back(evaluations, best(view, rows));
    }
    return out;
  }

  void save(RowComparison& out, const Members& row, const std::vector<Members>& opponents) const {
    std::set<std::string> methods;
    for (const Members& one : opponents) methods.insert(method_of(*pairing_.rows[one.front()]));
    if (higher_ || out_.settings.metric.starts_with("kid") || out_.settings.metric.starts_with("fd-inf")) {
      out.no_saving = "the metric has no logarithm";
      return;
    }
    if (methods.contains(method_of(*pairing_.rows[row.front()]))) {
      out.no_saving = "it is the opponent's own method";
      return;
    }
    std::map<int64_t, std::vector<Members>> levels;
    for (std::size_t i = 0; i < pairing_.rows.size(); ++i) {
      if (methods.contains(method_of(*pairing_.rows[i])) && std::isfinite(all_.error[i]))
        levels[std::llround(all_.nfe[i] * 1e6)].push_back({i});
    }
    if (levels.size() < 2) {
      out.no_saving = "the opponent was run at one number of evaluations only";
      return;
    }
    const auto saved = [&](const PairedView& view) {
      CurveNfe at = nfe_at(curve(view, levels), mean_of(view.error, row));
      at.nfe -= mean_of(view.nfe, row);
      return at;
    };
    const CurveNfe all = saved(all_);
    if (std::isnan(all.nfe)) {
      out.no_saving = "an error is not finite";
      return;
    }
    std::vector<double> values;
    double below = 0.0, above = 0.0;
    for (const PairedView& view : resampled_) {
      const CurveNfe one = saved(view);
      values.push_back(one.nfe);
      below += one.beyond < 0 ? 1.0 : 0.0;
      above += one.beyond > 0 ? 1.0 : 0.0;
    }
    const Estimate interval = percentile_interval(all.nfe, values);
    const double most = kTail * static_cast<double>(values.size());
    out.saved = {all.nfe, interval.low, interval.high, all.beyond, below > most, above > most};
  }

  // The variance of the change from training again, on both sides, by the delta method.
  [[nodiscard]] CrossedInterval trained(const RowComparison& out, const Members& row, const Members& opponent,
                                        const Statistic& change) const {
    const auto variance = [&](const Members& members) {
      const double mean = mean_of(all_.error, members), count = static_cast<double>(members.size());
      double sum = 0.0;
      for (const std::size_t member : members) sum += (all_.error[member] - mean) * (all_.error[member] - mean);
      return count > 1.0 ? sum / (count - 1.0) / count : 0.0;
    };
    const double mine = out.row.error, theirs = out.opponent.error;
    std::vector<double> without;
    for (const PairedView& view : without_) without.push_back(change(view));
    return crossed_interval(
        out.change.value, {variance(row) / (theirs * theirs), variance(opponent) * mine * mine / std::pow(theirs, 4.0)},
        {static_cast<int64_t>(row.size()), static_cast<int64_t>(opponent.size())}, without);
  }

  void adjust() {
    std::vector<double> sign, permutation;
    for (const RowComparison& row : out_.rows) {
      sign.push_back(row.sign_p);
      permutation.push_back(row.permutation.p);
    }
    sign = holm(sign);
    permutation = holm(permutation);
    for (std::size_t i = 0; i < out_.rows.size(); ++i) {
      out_.rows[i].sign_holm = sign[i];
      out_.rows[i].permutation_holm = permutation[i];
    }
  }

  const RowPool& pool_;
  const RowChoice& choice_;
  Pairing pairing_;
  Comparison out_;
  bool higher_ = false;
  PairedView all_;
  std::vector<PairedView> without_, without_one_, resampled_;
};

}  // namespace

Comparison compare_rows(const RowPool& pool, const RowChoice& choice, const ComparisonSettings& settings) {
  return Comparer(pool, choice, settings).run();
}

}  // namespace stride
