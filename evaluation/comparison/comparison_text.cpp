#include "evaluation/comparison/comparison_text.h"

#include "evaluation/labels.h"
#include "evaluation/metric_facts.h"
#include "evaluation/number_text.h"
#include "evaluation/text_table.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

using Json = nlohmann::ordered_json;

Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

std::string percent(double ratio) {
  const double size = std::abs(ratio) * 100.0;
  return fmt::format("{:.{}f} %", size, size < 9.95 ? 1 : 0);
}

std::string range_text(const Estimate& e) {
  return std::isnan(e.low) ? "–" : fmt::format("{} to {}", signed_percent(e.low), signed_percent(e.high));
}

bool clear_of_zero(const Estimate& e) { return e.low > 0.0 || e.high < 0.0; }

// "ipndm · karras · zero @ 5", or what it is the lowest of.
std::string opponents_text(const Comparison& comparison, const RowComparison& row) {
  if (row.opponents.size() == 1) return row.opponent.label;
  std::vector<const SamplerResult*> all;
  for (const ComparedRow& one : row.opponents)
    for (const SamplerResult& member : one.members) all.push_back(&member);
  return fmt::format("the {} of {}, {}", higher_is_better(comparison.settings.metric) ? "highest" : "lowest",
                     runs_text(all), row.opponent.label);
}

std::string paired_on(const Comparison& comparison) {
  return comparison.by_seed ? fmt::format("{} seeds", comparison.n)
                            : fmt::format("{} blocks of {} seeds", comparison.units, comparison.n);
}

// "1.2 to 2.4", with ≤ and ≥ where the opponent's runs end.
std::string saved_range(const SavedEvaluations& saved) {
  return fmt::format("{}{} to {}{}", saved.low_open ? "≤ " : "", number_text(saved.low, 2), saved.high_open ? "≥ " : "",
                     number_text(saved.high, 2));
}

std::string saving_sentence(const RowComparison& row) {
  if (!row.saved) return "";
  const SavedEvaluations& saved = *row.saved;
  const std::string verb = saved.value >= 0.0 ? "saves" : "costs", size = number_text(std::abs(saved.value), 2);
  if (saved.beyond == 0)
    return fmt::format(
        " It {} {} evaluations at equal error, read off the opponent's runs at other NFE (95 % interval of what it "
        "saves "
        "{}).",
        verb, size, saved_range(saved));
  return fmt::format(
      " It {} at {} {} evaluations at equal error: the opponent's runs end there, and nothing is extrapolated.", verb,
      (saved.beyond > 0) == (saved.value >= 0.0) ? "least" : "most", size);
}

std::string trained_sentence(const RowComparison& row) {
  if (!row.trained) return "";
  const CrossedInterval& both = *row.trained;
  return fmt::format(
      " Over training seeds and sampling seeds together the interval is {} (standard deviations {} and {}, {} degrees "
      "of freedom).",
      range_text(both.all), percent(std::sqrt(both.training)), percent(std::sqrt(both.sampling)),
      number_text(both.degrees, 2));
}

Json estimate_json(const Estimate& jack, const Estimate& boot) {
  return {{"value", number(jack.value)},
          {"jackknife", {number(jack.low), number(jack.high)}},
          {"bootstrap", {number(boot.low), number(boot.high)}}};
}

Json row_json(const ComparedRow& row) {
  Json members = Json::array();
  for (const SamplerResult& member : row.members)
    members.push_back({{"sampler", member.sampler},
                       {"schedule", member.schedule},
                       {"final", member.final},
                       {"policy", member.policy},
                       {"steps", member.steps}});
  return {{"label", row.label},
          {"nfe", number(row.nfe)},
          {"value", number(row.error)},
          {"not_finite", row.not_finite},
          {"rows", members}};
}

