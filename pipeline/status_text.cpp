#include "pipeline/status_text.h"

#include "framework/run_state.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

namespace stride {
namespace {

struct Meaning {
  Status status;
  const char* text;
};
constexpr Meaning kMeanings[] = {
    {Status::max_steps, "reached the largest number of steps: ask the policy for less, with larger tolerances"},
    {Status::step_underflow,
     "needed steps too short for the numbers: ask the policy for less, with larger tolerances, or for float64"},
    {Status::non_finite, "are not finite: try a wider dtype, less guidance, or another solver"},
    {Status::not_converged,
     "have a step whose equation was left unsolved, as its iteration does not converge: take more steps, or an "
     "explicit "
     "solver"}};

}  // namespace

std::string status_text(const Tensor& status) {
  std::string out;
  for (const Meaning& meaning : kMeanings) {
    const auto code = static_cast<int8_t>(meaning.status);
    const auto count = status.eq(code).sum().item<int64_t>();
    if (count > 0) out += fmt::format("{}{} (status {}) {}", out.empty() ? "" : "; ", count, code, meaning.text);
  }
  return out;
}

}  // namespace stride
