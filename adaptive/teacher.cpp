#include "adaptive/teacher.h"

#include "framework/error.h"
#include "framework/fixed_grid.h"
#include "framework/sample.h"
#include "solvers/registry.h"

#include <ATen/ATen.h>

#include <fmt/format.h>
#include <algorithm>

namespace stride {

std::string TeacherOptions::text() const {
  std::string text = fmt::format("{}{}steps={}", solver, solver.find(':') == std::string::npos ? ':' : ',', steps);
  if (schedule != "karras") text += fmt::format(" on {}", schedule);
  if (final != Final::zero) text += fmt::format(" to {}", to_string(final));
  return text;
}

TeacherRun teacher_endpoints(const Denoiser& denoiser, const Guidance& guidance, const Tensor& start,
                             const BatchState& condition, const TeacherOptions& options, const ProgressFn& progress) {
  if (options.rows < 1) throw UsageError("teacher: rows must be at least 1");
  const std::unique_ptr<Solver> solver = make_solver(options.solver);
  if (solver->traits().stochastic)
    throw UsageError(fmt::format(
        "teacher '{}' is stochastic; end points can be compared to a deterministic solver's only", options.solver));
  const GridRequest request{
      .steps = options.steps, .sigma_min = options.sigma_min, .sigma_max = options.sigma_max, .final = options.final};
  const TimeGrid grid = make_grid(Spec::parse(options.schedule), request);
  const FixedGrid controller(grid);
  const ProbabilityFlow term;
  const NoNoise noise;
  const Problem problem{denoiser, term, noise, guidance};

  TeacherRun run;
  std::vector<Tensor> ends;
  const int64_t samples = start.size(0);
  for (int64_t from = 0; from < samples && !run.stopped; from += options.rows) {
    const int64_t to = std::min(from + options.rows, samples);
    const Tensor rows = at::arange(from, to, start.options().dtype(at::kLong));
    const Tensor sigma = at::full({to - from}, grid.start(), start.options().dtype(at::kDouble));
    const RunState state =
        start_run(*solver, controller, {rows, condition.select(rows), grid.rows(to - from, start.device()), {}},
                  start.index_select(0, rows), sigma);
    const RunResult result = sample(problem, *solver, controller, state);
    if (!result.ok())
      throw QualityError(
          fmt::format("teacher {}: a sample among rows {} to {} is not finite; check the model and its sigma range",
                      options.text(), from, to - 1));
    ends.push_back(result.x);
    run.evaluations += (to - from) * solver->traits().nfe(grid.steps(), grid.final_zero());
    run.stopped = progress && !progress(to, samples, "teacher " + options.text()) && to < samples;
  }
  run.x = at::cat(ends);
  return run;
}

}  // namespace stride
