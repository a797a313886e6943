// Sections of the report that are text, tables and images.
#include "evaluation/report/html.h"
#include "evaluation/report/report_sections.h"
#include "evaluation/winners.h"
#include "framework/error.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

double value_of(const SamplerResult& sampler, const std::string& metric) {
  const MetricResult* found = sampler.metric(metric);
  return found == nullptr ? std::nan("") : found->all.value;
}

std::string tile(const std::string& big, const std::string& title, const std::string& text,
                 const std::string& css_class) {
  return fmt::format(
      "<div class=\"tile {}\"><p class=\"tile-title\">{}</p><p class=\"tile-big\">{}</p><p>{}</p></div>\n", css_class,
      escape_xml(title), escape_xml(big), escape_xml(text));
}

std::string per_sample(const SampleCost& cost) {
  return seconds_text(cost.seconds / static_cast<double>(std::max<int64_t>(cost.n, 1)));
}

// Which metrics some sampler has, in a fixed order.
std::vector<std::pair<std::string, std::string>> shown_metrics(const EvaluationResult& result) {
  std::vector<std::pair<std::string, std::string>> out;
  for (const auto& [name, title] :
       std::vector<std::pair<std::string, std::string>>{{"rmse", "RMSE"},
                                                        {"rmse-p95", "95 % of samples"},
                                                        {"psnr", "PSNR, dB"},
                                                        {"feature-distance", "Feature distance"},
                                                        {"fd", "FD, real data"},
                                                        {"fd-teacher", "FD, teacher"},
                                                        {"fd-inf", "FD∞, real data"},
                                                        {"fd-inf-teacher", "FD∞, teacher"},
                                                        {"kid", "KID, real data"},
                                                        {"kid-teacher", "KID, teacher"},
                                                        {"precision", "Precision"},
                                                        {"recall", "Recall"},
                                                        {"density", "Density"},
                                                        {"coverage", "Coverage"},
                                                        {"precision-teacher", "Precision, teacher"},
                                                        {"recall-teacher", "Recall, teacher"},
                                                        {"density-teacher", "Density, teacher"},
                                                        {"coverage-teacher", "Coverage, teacher"},
                                                        {"swd", "SWD, real data"},
                                                        {"swd-teacher", "SWD, teacher"},
                                                        {"exact-fd", "FD, exact law"},
                                                        {"exact-w2", "W2, exact law"},
                                                        {"exact-nll", "−log p, exact law"}}) {
    const bool any = std::any_of(result.samplers.begin(), result.samplers.end(),
                                 [&, key = name](const SamplerResult& s) { return s.metric(key) != nullptr; });
    if (any) out.emplace_back(name, title);
  }
  return out;
}

// How a value stands among those of its NFE.
enum class Standing { ordinary, best, tied };

HtmlCell metric_cell(const SamplerResult& sampler, const std::string& name, Standing standing) {
  const MetricResult* metric = sampler.metric(name);
  if (metric == nullptr) return {"", ""};
  std::string text = escape_xml(number_text(metric->all.value));
  if (standing == Standing::best) text = "<b>" + text + "</b>";
  if (standing == Standing::tied) text = "≈ " + text;
  if (!std::isnan(metric->all.low)) {
    text += fmt::format("<small>{} to {}</small>", escape_xml(number_text(metric->all.low)),
                        escape_xml(number_text(metric->all.high)));
  }
  return {text, standing == Standing::best ? "best" : ""};
}

