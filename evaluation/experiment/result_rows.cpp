#include "evaluation/experiment/result_rows.h"

#include "evaluation/evaluation_result.h"
#include "evaluation/labels.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/json_text.h"

#include <charconv>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Estimate alone(double value) { return {value, kNan, kNan}; }

ResultRow axes_of(const ExperimentCell& cell) {
  ResultRow out;
  for (const auto& [name, value] : cell.axes) out.fields[name] = value;
  return out;
}

// What the file says of itself is not an axis' to say: an axis of the same name keeps its value.
ResultRow of_sampler(const ExperimentCell& cell, const SamplerResult& sampler) {
  ResultRow out = axes_of(cell);
  out.fields.try_emplace("sampler", solver_label(sampler));
  out.fields.try_emplace("solver", sampler.sampler);
  out.fields.try_emplace("schedule", sampler.schedule);
  out.fields.try_emplace("final", sampler.final);
  out.fields.try_emplace("policy", sampler.policy);
  out.fields.try_emplace("steps", fmt::format("{}", sampler.steps));
  out.fields.try_emplace("nfe", fmt::format("{:.4g}", sampler.cost.nfe_mean));
  for (const MetricResult& metric : sampler.metrics) out.numbers[metric.name] = metric.all;
  out.numbers["nfe_mean"] = alone(sampler.cost.nfe_mean);
  out.numbers["nfe_p95"] = alone(sampler.cost.nfe_p95);
  out.numbers["nfe_max"] = alone(static_cast<double>(sampler.cost.nfe_max));
  out.numbers["model_evals_mean"] = alone(sampler.cost.model_evals_mean);
  out.numbers["seconds"] = alone(sampler.cost.seconds);
  out.numbers["peak_bytes"] = alone(static_cast<double>(sampler.cost.peak_bytes));
  return out;
}

}  // namespace

std::vector<ResultRow> result_rows(const ExperimentCell& cell, const std::string& folder) {
  std::vector<ResultRow> out;
  if (cell.command == "evaluate") {
    const EvaluationResult result = load_evaluation(folder);
    for (const SamplerResult& sampler : result.samplers) out.push_back(of_sampler(cell, sampler));
    return out;
  }
  const std::string path = folder + "/results.json";
  ResultRow row = axes_of(cell);
  const nlohmann::json results = parse_json_text(read_file(path), path);
  if (!results.is_object()) throw InputError(path + " holds no results");
  for (const auto& [name, value] : results.items()) {
    if (value.is_number()) row.numbers[name] = alone(value.get<double>());
    if (value.is_string()) row.fields.try_emplace(name, value.get<std::string>());
  }
  out.push_back(std::move(row));
  return out;
}

std::optional<double> as_number(const std::string& text) {
  double value = 0.0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  return end.ec == std::errc() && end.ptr == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

std::optional<Estimate> number_of(const ResultRow& row, const std::string& name) {
  if (const auto found = row.numbers.find(name); found != row.numbers.end()) return found->second;
  const auto field = row.fields.find(name);
  const auto value = field == row.fields.end() ? std::nullopt : as_number(field->second);
  return value ? std::optional(alone(*value)) : std::nullopt;
}

Estimate joined(const std::vector<Estimate>& results) {
  if (results.size() == 1) return results.front();
  std::vector<double> values;
  for (const Estimate& one : results) values.push_back(one.value);
  return mean_interval(values);
}

std::string field_of(const ResultRow& row, const std::string& name) {
  if (const auto found = row.fields.find(name); found != row.fields.end()) return found->second;
  if (const auto found = row.numbers.find(name); found != row.numbers.end())
    return fmt::format("{:.4g}", found->second.value);
  return "–";
}

std::vector<ResultRow> rows_with(std::vector<ResultRow> rows, const std::vector<std::string>& only) {
  for (const std::string& wish : only) {
    const auto equals = wish.find('=');
    if (equals == std::string::npos || equals == 0)
      throw UsageError(fmt::format("only: '{}' is not FIELD=VALUE, such as schedule=karras", wish));
    const std::string name = wish.substr(0, equals), value = wish.substr(equals + 1);
    std::erase_if(rows, [&](const ResultRow& row) { return field_of(row, name) != value; });
  }
  return rows;
}

}  // namespace stride
