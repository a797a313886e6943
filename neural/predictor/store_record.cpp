#include "neural/predictor/store_record.h"

#include "framework/dtype_name.h"

#include <fmt/format.h>

namespace stride {
namespace {

// Stores have torch's names of data types.
std::string readable_dtype(const std::string& stored) {
  for (const at::ScalarType dtype : {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16})
    if (stored == c10::toString(dtype)) return dtype_name(dtype);
  return stored;
}

}  // namespace

MadeWith made_with_of(const TrajectoryConfig& config) {
  const auto setting = [&](const char* name) {
    const auto found = config.settings.find(name);
    return found == config.settings.end() ? std::string() : found->second;
  };
  MadeWith out;
  out.recorded = true;
  out.model_sha256 = config.model_sha256;
  out.label = setting("class");
  out.condition = setting("condition");
  out.guidance = setting("guidance");
  out.threshold = setting("threshold");
  if (setting("clip") == "true") out.clip = 1.0;
  out.dtype = readable_dtype(setting("dtype"));
  out.teacher = config.solver + (config.solver.find(':') == std::string::npos ? ":" : ",");
  // Where only some points were kept, the grid that was run is not known.
  if (config.save_at.empty()) out.teacher += fmt::format("steps={},", config.steps);
  out.teacher += fmt::format("schedule={},final={}", config.schedule, config.final);
  out.teacher_sigmas = config.sigmas;
  return out;
}

}  // namespace stride
