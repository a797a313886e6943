#include "solvers/made_with.h"

#include "framework/error.h"
#include "framework/files/json_place.h"
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

std::string label_from(const JsonPlace<nlohmann::json>& place) {
  if (place.is_null()) return "";
  return place.value().is_string() ? place.text() : fmt::format("{}", place.whole(0));
}

}  // namespace

std::string to_json(const MadeWith& made_with) {
  nlohmann::ordered_json out = {{"model", made_with.model_sha256}};
  out["class"] = label_json(made_with.label);
  if (!made_with.condition.empty()) out["condition"] = made_with.condition;
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
  const nlohmann::json json = parse_json_text(text, where);
  const JsonPlace<nlohmann::json> root(json, where + ": 'made_with'");
  out.model_sha256 = root.at("model").text();
  out.label = label_from(root.at("class"));
  if (json.contains("condition")) out.condition = root.at("condition").text();
  out.guidance = root.at("guidance").text();
  if (!root.at("clip").is_null()) out.clip = root.at("clip").number();
  out.threshold = root.at("threshold").text();
  out.dtype = root.at("dtype").text();
  out.teacher = root.at("teacher").text();
  out.teacher_sigmas = root.at("teacher_sigmas").numbers();
  out.seeds = root.at("seeds").text();
  out.validation_seeds = root.at("validation_seeds").text();
  return out;
}

}  // namespace stride