std::vector<HtmlCell> table_row(const EvaluationResult& result, const SamplerResult& sampler,
                                const std::map<std::string, Standing>& standings) {
  std::string name = escape_xml(solver_label(sampler));
  if (sampler.not_finite > 0)
    name += fmt::format("<small class=\"bad\">{} of {} not finite</small>", sampler.not_finite, sampler.cost.n);
  if (sampler.gave_up > 0)
    name += fmt::format("<small class=\"bad\">{} of {} gave up</small>", sampler.gave_up, sampler.cost.n);
  if (!sampler.seeds_seen.empty())
    name += fmt::format("<small class=\"bad\">has seen seeds {}</small>", escape_xml(sampler.seeds_seen));
  const std::string grid = sampler.adaptive()  ? full_label(sampler).substr(0, full_label(sampler).find(" · "))
                           : sampler.is_plan() ? (sampler.tag.empty() ? "" : sampler.tag + " · ") + "its own grid"
                                               : sampler.schedule;
  const bool classic = !sampler.adaptive() && !sampler.is_plan() && !sampler.tag.empty();
  name += "<small>" + escape_xml(grid + " · " + sampler.final + (classic ? " · " + sampler.tag : "")) + "</small>";
  std::vector<HtmlCell> row = {{name, sampler.is_plan() ? "plan" : ""}};
  std::string nfe = escape_xml(nfe_text(sampler.cost.nfe_mean));
  if (sampler.adaptive())
    nfe += fmt::format("<small>95 % ≤ {}, most {}</small>", escape_xml(nfe_text(sampler.cost.nfe_p95)),
                       sampler.cost.nfe_max);
  row.push_back({nfe, ""});
  for (const auto& [metric, title] : shown_metrics(result))
    row.push_back(metric_cell(sampler, metric, standings.contains(metric) ? standings.at(metric) : Standing::ordinary));
  row.push_back({escape_xml(nfe_text(sampler.cost.model_evals_mean)), ""});
  const std::string where = sampler.part < result.parts.size() ? result.parts[sampler.part].name : "";
  const std::string on = where.empty() ? "" : "<small>" + escape_xml(where) + "</small>";
  row.push_back({escape_xml(per_sample(sampler.cost)) + on, ""});
  row.push_back({escape_xml(bytes_text(sampler.cost.peak_bytes)), ""});
  return row;
}

using Rows = std::vector<const SamplerResult*>;

// Every run on a fixed grid, by NFE: what a value is best of.
std::map<int64_t, Rows> rows_by_nfe(const EvaluationResult& result) {
  std::map<int64_t, Rows> out;
  for (const bool plans : {true, false}) {
    for (const SamplerResult* sampler : fixed_runs(result, plans))
      out[std::llround(sampler->cost.nfe_mean)].push_back(sampler);
  }
  return out;
}

std::map<std::string, Winners> winners_by_metric(const EvaluationResult& result, const Rows& rows) {
  std::map<std::string, Winners> out;
  for (const auto& [metric, title] : shown_metrics(result)) {
    // Perfect samples have the law's entropy, not the least.
    if (metric != "exact-nll" && rows.size() > 1) out[metric] = winners(rows, metric);
  }
  return out;
}

// Of each solver the run that ranks best, and whatever is best in some metric.
Rows chosen_rows(const EvaluationResult& result) {
  std::set<const SamplerResult*> chosen;
  for (const SamplerGroup& group : sampler_groups(result)) chosen.insert(group.best.begin(), group.best.end());
  for (const auto& [nfe, rows] : rows_by_nfe(result)) {
    for (const auto& [metric, found] : winners_by_metric(result, rows)) chosen.insert(found.best);
  }
  Rows out;
  for (const SamplerGroup& group : sampler_groups(result)) {
    for (const Rows* rows : {&group.best, &group.others})
      std::copy_if(rows->begin(), rows->end(), std::back_inserter(out),
                   [&](const SamplerResult* row) { return chosen.contains(row); });
  }
  return out;
}

std::string results_table(const EvaluationResult& result, const Rows& samplers) {
  std::vector<HtmlColumn> columns = {{"sampler", "name", "small: noise schedule or policy, and end of the grid"},
                                     {"NFE", "number", "network evaluations per sample, mean"}};
  for (const auto& [name, title] : shown_metrics(result))
    columns.push_back({title, "number", "with its 95 % interval"});
  columns.push_back({"passes", "number", "network passes per sample, mean: guidance makes two per evaluation"});
  columns.push_back(
      {"time", "number",
       result.parts.empty() ? "wall time per sample" : "wall time per sample, in the run named below it"});
  columns.push_back({"peak", "number", "peak memory"});
  std::map<int64_t, Rows> by_nfe;
  Rows adaptive;
  for (const SamplerResult* sampler : samplers) {
    if (sampler->adaptive()) {
      adaptive.push_back(sampler);
    } else {
      by_nfe[std::llround(sampler->cost.nfe_mean)].push_back(sampler);
    }
  }
  const std::map<int64_t, Rows> all = rows_by_nfe(result);
  std::vector<std::vector<HtmlCell>> rows;
  for (const auto& [nfe, members] : by_nfe) {
    const std::map<std::string, Winners> found = winners_by_metric(result, all.at(nfe));
    rows.push_back({{fmt::format("NFE {}", nfe), ""}});
    for (const SamplerResult* sampler : members) {
      std::map<std::string, Standing> standings;
      for (const auto& [metric, who] : found) {
        if (who.alone() == sampler) standings[metric] = Standing::best;
        if (who.tied(*sampler)) standings[metric] = Standing::tied;
      }
      rows.push_back(table_row(result, *sampler, standings));
    }
  }
  if (!adaptive.empty()) rows.push_back({{"Adaptive: each sample takes what it needs", ""}});
  for (const SamplerResult* sampler : adaptive) rows.push_back(table_row(result, *sampler, {}));
  rows.push_back({{"Teacher", ""}});
  rows.push_back(table_row(result, result.teacher, {}));
  return html_table(columns, rows, "results");
}

