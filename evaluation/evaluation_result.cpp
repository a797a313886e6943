#include "evaluation/evaluation_result.h"

#include "evaluation/csv_text.h"
#include "evaluation/labels.h"
#include "evaluation/metric_facts.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "framework/files/json_place.h"
#include "framework/files/json_text.h"
#include "framework/files/seal.h"

#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stride {

using Json = nlohmann::ordered_json;
using Place = JsonPlace<Json>;

const char* const kResultsCsvHeader =
    "sampler,schedule,final,policy,steps,nfe_mean,nfe_p95,nfe_max,model_evals_mean,metric,value,low,high,n,block,"
    "seconds,"
    "peak_bytes";

namespace {

constexpr const char* kFormat = "stride-evaluation";
constexpr int kVersion = 1;
constexpr const char* kTeacherStrip = "strip-teacher.png";
constexpr const char* kStripSum = "strip_xxh3_128";
constexpr const char* kSeedsSum = "seeds_xxh3_128";
// What counts can be, so that nothing that is computed from them overflows.
constexpr int64_t kMost = int64_t{1} << 52;

void add_row(std::string& out, const SamplerResult& sampler, const SampleCost& cost, const std::string& metric,
             const Estimate& value, const std::string& block) {
  out += fmt::format("{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n", csv_text(sampler.sampler),
                     csv_text(sampler.schedule), sampler.final, csv_text(sampler.policy),
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
double number(const Place& place) {
  const Json& json = place.value();
  if (json == "inf" || json == "-inf") return (json == "inf" ? 1.0 : -1.0) * std::numeric_limits<double>::infinity();
  return json.is_null() ? std::numeric_limits<double>::quiet_NaN() : place.number();
}

// Of what is counted or timed.
double amount(const Place& place) {
  const double value = number(place);
  if (std::isnan(value) || (value >= 0.0 && value <= static_cast<double>(kMost))) return value;
  place.fail(fmt::format("must lie between 0 and {}", kMost));
}

Json numbers(const std::vector<double>& values) {
  Json out = Json::array();
  for (const double value : values) out.push_back(number(value));
  return out;
}

std::vector<double> numbers(const Place& place) {
  std::vector<double> out;
  for (const Place& value : place.list()) out.push_back(number(value));
  return out;
}

std::map<std::string, std::string> texts_by_name(const Place& place) {
  std::map<std::string, std::string> out;
  for (const auto& [name, value] : place.entries()) out[name] = value.text();
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

SampleCost cost_from(const Place& place) {
  return {place.at("n").whole(0, kMost),         amount(place.at("nfe_mean")),         amount(place.at("nfe_p95")),
          place.at("nfe_max").whole(0, kMost),   amount(place.at("model_evals_mean")), amount(place.at("seconds")),
          place.at("peak_bytes").whole(0, kMost)};
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
  if (!sampler.strip_png.empty()) out[kStripSum] = xxh3_128(sampler.strip_png);
  if (!sampler.seeds_npz.empty()) out[kSeedsSum] = xxh3_128(sampler.seeds_npz);
  return out;
}

SamplerResult sampler_from(const Place& place) {
  SamplerResult out;
  out.sampler = place.at("sampler").text();
  out.schedule = place.at("schedule").text();
  out.final = place.at("final").text();
  out.policy = place.at("policy").text();
  out.steps = place.at("steps").whole(0, kMost);
  out.cost = cost_from(place.at("cost"));
  out.not_finite = place.at("not_finite").whole(0, kMost);
  out.gave_up = place.at("gave_up").whole(0, kMost);
  for (const auto& [name, metric] : place.at("metrics").entries()) {
    out.metrics.push_back(
        {name, within_range(name, {number(metric.at("value")), number(metric.at("low")), number(metric.at("high"))}),
         numbers(metric.at("blocks")), metric.text_or("quantisation", "none"), metric.text_or("features_sha256", "")});
  }
  for (const Place& block : place.at("blocks").list()) out.blocks.push_back(cost_from(block));
  out.sigmas = numbers(place.at("sigmas"));
  if (const auto paths = place.find("paths"))
    for (const Place& path : paths->list()) out.paths.push_back(numbers(path));
  if (const auto counts = place.find("nfe_counts")) {
    for (const Place& pair : counts->list()) {
      const std::vector<int64_t> two = pair.wholes(0, kMost);
      if (two.size() != 2) pair.fail("must be two numbers: evaluations and samples");
      out.nfe_counts.emplace_back(two[0], two[1]);
    }
  }
  if (const auto plan = place.find("plan")) out.plan_json = plan->value().dump(2);
  out.policy_sha256 = place.text_or("policy_sha256", "");
  out.seeds_seen = place.text_or("seeds_seen", "");
  for (const char* sum : {kStripSum, kSeedsSum}) (void)place.text_or(sum, "");
  return out;
}

std::string strip_name(std::size_t index) { return fmt::format("strip-{:03}.png", index); }
std::string seeds_name(std::size_t index) { return fmt::format("seeds-{:03}.npz", index); }

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
  return sealed_json(std::move(out), 1);
}

EvaluationResult evaluation_from_json(const std::string& text, const std::string& where) {
  Json json = parse_ordered_json_text(text, where);
  if (!json.is_object() || json.value("format", Json()) != kFormat) {
    throw InputError(
        fmt::format("{}: not the results of an evaluation; give a folder that `stride evaluate` or `stride "
                    "demo` wrote",
                    where));
  }
  (void)take_seal(json, where);
  const Place root(json, where);
  if (const int64_t version = root.at("version").whole(); version != kVersion) {
    throw InputError(
        fmt::format("{}: version {} of the results; this program reads version {}", where, version, kVersion));
  }
  EvaluationResult out;
  out.model = root.at("model").at("name").text();
  out.model_sha256 = root.at("model").at("sha256").text();
  out.shape = root.at("model").at("shape").wholes(1, kMost);
  out.seeds = root.at("seeds").text();
  out.n = root.at("n").whole(0, kMost);
  out.block_sizes = root.at("block_sizes").wholes(0, kMost);
  if (const auto seeds = root.find("block_seeds")) out.block_seeds = seeds->texts();
  out.device = root.at("device").text();
  out.dtype = root.at("dtype").text();
  out.batch = root.at("batch").whole(0, kMost);
  if (const auto conditions = root.find("conditions")) out.conditions = texts_by_name(*conditions);
  if (const auto warnings = root.find("warnings")) out.warnings = warnings->texts();
  out.features = root.at("features").at("name").text();
  out.features_sha256 = root.at("features").at("sha256").text();
  out.quantisation = root.at("features").text_or("quantisation", "none");
  out.reference = root.at("reference").at("name").text();
  out.reference_n = root.at("reference").at("n").whole(0, kMost);
  out.reference_floor = number(root.at("reference").at("floor"));
  out.strip_columns = root.at("strip_columns").whole(0, 1 << 20);
  out.complete = root.at("complete").flag();
  out.teacher = sampler_from(root.at("teacher"));
  for (const Place& sampler : root.at("samplers").list()) out.samplers.push_back(sampler_from(sampler));
  set_tags(out);
  return out;
}

std::vector<std::pair<std::string, std::string>> evaluation_files(const EvaluationResult& result) {
  std::vector<std::pair<std::string, std::string>> files;
  if (!result.teacher.strip_png.empty()) files.emplace_back(kTeacherStrip, result.teacher.strip_png);
  for (std::size_t i = 0; i < result.samplers.size(); ++i) {
    if (!result.samplers[i].strip_png.empty()) files.emplace_back(strip_name(i), result.samplers[i].strip_png);
    if (!result.samplers[i].seeds_npz.empty()) files.emplace_back(seeds_name(i), result.samplers[i].seeds_npz);
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
  const std::string text = read_file(path);
  EvaluationResult out = evaluation_from_json(text, path);
  const Json json = parse_ordered_json_text(text, path);
  // A picture may stand there without a sum, as earlier versions left it.
  const auto read_beside = [&](std::string& bytes, const Json& entry, const char* key, const std::string& name) {
    const std::string file = folder + "/" + name, sum = Place(entry, path).text_or(key, "");
    if (file_exists(file) && (!sum.empty() || name.ends_with(".png"))) bytes = read_file(file);
    if (!sum.empty() && xxh3_128(bytes) != sum)
      throw InputError(fmt::format("{}: is {}; run the evaluation again", file,
                                   bytes.empty() ? "missing" : "not the one that results.json lists"));
  };
  read_beside(out.teacher.strip_png, json["teacher"], kStripSum, kTeacherStrip);
  for (std::size_t i = 0; i < out.samplers.size(); ++i) {
    read_beside(out.samplers[i].strip_png, json["samplers"][i], kStripSum, strip_name(i));
    read_beside(out.samplers[i].seeds_npz, json["samplers"][i], kSeedsSum, seeds_name(i));
  }
  return out;
}

}  // namespace stride
