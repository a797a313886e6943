#include "evaluation/comparison/comparison_files.h"

#include "evaluation/comparison/comparison_text.h"
#include "evaluation/csv_text.h"
#include "evaluation/metric_facts.h"
#include "evaluation/number_text.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace stride {
namespace {

constexpr const char* kHeader =
    "row,nfe,metric,value,opponent,opponent_nfe,opponent_value,opponents,n,paired_by,difference,difference_low,"
    "difference_high,difference_bootstrap_low,difference_bootstrap_high,change,change_low,change_high,"
    "change_bootstrap_low,change_bootstrap_high,better,worse,ties,sign_p,sign_holm,permutation_p,permutation_error,"
    "permutation_ways,permutation_holm,saved_nfe,saved_low,saved_high,saved_beyond,training_low,training_high,"
    "variance_training,variance_sampling,degrees";

std::string markdown_row(const std::vector<std::string>& cells) {
  return fmt::format("| {} |\n", fmt::join(cells, " | "));
}

// Of a change in percent, for an S column.
std::string latex_percent(double ratio) {
  if (!std::isfinite(ratio)) return "{--}";
  const double value = 100.0 * ratio;
  return fmt::format("{:.1f}", std::abs(value) < 0.05 ? 0.0 : value);
}

std::string latex_range(const Estimate& e) {
  return std::isnan(e.low) ? "--"
                           : fmt::format("\\num{{{}}} to \\num{{{}}}", latex_percent(e.low), latex_percent(e.high));
}

std::string latex_number(double value, int digits = 3) {
  if (!std::isfinite(value)) return "{--}";
  return fmt::format("{:.{}g}", value, digits);
}

std::string latex_p(double p) {
  if (std::isnan(p)) return "--";
  return p < 0.001 ? "$<$\\num{0.001}" : fmt::format("\\num{{{:.3f}}}", p);
}

// Places before and behind the point that a column of these needs: siunitx's table-format.
std::string table_format(const std::vector<std::string>& cells) {
  std::size_t before = 1, behind = 0;
  bool sign = false;
  for (const std::string& cell : cells) {
    if (cell.empty() || cell.front() == '{') continue;
    const bool negative = cell.front() == '-';
    sign = sign || negative;
    const std::size_t point = std::min(cell.find('.'), cell.size());
    before = std::max(before, point - (negative ? 1 : 0));
    behind = std::max(behind, cell.size() - std::min(cell.size(), point + 1));
  }
  return fmt::format("{}{}.{}", sign ? "-" : "", before, behind);
}

std::string latex_caption(const Comparison& comparison) {
  const bool one = comparison.rows.size() == 1;
  return fmt::format(
      "Paired differences in {} on {} seeds ({}{}), teacher {} in {} steps. Change: row/opponent $-$ 1 in percent, "
      "with 95\\,\\% "
      "intervals by the delete-one-block jackknife ({} blocks) and the BCa bootstrap ({} resamples). $p$: two-sided "
      "permutation test{}; $^{{*}}$\\,$p<0.05$, $^{{**}}$\\,$p<0.01$, $^{{***}}$\\,$p<0.001$. Saved: network "
      "evaluations at equal "
      "error, with its 95\\,\\% bootstrap interval.",
      escape_latex(metric_words(comparison.settings.metric)), comparison.n, escape_latex(comparison.model),
      comparison.by_seed ? "" : fmt::format(", paired by {} blocks", comparison.units),
      escape_latex(comparison.teacher.sampler), comparison.teacher.steps, comparison.settings.blocks,
      comparison.settings.resamples,
      one ? "" : fmt::format(", adjusted by Holm's method for {} comparisons", comparison.rows.size()));
}

}  // namespace

std::string escape_latex(const std::string& text) {
  static const std::vector<std::pair<std::string, std::string>> kSigns = {{"·", "$\\cdot$"},
                                                                          {"−", "$-$"},
                                                                          {"≥", "$\\geq$"},
                                                                          {"≤", "$\\leq$"},
                                                                          {"σ", "$\\sigma$"},
                                                                          {"–", "--"},
                                                                          {"\\", "\\textbackslash{}"},
                                                                          {"_", "\\_"},
                                                                          {"%", "\\%"},
                                                                          {"&", "\\&"},
                                                                          {"#", "\\#"},
                                                                          {"$", "\\$"},
                                                                          {"{", "\\{"},
                                                                          {"}", "\\}"},
                                                                          {"~", "\\textasciitilde{}"},
                                                                          {"^", "\\textasciicircum{}"},
                                                                          {"±", "$\\pm$"}};
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto sign = std::find_if(kSigns.begin(), kSigns.end(),
                                   [&](const auto& one) { return text.compare(i, one.first.size(), one.first) == 0; });
    if (sign == kSigns.end()) {
      out += text[i++];
    } else {
      out += sign->second;
      i += sign->first.size();
    }
  }
  return out;
}