struct StripRow {
  std::string label;
  std::string note;
  const std::string* png;
};

std::string strip_rows(const std::vector<StripRow>& rows) {
  std::string out;
  for (const StripRow& row : rows) {
    out += fmt::format(
        "<div class=\"strip\"><p>{}<small>{}</small></p><div class=\"scroll\"><img src=\"{}\" "
        "alt=\"{}\"></div></div>\n",
        escape_xml(row.label), escape_xml(row.note), png_data_uri(*row.png, "image of " + row.label),
        escape_xml("samples of " + row.label));
  }
  return out;
}

std::string list_of(const nlohmann::ordered_json& values) {
  std::string out;
  for (const auto& value : values)
    out += (out.empty() ? "" : ", ") + (value.is_number() ? number_text(value.get<double>(), 4) : std::string("?"));
  return out;
}

}  // namespace

std::string headline_section(const EvaluationResult& result) {
  std::string out =
      "<section class=\"headline\">" + element("p", headline(result), "sentence") + "<div class=\"tiles\">\n";
  const std::vector<PlanComparison> comparisons = plan_comparisons(result);
  for (const PlanComparison& row : comparisons) {
    std::string text = fmt::format("RMSE {} against {} of {}", number_text(value_of(*row.plan, "rmse")),
                                   number_text(value_of(*row.classic, "rmse")), full_label(*row.classic));
    text += row.opponents.size() == 1 ? ", the only other run" : ", the lowest of " + runs_text(row.opponents);
    if (row.plans.size() > 1) text += fmt::format("; the best of {} plans", row.plans.size());
    if (!std::isnan(row.rmse.low))
      text += fmt::format("; 95\u00a0% interval {} to {}", change_text(row.rmse.low), change_text(row.rmse.high));
    if (row.fd) text += fmt::format("; Fréchet distance {} against the lowest of these runs", change_text(*row.fd));
    out += tile(change_text(row.rmse.value), fmt::format("Fitted plan at {} NFE", row.nfe), text + ".",
                row.rmse.value < 0 ? "good" : "bad");
  }
  out += tile(fmt::format("{}", nfe_text(result.teacher.cost.nfe_mean)), "Teacher's NFE",
              fmt::format("{} on {}: {} per sample. {} samples in {} blocks of seeds, {}.",
                          solver_label(result.teacher), result.teacher.schedule, per_sample(result.teacher.cost),
                          result.n, result.block_sizes.size(), result.seeds),
              "plain");
  out += "</div>";
  if (!result.warnings.empty()) {
    out += "<ul class=\"warnings\">";
    for (const std::string& warning : result.warnings) out += fmt::format("<li>{}</li>", with_code(warning));
    out += "</ul>";
  }
  return out + "</section>\n";
}

