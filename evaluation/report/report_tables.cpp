// Sections of the report that are text, tables and images.
#include "evaluation/report/html.h"
#include "evaluation/report/report_sections.h"
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

bool starts_with_any(const std::string& name, const std::vector<std::string>& beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(),
                     [&](const std::string& beginning) { return name.starts_with(beginning); });
}

bool higher_is_better(const std::string& metric) {
  return starts_with_any(metric, {"psnr", "precision", "recall", "density", "coverage"});
}

bool may_be_negative(const std::string& metric) {
  return starts_with_any(metric, {"psnr", "kid", "fd-inf", "exact-nll"});
}

HtmlCell metric_cell(const SamplerResult& sampler, const std::string& name, bool best) {
  const MetricResult* metric = sampler.metric(name);
  if (metric == nullptr) return {"", ""};
  std::string text = escape_xml(number_text(metric->all.value));
  if (best) text = "<b>" + text + "</b>";
  if (!std::isnan(metric->all.low)) {
    const double low = may_be_negative(name) ? metric->all.low : std::max(metric->all.low, 0.0);
    text +=
        fmt::format("<small>{} to {}</small>", escape_xml(number_text(low)), escape_xml(number_text(metric->all.high)));
  }
  return {text, best ? "best" : ""};
}

std::vector<HtmlCell> table_row(const EvaluationResult& result, const SamplerResult& sampler,
                                const std::set<std::string>& best) {
  std::string name = escape_xml(solver_label(sampler));
  if (sampler.not_finite > 0)
    name += fmt::format("<small class=\"bad\">{} of {} not finite</small>", sampler.not_finite, sampler.cost.n);
  if (sampler.gave_up > 0)
    name += fmt::format("<small class=\"bad\">{} of {} gave up</small>", sampler.gave_up, sampler.cost.n);
  const std::string grid = sampler.adaptive()  ? full_label(sampler).substr(0, full_label(sampler).find(" · "))
                           : sampler.is_plan() ? "its own grid"
                                               : sampler.schedule;
  name += "<small>" + escape_xml(grid + " · " + sampler.final) + "</small>";
  std::vector<HtmlCell> row = {{name, sampler.is_plan() ? "plan" : ""}};
  std::string nfe = escape_xml(nfe_text(sampler.cost.nfe_mean));
  if (sampler.adaptive())
    nfe += fmt::format("<small>95 % ≤ {}, most {}</small>", escape_xml(nfe_text(sampler.cost.nfe_p95)),
                       sampler.cost.nfe_max);
  row.push_back({nfe, ""});
  for (const auto& [metric, title] : shown_metrics(result))
    row.push_back(metric_cell(sampler, metric, best.count(metric) > 0));
  row.push_back({escape_xml(nfe_text(sampler.cost.model_evals_mean)), ""});
  row.push_back({escape_xml(per_sample(sampler.cost)), ""});
  row.push_back({escape_xml(bytes_text(sampler.cost.peak_bytes)), ""});
  return row;
}

std::string results_table(const EvaluationResult& result, const std::vector<const SamplerResult*>& samplers) {
  std::vector<HtmlColumn> columns = {{"sampler", "name", "small: noise schedule or policy, and end of the grid"},
                                     {"NFE", "number", "network evaluations per sample, mean"}};
  for (const auto& [name, title] : shown_metrics(result))
    columns.push_back({title, "number", "with its 95 % interval"});
  columns.push_back({"passes", "number", "network passes per sample, mean: guidance makes two per evaluation"});
  columns.push_back({"time", "number", "wall time a sample"});
  columns.push_back({"peak", "number", "peak memory"});
  std::map<int64_t, std::vector<const SamplerResult*>> by_nfe;
  std::vector<const SamplerResult*> adaptive;
  for (const SamplerResult* sampler : samplers) {
    if (sampler->adaptive()) {
      adaptive.push_back(sampler);
    } else {
      by_nfe[std::llround(sampler->cost.nfe_mean)].push_back(sampler);
    }
  }
  std::vector<std::vector<HtmlCell>> rows;
  for (const auto& [nfe, members] : by_nfe) {
    std::map<std::string, double> best;
    for (const auto& [metric, title] : shown_metrics(result)) {
      for (const SamplerResult* sampler : members) {
        const double value = value_of(*sampler, metric);
        if (std::isnan(value) || metric == "exact-nll") continue;  // perfect samples have the entropy, not the least
        const auto found = best.find(metric);
        if (found == best.end() || (higher_is_better(metric) ? value > found->second : value < found->second))
          best[metric] = value;
      }
    }
    rows.push_back({{fmt::format("NFE {}", nfe), ""}});
    for (const SamplerResult* sampler : members) {
      std::set<std::string> marked;
      for (const auto& [metric, value] : best) {
        if (members.size() > 1 && value_of(*sampler, metric) == value) marked.insert(metric);
      }
      rows.push_back(table_row(result, *sampler, marked));
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
    if (!std::isnan(row.rmse.low))
      text += fmt::format("; 95\u00a0% interval {} to {}", change_text(row.rmse.low), change_text(row.rmse.high));
    if (row.fd) text += fmt::format("; Fréchet distance {} against the best", change_text(*row.fd));
    out += tile(change_text(row.rmse.value), fmt::format("Fitted plan at {} NFE", row.nfe), text + ".",
                row.rmse.value < 0 ? "good" : "bad");
  }
  out += tile(fmt::format("{}", nfe_text(result.teacher.cost.nfe_mean)), "Teacher's NFE",
              fmt::format("{} on {}: {} a sample. {} samples in {} blocks of seeds, {}.", solver_label(result.teacher),
                          result.teacher.schedule, per_sample(result.teacher.cost), result.n, result.block_sizes.size(),
                          result.seeds),
              "plain");
  return out + "</div></section>\n";
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
      "</div>" + element("p",
                         fmt::format("The first {} seeds, in columns: a column started from one noise image. Each "
                                     "solver is shown on its best grid at that NFE. Narrow screens show fewer columns.",
                                     result.strip_columns),
                         "note");
  return out + "</section>\n";
}

std::string table_section(const EvaluationResult& result) {
  std::vector<const SamplerResult*> best;
  std::vector<const SamplerResult*> all;
  for (const SamplerGroup& group : sampler_groups(result))
    best.insert(best.end(), group.best.begin(), group.best.end());
  for (const SamplerResult& sampler : result.samplers) all.push_back(&sampler);
  std::string out =
      "<section><h2>All numbers</h2>" + element("p",
                                                "Each solver on its best grid at each NFE; the best value of an NFE "
                                                "is marked. Small: 95 % intervals over blocks of seeds.",
                                                "note");
  out += results_table(result, best);
  if (all.size() > best.size()) {
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
    out += fmt::format("<details><summary>Plan of {} evaluations, end {}</summary>", weights.size(),
                       escape_xml(sampler.final));
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