Json comparison_row_json(const Comparison& comparison, const RowComparison& row) {
  Json out = row_json(row.row);
  out["opponent"] = row_json(row.opponent);
  Json opponents = Json::array();
  for (const ComparedRow& one : row.opponents) opponents.push_back(one.label);
  out["opponents"] = opponents;
  out["difference"] = estimate_json(row.difference, row.difference_bootstrap);
  out["change"] = estimate_json(row.change, row.change_bootstrap);
  out["better"] = row.better;
  out["worse"] = row.worse;
  out["ties"] = row.ties;
  out["sign_test"] = {{"p", number(row.sign_p)}, {"holm", number(row.sign_holm)}};
  out["permutation_test"] = {{"p", number(row.permutation.p)},
                             {"error", number(row.permutation.error)},
                             {"ways", row.permutation.draws},
                             {"exact", row.permutation.exact},
                             {"holm", number(row.permutation_holm)}};
  if (row.saved)
    out["saved_nfe"] = {{"value", number(row.saved->value)},
                        {"bootstrap", {number(row.saved->low), number(row.saved->high)}},
                        {"beyond", row.saved->beyond},
                        {"low_open", row.saved->low_open},
                        {"high_open", row.saved->high_open}};
  else
    out["saved_nfe"] = {{"none", row.no_saving}};
  if (row.trained)
    out["training_seeds"] = {{"interval", {number(row.trained->all.low), number(row.trained->all.high)}},
                             {"variance_training", number(row.trained->training)},
                             {"variance_sampling", number(row.trained->sampling)},
                             {"degrees", number(row.trained->degrees)}};
  out["statement"] = statement(comparison, row);
  return out;
}

}  // namespace

std::string signed_percent(double ratio) {
  if (!std::isfinite(ratio)) return "–";
  const std::string size = percent(ratio);
  if (size == "0.0 %") return "±0 %";
  return (ratio < 0 ? "−" : "+") + size;
}

std::string significance_mark(double p) { return p < 0.001 ? "***" : p < 0.01 ? "**" : p < 0.05 ? "*" : ""; }

std::string saved_text(const RowComparison& row) {
  if (!row.saved) return "–";
  const SavedEvaluations& saved = *row.saved;
  const std::string value = number_text(saved.value, 2);
  if (saved.beyond != 0) return (saved.beyond > 0 ? "≥ " : "≤ ") + value;
  return fmt::format("{} ({})", value, saved_range(saved));
}

std::string statement(const Comparison& comparison, const RowComparison& row) {
  const std::string metric = metric_words(comparison.settings.metric);
  const std::string opponents = opponents_text(comparison, row);
  if (std::isnan(row.change.value))
    return fmt::format("{} and {} cannot be compared in {}: {} samples are not finite.", row.row.label, opponents,
                       metric, row.row.not_finite + row.opponent.not_finite);
  const std::string direction = row.change.value < 0 ? "lower" : "higher";
  std::string out = row.change.value == 0.0 ? fmt::format("{} has the same {} as {}", row.row.label, metric, opponents)
                                            : fmt::format("{} has {} {} {} than {}", row.row.label,
                                                          percent(row.change.value), direction, metric, opponents);
  const bool jack = !std::isnan(row.change.low);
  out += fmt::format(
      " ({}on {}; better on {}, worse on {}; p {} by the permutation test and {} by the sign test{}).",
      jack ? fmt::format("95 % interval {}{}, ", range_text(row.change),
                         clear_of_zero(row.change) ? "" : ", not clear of zero")
           : "",
      paired_on(comparison), row.better, row.worse, number_text(row.permutation_holm, 2), number_text(row.sign_holm, 2),
      comparison.rows.size() > 1 ? fmt::format(", adjusted for {} comparisons", comparison.rows.size()) : "");
  if (row.opponents.size() > 1) out += " The opponent was chosen on these seeds, which favours it.";
  return out + saving_sentence(row) + trained_sentence(row);
}

std::string statement(const Comparison& comparison) {
  if (comparison.rows.size() == 1) return statement(comparison, comparison.rows.front());
  const bool higher = higher_is_better(comparison.settings.metric);
  std::vector<const SamplerResult*> rows;
  std::size_t better = 0, sure = 0, worse = 0, surely_worse = 0;
  const RowComparison* best = nullptr;
  std::vector<std::string> opponents;
  for (const RowComparison& row : comparison.rows) {
    for (const SamplerResult& member : row.row.members) rows.push_back(&member);
    const bool good = higher ? row.change.value > 0 : row.change.value < 0;
    const bool bad = higher ? row.change.value < 0 : row.change.value > 0;
    better += good ? 1 : 0;
    worse += bad ? 1 : 0;
    sure += good && row.permutation_holm < 0.05 ? 1 : 0;
    surely_worse += bad && row.permutation_holm < 0.05 ? 1 : 0;
    if (!std::isnan(row.change.value) &&
        (best == nullptr || (higher ? row.change.value > best->change.value : row.change.value < best->change.value)))
      best = &row;
    const std::string one =
        row.opponents.size() > 1 ? "the best of the baseline's runs of its NFE" : row.opponent.label;
    if (std::find(opponents.begin(), opponents.end(), one) == opponents.end()) opponents.push_back(one);
  }
  const std::string against = opponents.size() <= 2 ? joined(opponents) : "the baseline's run of its NFE";
  std::string out = fmt::format(
      "Of {}, {} have a {} {} than {}, {} of them with an adjusted p below 0.05; {} have a {} one, {} of them so.",
      runs_text(rows), better, higher ? "higher" : "lower", metric_words(comparison.settings.metric), against, sure,
      worse, higher ? "lower" : "higher", surely_worse);
  if (best != nullptr && better > 0) out += " " + statement(comparison, *best);
  return out;
}

