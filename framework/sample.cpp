#include "framework/sample.h"

#include "framework/adaptive_loop.h"
#include "framework/close_run.h"
#include "framework/error.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <utility>

namespace stride {
namespace {

bool asked_to_stop(const SampleOptions& options) { return options.stop && options.stop(); }

class Run final {
 public:
  Run(const Problem& problem, const Solver& solver, const StepController& controller, const SampleOptions& options)
      : problem_(problem), solver_(solver), controller_(controller), options_(options) {}

  [[nodiscard]] RunState step(const RunState& state) const {
    if (!options_.observer) return advance(problem_, solver_, controller_, state);
    StepResult seen;
    RunState next = advance(problem_, solver_, controller_, state, &seen);
    options_.observer(state, next, seen, false);
    return next;
  }

  [[nodiscard]] RunState last(const RunState& state) const {
    if (!controller_.final_zero()) return state;
    if (!options_.observer) return finish(problem_, solver_, state);
    StepResult seen;
    RunState next = finish(problem_, solver_, state, &seen);
    options_.observer(state, next, seen, true);
    return next;
  }

  /// The host knows the number of steps and never looks at the device.
  [[nodiscard]] std::pair<RunState, bool> fixed(RunState state, int64_t steps) const {
    for (int64_t i = 0; i < steps; ++i) {
      if (asked_to_stop(options_)) return {std::move(state), true};
      state = step(state);
    }
    return {last(state), false};
  }

  /// Rows end at different steps: every few attempts the host asks which, and those leave the batch.
  [[nodiscard]] std::pair<RunState, bool> adaptive(const RunState& start) const {
    std::vector<RunState> ended;  // as they stood; the last jump is made once, for all
    std::vector<Tensor> ended_rows;
    const AdaptiveLoop loop{.step = [this](const RunState& state) { return step(state); },
                            .max_steps = options_.max_steps,
                            .poll_every = start.x.is_cuda() ? options_.poll_every : 1,
                            .compact = options_.compact,
                            .stop = options_.stop};
    const bool stopped = run_to_ends(loop, start, [&](RunState rows, Tensor places) {
      ended.push_back(std::move(rows));
      ended_rows.push_back(std::move(places));
    });
    RunState all = ended.at(0);
    for (std::size_t i = 1; i < ended.size(); ++i) all = RunState::concat(all, ended[i]);
    return {last(all.select(at::cat(ended_rows).argsort())), stopped};
  }

 private:
  const Problem& problem_;
  const Solver& solver_;
  const StepController& controller_;
  const SampleOptions& options_;
};

}  // namespace

std::string SampleOptions::invalid_reason() const {
  if (max_steps < 1) return "SampleOptions: max_steps must be at least 1";
  if (poll_every < 1) return "SampleOptions: poll_every must be at least 1";
  return {};
}

bool RunResult::ok() const { return status.eq(static_cast<int8_t>(Status::ok)).all().item<bool>(); }

RunResult sample(const Problem& problem, const Solver& solver, const StepController& controller, const RunState& start,
                 const SampleOptions& options) {
  if (const std::string reason = options.invalid_reason(); !reason.empty()) throw UsageError(reason);
  if (const std::string reason = problem.guidance.invalid_reason(); !reason.empty()) throw UsageError(reason);
  if (problem.term.stochastic() && !solver.traits().integrates_sde)
    throw UsageError(
        "solver '" + solver.traits().name +
        "' integrates ODEs only, but the term is stochastic; use ProbabilityFlow, or a solver for SDEs such as euler");
  if (start.batch() == 0) throw UsageError("sample: the batch is empty; give at least one seed");
  const at::NoGradGuard no_grad;
  const Run run(problem, solver, controller, options);
  const std::optional<int64_t> steps = controller.planned_steps();
  auto [end, stopped] = steps ? run.fixed(start, *steps) : run.adaptive(start);
  return close_run(end, stopped);
}

}  // namespace stride