std::string images_section(const EvaluationResult& result) {
  if (result.teacher.strip_png.empty()) return "";
  std::vector<StripRow> top = {
      {"teacher", fmt::format("{} at {} NFE", solver_label(result.teacher), nfe_text(result.teacher.cost.nfe_mean)),
       &result.teacher.strip_png}};
  std::map<int64_t, std::vector<StripRow>> by_nfe;
  std::vector<StripRow> adaptive;
  for (const SamplerGroup& group : sampler_groups(result)) {
    for (const SamplerResult* sampler : group.best) {
      if (sampler->strip_png.empty()) continue;
      std::string note =
          sampler->metric("rmse") == nullptr ? "" : fmt::format("RMSE {}", number_text(value_of(*sampler, "rmse")));
      if (sampler->adaptive()) {
        adaptive.push_back({full_label(*sampler),
                            fmt::format("{} NFE{}{}", nfe_text(sampler->cost.nfe_mean), note.empty() ? "" : ", ", note),
                            &sampler->strip_png});
      } else {
        by_nfe[std::llround(sampler->cost.nfe_mean)].push_back({full_label(*sampler), note, &sampler->strip_png});
      }
    }
  }
  const auto [width, height] = png_size(result.teacher.strip_png, "image of the teacher");
  const auto scale = [width = width](int64_t room) { return std::max<int64_t>(1, room / std::max<int64_t>(width, 1)); };
  // Narrow screens show as many columns as fit at a size that can be looked at.
  const int64_t columns = std::max<int64_t>(result.strip_columns, 1);
  const int64_t pitch = std::max<int64_t>((width + 1) / columns, 1);
  const int64_t narrow_scale = std::max<int64_t>(1, 36 / pitch);
  const int64_t narrow_columns = std::clamp<int64_t>(296 / (pitch * narrow_scale), 1, columns);
  std::string out = fmt::format(
      "<section><h2>Samples from the same seeds</h2><div class=\"strips{}\" "
      "style=\"--w:{}px;--k1:{};--k2:{};--k3:{};--clip:{}px\">\n",
      width > 880 ? " fluid" : "", width, narrow_scale, scale(580), scale(880),
      (narrow_columns * pitch - 1) * narrow_scale);
  out += strip_rows(top);
  for (const auto& [nfe, rows] : by_nfe)
    out += element("h3", fmt::format("{} network evaluations", nfe)) + strip_rows(rows);
  if (!adaptive.empty()) out += element("h3", "Adaptive policies") + strip_rows(adaptive);
  out +=
      "</div>" +
      element("p",
              fmt::format("The first {} seeds, in columns: a column started from one noise image. Each "
                          "solver is shown by its run of the best {} at that NFE. Narrow screens show fewer columns.",
                          result.strip_columns, ranking_metric(result)),
              "note");
  return out + "</section>\n";
}

std::string table_section(const EvaluationResult& result) {
  Rows all;
  for (const SamplerResult& sampler : result.samplers) all.push_back(&sampler);
  const Rows chosen = chosen_rows(result);
  const std::string marks = result.block_sizes.size() < 2
                                ? "With one block of seeds there are no intervals, and no value is marked as best."
                                : "Bold: the best value of all runs of an NFE, where no other interval reaches its "
                                  "own; ≈: the best and those "
                                  "whose intervals reach it, which these seeds do not tell apart. Small: 95 % "
                                  "intervals over blocks of seeds.";
  std::string out =
      "<section><h2>All numbers</h2>" +
      element("p",
              fmt::format(
                  "At each NFE each solver's run of the best {}, and runs with the best value of another metric. {}",
                  ranking_metric(result), marks),
              "note");
  out += results_table(result, chosen);
  if (all.size() > chosen.size()) {
    out += fmt::format("<details><summary>All {} samplers, every grid</summary>{}</details>", all.size(),
                       results_table(result, all));
  }
  return out + "</section>\n";
}

std::string plans_section(const EvaluationResult& result) {
  std::string out;
  for (const SamplerResult& sampler : result.samplers) {
    if (sampler.plan_json.empty()) continue;
    const auto plan = nlohmann::ordered_json::parse(sampler.plan_json, nullptr, false);
    if (!plan.is_object() || !plan.contains("sigmas") || !plan.contains("weights") || !plan.contains("scale_time"))
      continue;
    const auto& sigmas = plan["sigmas"];
    const auto& weights = plan["weights"];
    const auto& scales = plan["scale_time"];
    if (!sigmas.is_array() || !weights.is_array() || !scales.is_array() || sigmas.size() != weights.size() + 1 ||
        scales.size() != weights.size())
      continue;
    std::vector<std::vector<HtmlCell>> rows;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      rows.push_back({{fmt::format("{}", i + 1), ""},
                      {escape_xml(list_of({sigmas[i]})), ""},
                      {escape_xml(list_of({sigmas[i + 1]})), ""},
                      {escape_xml(list_of({scales[i]})), ""},
                      {escape_xml(list_of(weights[i])), ""}});
    }
    out += fmt::format("<details><summary>Plan of {} evaluations{}, end {}</summary>", weights.size(),
                       sampler.tag.empty() ? "" : escape_xml(" (" + sampler.tag + ")"), escape_xml(sampler.final));
    out += html_table({{"step", "number", ""},
                       {"from σ", "number", ""},
                       {"to σ", "number", ""},
                       {"model time ×", "number", "the network is asked at this multiple of σ"},
                       {"weights, newest first", "number", "of this and the earlier directions (x − D)/σ"}},
                      rows);
    out += "<pre>" + escape_xml(plan.dump(2)) + "</pre></details>\n";
  }
  return out.empty()
             ? out
             : "<section><h2>The fitted plans</h2>" +
                   element(
                       "p",
                       "A plan is this table and nothing else: `stride sample` runs it as the solver plan:FILE.json.",
                       "note") +
                   out + "</section>\n";
}

}  // namespace stride
