#include "evaluation/evaluation_result.h"

#include "evaluation/labels.h"
#include "evaluation/metric_facts.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/json_text.h"

#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stride {

using Json = nlohmann::ordered_json;

const char* const kResultsCsvHeader =
    "sampler,schedule,final,policy,steps,nfe_mean,nfe_p95,nfe_max,model_evals_mean,metric,value,low,high,n,block,"
    "seconds,"
    "peak_bytes";

namespace {

constexpr const char* kFormat = "stride-evaluation";
constexpr int kVersion = 1;

std::string quoted(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string csv_number(double value) { return std::isnan(value) ? std::string() : fmt::format("{}", value); }

void add_row(std::string& out, const SamplerResult& sampler, const SampleCost& cost, const std::string& metric,
             const Estimate& value, const std::string& block) {
  out += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n", quoted(sampler.sampler),
                     quoted(sampler.schedule), sampler.final, quoted(sampler.policy),
                     sampler.steps > 0 ? fmt::format("{}", sampler.steps) : "", csv_number(cost.nfe_mean),
                     csv_number(cost.nfe_p95), cost.nfe_max, csv_number(cost.model_evals_mean), metric,
                     csv_number(value.value), csv_number(value.low), csv_number(value.high), cost.n, block,
                     csv_number(cost.seconds), cost.peak_bytes);
}

void add_sampler(std::string& out, const SamplerResult& sampler) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const MetricResult& metric : sampler.metrics) {
    add_row(out, sampler, sampler.cost, metric.name, metric.all, "all");
    for (std::size_t i = 0; i < metric.blocks.size() && i < sampler.blocks.size(); ++i) {
      add_row(out, sampler, sampler.blocks[i], metric.name, {metric.blocks[i], nan, nan}, fmt::format("{}", i));
    }
  }
}

// JSON has no NaN and no infinity: null and "inf" stand for them.
Json number(double value) {
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return std::isnan(value) ? Json(nullptr) : Json(value);
}
double number(const Json& json) {
  if (json == "inf" || json == "-inf") return (json == "inf" ? 1.0 : -1.0) * std::numeric_limits<double>::infinity();
  return json.is_null() ? std::numeric_limits<double>::quiet_NaN() : json.get<double>();
}

Json numbers(const std::vector<double>& values) {
  Json out = Json::array();
  for (const double value : values) out.push_back(number(value));
  return out;
}

std::vector<double> numbers(const Json& json) {
  std::vector<double> out;
  for (const Json& value : json) out.push_back(number(value));
  return out;
}

Json cost_json(const SampleCost& cost) {
  return {{"n", cost.n},
          {"nfe_mean", number(cost.nfe_mean)},
          {"nfe_p95", number(cost.nfe_p95)},
          {"nfe_max", cost.nfe_max},
          {"model_evals_mean", number(cost.model_evals_mean)},
          {"seconds", number(cost.seconds)},
          {"peak_bytes", cost.peak_bytes}};
}

SampleCost cost_from(const Json& json) {
  return {json.at("n").get<int64_t>(),         number(json.at("nfe_mean")),         number(json.at("nfe_p95")),
          json.at("nfe_max").get<int64_t>(),   number(json.at("model_evals_mean")), number(json.at("seconds")),
          json.at("peak_bytes").get<int64_t>()};
}