std::string comparison_table(const Comparison& comparison) {
  using Align = TextTable::Align;
  const std::string metric = comparison.settings.metric;
  const bool trained = std::any_of(comparison.rows.begin(), comparison.rows.end(),
                                   [](const RowComparison& row) { return row.trained.has_value(); });
  std::vector<TextTable::Column> columns = {{"row", Align::left}, {metric, Align::right}};
  columns.insert(columns.end(), {{"against", Align::left},
                                 {metric, Align::right},
                                 {"change", Align::right},
                                 {"95 % jackknife", Align::left},
                                 {"95 % bootstrap", Align::left}});
  if (trained) columns.push_back({"95 % with training", Align::left});
  columns.insert(
      columns.end(),
      {{"better", Align::right}, {"p sign", Align::right}, {"p swap", Align::right}, {"saves NFE", Align::left}});
  TextTable table(columns);
  for (const RowComparison& row : comparison.rows) {
    const std::string choice = row.opponents.size() > 1 ? fmt::format(" (of {})", row.opponents.size()) : "";
    std::vector<std::string> cells = {row.row.label,
                                      number_text(row.row.error),
                                      row.opponent.label + choice,
                                      number_text(row.opponent.error),
                                      signed_percent(row.change.value) + significance_mark(row.permutation_holm),
                                      range_text(row.change),
                                      range_text(row.change_bootstrap)};
    if (trained) cells.push_back(row.trained ? range_text(row.trained->all) : "");
    cells.insert(cells.end(), {fmt::format("{}/{}", row.better, row.better + row.worse + row.ties),
                               number_text(row.sign_holm, 2), number_text(row.permutation_holm, 2), saved_text(row)});
    table.add(cells);
  }
  std::string out = table.text();
  double error = 0.0;
  bool exact = true;
  for (const RowComparison& row : comparison.rows) {
    error = std::max(error, row.permutation.error);
    exact = exact && row.permutation.exact;
  }
  out += fmt::format(
      "\nPaired on {}. change: {}/{} − 1 of the {}; intervals by the delete-one-block jackknife ({} blocks) and the "
      "BCa "
      "bootstrap ({} resamples of {} blocks). p: exact sign test and permutation test ({}), {}; * below 0.05, ** 0.01, "
      "*** 0.001 of the latter.\n",
      paired_on(comparison), "row", "opponent", metric_words(metric), comparison.settings.blocks,
      comparison.settings.resamples, comparison.bootstrap_blocks,
      exact ? "exact"
            : fmt::format("{} random ways, standard error at most {}", comparison.settings.resamples,
                          number_text(error, 2)),
      comparison.rows.size() > 1 ? fmt::format("adjusted for {} comparisons (Holm)", comparison.rows.size())
                                 : "one comparison");
  return out;
}

std::string comparison_json(const Comparison& comparison) {
  Json out;
  out["metric"] = comparison.settings.metric;
  out["model"] = {{"name", comparison.model}, {"sha256", comparison.model_sha256}};
  out["seeds"] = comparison.seeds;
  out["n"] = comparison.n;
  Json runs = Json::array();
  for (const auto& [name, seeds] : comparison.runs) runs.push_back({{"run", name}, {"seeds", seeds}});
  out["runs"] = runs;
  out["paired_by"] = comparison.by_seed ? "seed" : "block";
  out["units"] = comparison.units;
  out["blocks"] = comparison.settings.blocks;
  out["bootstrap_blocks"] = comparison.bootstrap_blocks;
  out["permutation_blocks"] = comparison.permutation_blocks;
  out["resamples"] = comparison.settings.resamples;
  out["resampling_seed"] = comparison.settings.seed;
  out["statement"] = statement(comparison);
  out["notes"] = comparison.notes;
  Json rows = Json::array();
  for (const RowComparison& row : comparison.rows) rows.push_back(comparison_row_json(comparison, row));
  out["rows"] = rows;
  return out.dump();
}

}  // namespace stride
