// The plan's file format: JSON, `stride-plan` version 1 (contract).
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/json_text.h"
#include "framework/files/seal.h"
#include "solvers/plan.h"

#include <fmt/format.h>
#include <filesystem>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

using nlohmann::json;

constexpr int kVersion = 1;
constexpr std::uintmax_t kLargestFile = 1 << 20;

[[noreturn]] void malformed(const std::string& where, const std::string& what) {
  throw InputError(fmt::format("{}: not a usable plan: {}", where, what));
}

const json& member(const json& object, const char* key, const std::string& where) {
  const auto found = object.find(key);
  if (found == object.end()) malformed(where, fmt::format("'{}' is missing", key));
  return *found;
}

std::vector<double> numbers(const json& list, const std::string& what, const std::string& where) {
  if (!list.is_array()) malformed(where, what + " is not a list");
  std::vector<double> values;
  for (const json& entry : list) {
    if (!entry.is_number()) malformed(where, what + " holds something that is not a number");
    values.push_back(entry.get<double>());
  }
  return values;
}

void check_header(const json& root, const std::string& where) {
  if (!root.is_object()) malformed(where, "not a JSON object");
  const json& format = member(root, "format", where);
  if (format != "stride-plan") malformed(where, "'format' is not \"stride-plan\"");
  const json& version = member(root, "version", where);
  if (version != kVersion)
    malformed(where,
              fmt::format("it is version {} of the format, and this program reads version {}: use the Stride that "
                          "wrote it, or fit the plan again",
                          version.is_number() ? version.dump() : "unknown", kVersion));
}

// Files from before the record name their seeds in the fit report.
MadeWith before_the_record(const Plan& plan, const json& root) {
  MadeWith out;
  out.model_sha256 = plan.model_sha256;
  const auto fit = root.find("fit");
  if (fit == root.end() || !fit->is_object()) return out;
  const auto text = [&](const char* key) {
    const auto found = fit->find(key);
    return found != fit->end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  out.teacher = text("teacher");
  out.seeds = text("seeds");
  out.validation_seeds = text("validation_seeds");
  return out;
}

}  // namespace

Plan Plan::from_json(const std::string& text, const std::string& where) {
  nlohmann::ordered_json as_written = parse_ordered_json_text(text, where);
  (void)take_seal(as_written, where);
  const json root = as_written;
  check_header(root, where);
  Plan plan;
  plan.sigmas = numbers(member(root, "sigmas", where), "'sigmas'", where);
  plan.scale_time = numbers(member(root, "scale_time", where), "'scale_time'", where);
  const json& rows = member(root, "weights", where);
  if (!rows.is_array()) malformed(where, "'weights' is not a list of rows");
  for (const json& row : rows)
    plan.weights.push_back(numbers(row, fmt::format("row {} of 'weights'", plan.weights.size()), where));
  if (const std::string reason = plan.invalid_reason(); !reason.empty()) malformed(where, reason);
  if (member(root, "nfe", where) != plan.nfe())
    malformed(where, fmt::format("'nfe' is not {}, the number of its steps", plan.nfe()));
  if (member(root, "final", where) != (plan.final_zero() ? "zero" : "sigma_min"))
    malformed(where, "'final' does not say what its last sigma says");
  if (const auto fit = root.find("fit"); fit != root.end() && !fit->is_null()) {
    if (!fit->is_object()) malformed(where, "'fit' is not an object");
    plan.fit_json = fit->dump();
  }
  if (const auto model = root.find("model"); model != root.end() && !model->is_null()) {
    if (!model->is_string()) malformed(where, "'model' is not text");
    plan.model_sha256 = model->get<std::string>();
  }
  const auto made_with = root.find("made_with");
  plan.made_with = made_with == root.end() || made_with->is_null() ? before_the_record(plan, root)
                                                                   : made_with_from_json(made_with->dump(), where);
  return plan;
}

std::string Plan::to_json() const {
  if (const std::string reason = invalid_reason(); !reason.empty()) throw UsageError("plan: " + reason);
  // Written by hand at the top level, so that each row of the table is one line.
  const auto line = [](const char* key, const json& value) { return fmt::format("  \"{}\": {}", key, value.dump()); };
  std::string rows;
  for (const std::vector<double>& row : weights)
    rows += fmt::format("{}\n    {}", rows.empty() ? "" : ",", json(row).dump());
  std::string text = "{\n";
  for (const std::string& entry : {line("format", "stride-plan"), line("version", kVersion), line("nfe", nfe()),
                                   line("final", final_zero() ? "zero" : "sigma_min"), line("sigmas", sigmas),
                                   fmt::format("  \"weights\": [{}\n  ]", rows), line("scale_time", scale_time)})
    text += entry + ",\n";
  text += line("model", model_sha256);
  if (made_with.recorded) text += ",\n  \"made_with\": " + stride::to_json(made_with);
  if (!fit_json.empty()) text += ",\n" + line("fit", parse_json_text(fit_json, "the plan's fit report"));
  const std::string seal = seal_of(parse_ordered_json_text(text + "\n}\n", "the plan"));
  return text + ",\n" + line(kSealKey, seal) + "\n}\n";
}

void Plan::save(const std::string& path) const { write_file_atomic(path, to_json()); }

Plan Plan::load(const std::string& path) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(path, error);
  if (error) throw InputError(fmt::format("plan '{}' cannot be read: {}", path, error.message()));
  if (size > kLargestFile) throw InputError(fmt::format("plan '{}' has {} bytes; no plan is that large", path, size));
  return from_json(read_file(path), path);
}

}  // namespace stride