Json sampler_json(const SamplerResult& sampler) {
  Json out = {{"sampler", sampler.sampler},       {"schedule", sampler.schedule}, {"final", sampler.final},
              {"policy", sampler.policy},         {"steps", sampler.steps},       {"cost", cost_json(sampler.cost)},
              {"not_finite", sampler.not_finite}, {"gave_up", sampler.gave_up}};
  Json metrics = Json::object();
  for (const MetricResult& metric : sampler.metrics) {
    metrics[metric.name] = {{"value", number(metric.all.value)},
                            {"low", number(metric.all.low)},
                            {"high", number(metric.all.high)},
                            {"blocks", numbers(metric.blocks)},
                            {"n", sampler.cost.n},
                            {"quantisation", metric.quantisation},
                            {"features_sha256", metric.features_sha256}};
  }
  out["metrics"] = metrics;
  Json blocks = Json::array();
  for (const SampleCost& block : sampler.blocks) blocks.push_back(cost_json(block));
  out["blocks"] = blocks;
  out["sigmas"] = numbers(sampler.sigmas);
  if (!sampler.paths.empty()) {
    Json paths = Json::array();
    for (const auto& path : sampler.paths) paths.push_back(numbers(path));
    out["paths"] = paths;
  }
  if (!sampler.nfe_counts.empty()) out["nfe_counts"] = sampler.nfe_counts;
  if (!sampler.plan_json.empty()) out["plan"] = Json::parse(sampler.plan_json);
  if (!sampler.policy_sha256.empty()) out["policy_sha256"] = sampler.policy_sha256;
  if (!sampler.seeds_seen.empty()) out["seeds_seen"] = sampler.seeds_seen;
  return out;
}

SamplerResult sampler_from(const Json& json) {
  SamplerResult out;
  out.sampler = json.at("sampler").get<std::string>();
  out.schedule = json.at("schedule").get<std::string>();
  out.final = json.at("final").get<std::string>();
  out.policy = json.at("policy").get<std::string>();
  out.steps = json.at("steps").get<int64_t>();
  out.cost = cost_from(json.at("cost"));
  out.not_finite = json.at("not_finite").get<int64_t>();
  out.gave_up = json.at("gave_up").get<int64_t>();
  for (const auto& [name, metric] : json.at("metrics").items()) {
    out.metrics.push_back(
        {name, within_range(name, {number(metric.at("value")), number(metric.at("low")), number(metric.at("high"))}),
         numbers(metric.at("blocks")), metric.value("quantisation", "none"), metric.value("features_sha256", "")});
  }
  for (const Json& block : json.at("blocks")) out.blocks.push_back(cost_from(block));
  out.sigmas = numbers(json.at("sigmas"));
  if (json.contains("paths")) {
    for (const Json& path : json.at("paths")) out.paths.push_back(numbers(path));
  }
  if (json.contains("nfe_counts"))
    out.nfe_counts = json.at("nfe_counts").get<std::vector<std::pair<int64_t, int64_t>>>();
  if (json.contains("plan")) out.plan_json = json.at("plan").dump(2);
  if (json.contains("policy_sha256")) out.policy_sha256 = json.at("policy_sha256").get<std::string>();
  out.seeds_seen = json.value("seeds_seen", "");
  return out;
}

std::string strip_name(std::size_t index) { return fmt::format("strip-{:03}.png", index); }

}  // namespace

const MetricResult* SamplerResult::metric(const std::string& name) const {
  for (const MetricResult& candidate : metrics) {
    if (candidate.name == name) return &candidate;
  }
  return nullptr;
}

std::string to_csv(const EvaluationResult& result) {
  std::string out = std::string(kResultsCsvHeader) + "\n";
  add_sampler(out, result.teacher);
  for (const SamplerResult& sampler : result.samplers) add_sampler(out, sampler);
  return out;
}

std::string to_json(const EvaluationResult& result) {
  Json out = {{"format", kFormat}, {"version", kVersion}};
  out["model"] = {{"name", result.model}, {"sha256", result.model_sha256}, {"shape", result.shape}};
  out["seeds"] = result.seeds;
  out["n"] = result.n;
  out["block_sizes"] = result.block_sizes;
  out["block_seeds"] = result.block_seeds;
  out["device"] = result.device;
  out["dtype"] = result.dtype;
  out["batch"] = result.batch;
  out["conditions"] = Json::object();
  for (const auto& [name, text] : result.conditions) out["conditions"][name] = text;
  out["warnings"] = result.warnings;
  out["features"] = {
      {"name", result.features}, {"sha256", result.features_sha256}, {"quantisation", result.quantisation}};
  out["reference"] = {{"name", result.reference}, {"n", result.reference_n}, {"floor", number(result.reference_floor)}};
  out["strip_columns"] = result.strip_columns;
  out["complete"] = result.complete;
  out["teacher"] = sampler_json(result.teacher);
  Json samplers = Json::array();
  for (const SamplerResult& sampler : result.samplers) samplers.push_back(sampler_json(sampler));
  out["samplers"] = samplers;
  return out.dump(1) + "\n";
}