std::string comparison_csv(const Comparison& comparison) {
  std::string out = std::string(kHeader) + "\n";
  for (const RowComparison& row : comparison.rows) {
    std::vector<std::string> cells = {csv_text(row.row.label),         csv_number(row.row.nfe),
                                      comparison.settings.metric,      csv_number(row.row.error),
                                      csv_text(row.opponent.label),    csv_number(row.opponent.nfe),
                                      csv_number(row.opponent.error),  fmt::format("{}", row.opponents.size()),
                                      fmt::format("{}", comparison.n), comparison.by_seed ? "seed" : "block"};
    const auto add = [&](std::initializer_list<double> values) {
      for (const double value : values) cells.push_back(csv_number(value));
    };
    for (const auto& [jack, boot] :
         {std::pair{row.difference, row.difference_bootstrap}, std::pair{row.change, row.change_bootstrap}})
      add({jack.value, jack.low, jack.high, boot.low, boot.high});
    for (const int64_t count : {row.better, row.worse, row.ties}) cells.push_back(fmt::format("{}", count));
    add({row.sign_p, row.sign_holm, row.permutation.p, row.permutation.error});
    cells.push_back(fmt::format("{}", row.permutation.draws));
    add({row.permutation_holm});
    if (row.saved) {
      add({row.saved->value, row.saved->low, row.saved->high});
      cells.push_back(fmt::format("{}", row.saved->beyond));
    } else {
      cells.insert(cells.end(), 4, "");
    }
    if (row.trained)
      add({row.trained->all.low, row.trained->all.high, row.trained->training, row.trained->sampling,
           row.trained->degrees});
    else
      cells.insert(cells.end(), 5, "");
    out += fmt::format("{}\n", fmt::join(cells, ","));
  }
  return out;
}

std::string comparison_markdown(const Comparison& comparison) {
  const std::string metric = metric_words(comparison.settings.metric);
  std::string out = markdown_row({"row", metric, "opponent", "its " + metric, "change", "95 % (jackknife)",
                                  "95 % (bootstrap)", "better", "p (sign)", "p (permutation)", "saves NFE"}) +
                    "|---|---|---|---|---|---|---|---|---|---|---|\n";
  const auto range = [](const Estimate& e) {
    return std::isnan(e.low) ? std::string("–")
                             : fmt::format("{} to {}", signed_percent(e.low), signed_percent(e.high));
  };
  for (const RowComparison& row : comparison.rows)
    out += markdown_row({row.row.label, number_text(row.row.error), row.opponent.label, number_text(row.opponent.error),
                         signed_percent(row.change.value) + significance_mark(row.permutation_holm), range(row.change),
                         range(row.change_bootstrap),
                         fmt::format("{} of {}", row.better, row.better + row.worse + row.ties),
                         number_text(row.sign_holm, 2), number_text(row.permutation_holm, 2), saved_text(row)});
  out += "\n" + statement(comparison) + "\n";
  for (const std::string& note : comparison.notes) out += "\nNote: " + note + ".\n";
  return out;
}

std::string comparison_latex(const Comparison& comparison) {
  std::vector<std::vector<std::string>> numbers(3);  // columns of S
  for (const RowComparison& row : comparison.rows) {
    numbers[0].push_back(latex_number(row.row.error));
    numbers[1].push_back(latex_number(row.opponent.error));
    numbers[2].push_back(latex_percent(row.change.value));
  }
  std::string out =
      "% Written by stride compare. Needs \\usepackage{booktabs,siunitx}.\n\\begin{table}\n  \\centering\n  "
      "\\caption{" +
      latex_caption(comparison) + "}\n";
  out += fmt::format(
      "  \\begin{{tabular}}{{l S[table-format={}] l S[table-format={}] S[table-format={}, "
      "table-space-text-post=$^{{***}}$] "
      "l l r l}}\n    \\toprule\n",
      table_format(numbers[0]), table_format(numbers[1]), table_format(numbers[2]));
  const std::string name = escape_latex(comparison.settings.metric);
  out += fmt::format(
      "    row & {{{}}} & opponent & {{{}}} & {{change (\\%)}} & jackknife (\\%) & bootstrap (\\%) & $p$ & saved "
      "\\\\\n    "
      "\\midrule\n",
      name, name);
  for (std::size_t i = 0; i < comparison.rows.size(); ++i) {
    const RowComparison& row = comparison.rows[i];
    const std::string mark = significance_mark(row.permutation_holm);
    out += fmt::format("    {} & {} & {} & {} & {}{} & {} & {} & {} & {} \\\\\n", escape_latex(row.row.label),
                       numbers[0][i], escape_latex(row.opponent.label), numbers[1][i], numbers[2][i],
                       mark.empty() ? "" : fmt::format("{{$^{{{}}}$}}", mark), latex_range(row.change),
                       latex_range(row.change_bootstrap), latex_p(row.permutation_holm), escape_latex(saved_text(row)));
  }
  out += "    \\bottomrule\n  \\end{tabular}\n\\end{table}\n";
  out += "% " + statement(comparison) + "\n";
  for (const std::string& note : comparison.notes) out += "% Note: " + note + ".\n";
  return out;
}

}  // namespace stride
