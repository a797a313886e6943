#include "evaluation/report/report.h"

#include "evaluation/report/figures.h"
#include "evaluation/report/html.h"
#include "evaluation/report/report_sections.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/json_place.h"
#include "framework/files/json_text.h"
#include "framework/files/seal.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

using Json = nlohmann::ordered_json;

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string out;
  for (const int64_t size : shape) out += (out.empty() ? "" : "×") + fmt::format("{}", size);
  return out;
}

std::string meta_line(const EvaluationResult& result) {
  const std::string where = result.parts.empty() ? result.device : fmt::format("{} runs", result.parts.size());
  return fmt::format("model {} ({}) · {} samples · {}, {}", result.model, shape_text(result.shape), result.n, where,
                     result.dtype);
}

std::string evaluation_facts(const EvaluationResult& result) {
  std::vector<std::pair<std::string, std::string>> facts = {{"Model", result.model},
                                                            {"Model SHA-256", result.model_sha256}};
  facts.emplace_back("Teacher", fmt::format("{}, schedule {}, {} steps, end {}", result.teacher.sampler,
                                            result.teacher.schedule, result.teacher.steps, result.teacher.final));
  facts.emplace_back("Seeds", fmt::format("{} ({} blocks)", result.seeds, result.block_sizes.size()));
  for (const auto& [name, text] : result.conditions) facts.emplace_back("Condition", name + " " + text);
  if (result.parts.empty())
    facts.emplace_back("Computed on", fmt::format("{}, {}, batches of {}", result.device, result.dtype, result.batch));
  for (const EvaluationPart& part : result.parts)
    facts.emplace_back("Computed on",
                       fmt::format("{}: {}, {}, batches of {}", part.name, part.device, part.dtype, part.batch));
  if (!result.features.empty())
    facts.emplace_back("Feature network", fmt::format("{}, SHA-256 {}", result.features, result.features_sha256));
  if (!result.reference.empty())
    facts.emplace_back("Reference", fmt::format("{} ({} samples)", result.reference, result.reference_n));
  return fact_list(facts);
}

std::string stages_table(const std::vector<ReportStage>& stages) {
  if (stages.empty()) return "";
  std::vector<std::vector<HtmlCell>> rows;
  double total = 0;
  for (const ReportStage& stage : stages) {
    total += stage.seconds;
    rows.push_back({{escape_xml(stage.name), ""},
                    {escape_xml(stage.summary), "wrap"},
                    {escape_xml(seconds_text(stage.seconds)), ""}});
  }
  rows.push_back({{"<b>all</b>", ""}, {"", ""}, {"<b>" + escape_xml(seconds_text(total)) + "</b>", ""}});
  return "<h3>What was done</h3>" +
         html_table({{"stage", "", ""}, {"", "", ""}, {"time", "number", ""}}, rows, "stages");
}

std::string reproduce_section(const ReportData& data) {
  std::string out = "<section><h2>How to reproduce this</h2>";
  if (!data.commands.empty()) {
    std::string lines;
    for (const std::string& command : data.commands) lines += command + "\n";
    out += "<pre>" + escape_xml(lines) + "</pre>";
  }
  out += stages_table(data.stages);
  for (const EvaluationResult& result : data.evaluations) out += evaluation_facts(result);
  if (!data.facts.empty()) out += fact_list(data.facts);
  out += element("p",
                 "Samples are pure functions of model, sampler and seed: other batch sizes, orders and machines give "
                 "the same to within "
                 "floating-point rounding. Times and memory are this machine's. results.csv beside this file has every "
                 "number shown, by block.",
                 "note");
  return out + "</section>\n";
}

}  // namespace

std::string report_html(const ReportData& data) {
  std::string out =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src "
      "data:\">\n";
  out += element("title", data.title) + "<style>" + report_style() + "</style></head>\n<body>\n<header>" +
         element("h1", data.title);
  for (const EvaluationResult& result : data.evaluations) {
    out += element("p", meta_line(result) + (data.created.empty() ? "" : " · " + data.created), "meta");
  }
  out += "</header>\n<main>\n";
  for (std::size_t i = 0; i < data.evaluations.size(); ++i) {
    const EvaluationResult& result = data.evaluations[i];
    if (data.evaluations.size() > 1) out += element("h2", fmt::format("{}: seeds {}", result.model, result.seeds));
    if (i < data.apart.size() && !data.apart[i].empty())
      out += element("p", "Not drawn with the first evaluation: " + data.apart[i] + ".", "note");
    out += headline_section(result) + quality_section(result) + images_section(result) + work_section(result) +
           steps_section(result) + paired_section(result) + table_section(result) + plans_section(result);
  }
  out += reproduce_section(data) + "</main>\n<footer>" + element("p", "Written by stride report.") +
         "</footer>\n</body></html>\n";
  return out;
}

std::vector<std::pair<std::string, std::string>> report_figures(const ReportData& data) {
  std::vector<std::pair<std::string, std::string>> out;
  for (std::size_t i = 0; i < data.evaluations.size(); ++i) {
    for (const std::string& metric : plotted_metrics(data.evaluations[i])) {
      const std::string name = (i == 0 ? "" : fmt::format("{}-", i + 1)) + metric;
      for (auto& file : figure_files(name, quality_plot(data.evaluations[i], metric))) out.push_back(std::move(file));
    }
  }
  return out;
}

std::string report_json(const ReportData& data) {
  Json out = {{"format", "stride-report"}, {"version", 1}, {"title", data.title}, {"created", data.created}};
  out["facts"] = data.facts;
  Json stages = Json::array();
  for (const ReportStage& stage : data.stages)
    stages.push_back({{"name", stage.name}, {"summary", stage.summary}, {"seconds", stage.seconds}});
  out["stages"] = stages;
  out["commands"] = data.commands;
  return sealed_json(std::move(out), 1);
}

void read_report_json(ReportData& data, const std::string& text, const std::string& where) {
  Json json = parse_ordered_json_text(text, where);
  (void)take_seal(json, where);
  if (!json.is_object() || json.value("format", Json()) != "stride-report" || json.value("version", Json()) != 1) {
    throw InputError(fmt::format(
        "{}: not a version 1 report description; remove it to build the report from the results alone", where));
  }
  const JsonPlace<Json> root(json, where);
  data.title = root.at("title").text();
  data.created = root.at("created").text();
  data.facts.clear();
  for (const auto& fact : root.at("facts").list()) {
    const std::vector<std::string> two = fact.texts();
    if (two.size() != 2) fact.fail("must be a name and a text");
    data.facts.emplace_back(two[0], two[1]);
  }
  data.commands = root.at("commands").texts();
  data.stages.clear();
  for (const auto& stage : root.at("stages").list())
    data.stages.push_back({stage.at("name").text(), stage.at("summary").text(), stage.at("seconds").number()});
}

}  // namespace stride
