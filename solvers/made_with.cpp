#include "solvers/made_with.h"

#include "framework/error.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stride {

std::string to_json(const MadeWith& made_with) {
  nlohmann::ordered_json out = {{"model", made_with.model_sha256}};
  out["class"] = made_with.label ? nlohmann::ordered_json(*made_with.label) : nlohmann::ordered_json(nullptr);
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
    const auto json = nlohmann::json::parse(text);
    json.at("model").get_to(out.model_sha256);
    if (!json.at("class").is_null()) out.label = json.at("class").get<int64_t>();
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