EvaluationResult evaluation_from_json(const std::string& text, const std::string& where) {
  try {
    const Json json = parse_ordered_json_text(text, where);
    if (!json.is_object() || json.value("format", "") != kFormat) {
      throw InputError(
          fmt::format("{}: not the results of an evaluation; give a folder that `stride evaluate` or `stride "
                      "demo` wrote",
                      where));
    }
    if (json.at("version").get<int>() != kVersion) {
      throw InputError(fmt::format("{}: version {} of the results; this program reads version {}", where,
                                   json.at("version").get<int>(), kVersion));
    }
    EvaluationResult out;
    out.model = json.at("model").at("name").get<std::string>();
    out.model_sha256 = json.at("model").at("sha256").get<std::string>();
    out.shape = json.at("model").at("shape").get<std::vector<int64_t>>();
    out.seeds = json.at("seeds").get<std::string>();
    out.n = json.at("n").get<int64_t>();
    out.block_sizes = json.at("block_sizes").get<std::vector<int64_t>>();
    out.block_seeds = json.value("block_seeds", std::vector<std::string>());
    out.device = json.at("device").get<std::string>();
    out.dtype = json.at("dtype").get<std::string>();
    out.batch = json.at("batch").get<int64_t>();
    out.conditions = json.value("conditions", std::map<std::string, std::string>());
    out.warnings = json.value("warnings", std::vector<std::string>());
    out.features = json.at("features").at("name").get<std::string>();
    out.features_sha256 = json.at("features").at("sha256").get<std::string>();
    out.quantisation = json.at("features").value("quantisation", "none");
    out.reference = json.at("reference").at("name").get<std::string>();
    out.reference_n = json.at("reference").at("n").get<int64_t>();
    out.reference_floor = number(json.at("reference").at("floor"));
    out.strip_columns = json.at("strip_columns").get<int64_t>();
    out.complete = json.at("complete").get<bool>();
    out.teacher = sampler_from(json.at("teacher"));
    for (const Json& sampler : json.at("samplers")) out.samplers.push_back(sampler_from(sampler));
    set_tags(out);
    return out;
  } catch (const Json::exception& error) {
    throw InputError(
        fmt::format("{}: damaged or incomplete results ({}); run the evaluation again", where, error.what()));
  }
}

std::vector<std::pair<std::string, std::string>> evaluation_files(const EvaluationResult& result) {
  std::vector<std::pair<std::string, std::string>> files;
  if (!result.teacher.strip_png.empty()) files.emplace_back("strip-teacher.png", result.teacher.strip_png);
  for (std::size_t i = 0; i < result.samplers.size(); ++i) {
    if (!result.samplers[i].strip_png.empty()) files.emplace_back(strip_name(i), result.samplers[i].strip_png);
  }
  files.emplace_back("results.csv", to_csv(result));
  files.emplace_back("results.json", to_json(result));
  return files;
}

EvaluationResult load_evaluation(const std::string& folder) {
  const std::string path = folder + "/results.json";
  if (!file_exists(path)) {
    throw InputError(
        fmt::format("{}: no results.json in this folder; give a run folder of `stride evaluate` or `stride "
                    "demo`",
                    folder));
  }
  EvaluationResult out = evaluation_from_json(read_file(path), path);
  const auto strip = [&](const std::string& name) {
    const std::string file = folder + "/" + name;
    return file_exists(file) ? read_file(file) : std::string();
  };
  out.teacher.strip_png = strip("strip-teacher.png");
  for (std::size_t i = 0; i < out.samplers.size(); ++i) out.samplers[i].strip_png = strip(strip_name(i));
  return out;
}

}  // namespace stride
