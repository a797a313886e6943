#include "solvers/made_with.h"

#include "framework/error.h"
#include "framework/files/json_text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

// One class is a number, as people have it; several are a text.
nlohmann::ordered_json label_json(const std::string& label) {
  if (label.empty()) return nullptr;
  const bool number = label.find_first_not_of("0123456789") == std::string::npos;
  return number ? nlohmann::ordered_json(std::stoll(label)) : nlohmann::ordered_json(label);
}

std::string label_from(const nlohmann::json& json, const std::string& where) {
  if (json.is_null()) return "";
  if (json.is_string()) return json.get<std::string>();
  if (!json.is_number_integer()) throw InputError(fmt::format("{}: 'class' of 'made_with' is no class", where));
  return fmt::format("{}", json.get<int64_t>());
}

}  // namespace

std::string to_json(const MadeWith& made_with) {
  nlohmann::ordered_json out = {{"model", made_with.model_sha256}};
  out["class"] = label_json(made_with.label);
  out["guidance"] = made_with.guidance;
  out["clip"] = made_with.clip ? nlohmann::ordered_json(*made_with.clip) : nlohmann::ordered_json(nullptr);
  out["threshold"] = made_with.threshold;
  out["dtype"] = made_with.dtype;
  out["teacher"] = made_with.teacher;
  out["teacher_sigmas"] = made_with.teacher_sigmas;
  out["seeds"] = made_with.seeds;
  out["validation_seeds"] = made_with.validation_seeds;
  return out.dump();
}

MadeWith made_with_from_json(const std::string& text, const std::string& where) {
  MadeWith out;
  out.recorded = true;
  try {
    const nlohmann::json json = parse_json_text(text, where);
    json.at("model").get_to(out.model_sha256);
    out.label = label_from(json.at("class"), where);
    json.at("guidance").get_to(out.guidance);
    if (!json.at("clip").is_null()) out.clip = json.at("clip").get<double>();
    json.at("threshold").get_to(out.threshold);
    json.at("dtype").get_to(out.dtype);
    json.at("teacher").get_to(out.teacher);
    json.at("teacher_sigmas").get_to(out.teacher_sigmas);
    json.at("seeds").get_to(out.seeds);
    json.at("validation_seeds").get_to(out.validation_seeds);
  } catch (const nlohmann::json::exception& error) {
    throw InputError(fmt::format("{}: 'made_with' cannot be read: {}", where, error.what()));
  }
  return out;
}

}  // namespace stride
