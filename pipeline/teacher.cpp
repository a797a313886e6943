#include "pipeline/teacher.h"

#include "framework/error.h"
#include "framework/spec.h"
#include "solvers/hybrid.h"
#include "solvers/names.h"

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
  const SamplerName known = is_hybrid(spec.text()) ? SamplerName{spec.text(), ""} : resolve_sampler_name(spec.text());
  out.solver = known.solver;
  if (!known.schedule.empty()) {
    if (!schedule.empty())
      throw UsageError(
          fmt::format("`teacher` {}: its name says the schedule {}; leave schedule= out", text, known.schedule));
    out.schedule = known.schedule;
  }
  return out;
}

std::string teacher_text(const SamplerSpec& spec) {
  std::string out = spec.solver + (spec.solver.find(':') == std::string::npos ? ":" : ",");
  if (spec.steps) out += fmt::format("steps={},", *spec.steps);
  return out + fmt::format("schedule={},final={}", spec.schedule, to_string(spec.final));
}

void require_one_answer(const Sampler& teacher) {
  if (!teacher.solver->traits().stochastic && !teacher.term->stochastic()) return;
  throw UsageError(
      fmt::format("`teacher` {}: it draws noise in its steps, so that a seed has no one answer to be measured against; "
                  "take a deterministic solver, e.g. heun:steps=40",
                  teacher.spec.solver));
}

}  // namespace stride
