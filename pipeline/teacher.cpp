#include "pipeline/teacher.h"

#include "framework/error.h"
#include "framework/spec.h"

#include <fmt/format.h>

namespace stride {
namespace {

constexpr int64_t kTeacherSteps = 40;

std::string take(Spec& spec, const std::string& key) {
  const auto found = spec.options.find(key);
  if (found == spec.options.end()) return "";
  const std::string value = found->second;
  spec.options.erase(found);
  return value;
}

}  // namespace

SamplerSpec parse_teacher(const std::string& text) {
  Spec spec = Spec::parse(text);
  SamplerSpec out;
  const std::string steps = take(spec, "steps");
  const std::string nfe = take(spec, "nfe");
  const std::string schedule = take(spec, "schedule");
  const std::string final = take(spec, "final");
  if (!steps.empty() && !nfe.empty()) throw UsageError(fmt::format("`teacher` {}: give steps or nfe, not both", text));
  if (!steps.empty()) out.steps = parse_integer(steps, "`teacher`: steps");
  if (!nfe.empty()) out.nfe = parse_integer(nfe, "`teacher`: nfe");
  if (steps.empty() && nfe.empty() && spec.name != "plan") out.steps = kTeacherSteps;
  if (!schedule.empty()) out.schedule = schedule;
  if (!final.empty()) out.final = parse_final(final);
  out.solver = spec.text();
  return out;
}

}  // namespace stride
