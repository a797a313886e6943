#include "pipeline/graph_runs.h"

#include "framework/error.h"
#include "framework/out_of_memory.h"
#include "framework/program/run_program.h"
#include "framework/stopwatch.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>

namespace stride {
namespace {

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

}  // namespace

GraphRuns::GraphRuns(const Sampler& sampler, const Denoiser& denoiser, Guidance guidance, const NoiseSource* noise,
                     CapturedRun::See see)
    : sampler_(sampler),
      counts_draws_(noise != nullptr),
      problem_{denoiser, *sampler.term, noise != nullptr ? *noise : static_cast<const NoiseSource&>(own_noise_),
               std::move(guidance)},
      see_(std::move(see)) {}

GraphRuns::~GraphRuns() = default;

// The run as sums of what the network says; else of what the denoiser says; else as the solver makes it.
void GraphRuns::plan() {
  planned_ = true;
  ProgramSource source{.solver = *sampler_.host_solver,
                       .term = *sampler_.term,
                       .controller = *sampler_.controller,
                       .grid = sampler_.grid.rows(1, at::kCPU)[0],
                       .guidance = problem_.guidance,
                       .network = dynamic_cast<const NetworkDenoiser*>(&problem_.denoiser),
                       .keep_denoised = static_cast<bool>(see_)};
  ProgramOrReason made;
  if (source.network != nullptr) made = make_program(source);
  if (!made.program) {
    source.network = nullptr;
    made = make_program(source);
  }
  program_ = std::move(made.program);
  no_program_ = made.reason;
}

bool GraphRuns::open_pool(const RunState& example, const RefilledRun::Options& options) {
  if (!example.x.is_cuda() || sampler_.fixed() || !reason_.empty() || once_) return false;
  if (pool_ && slots_ == options.slots && pool_->capacity() >= example.batch()) return true;
  const Stopwatch watch;
  pool_.reset();  // its memory first
  try {
    pool_.emplace(problem_, *sampler_.solver, *sampler_.controller, example, options);
  } catch (const UsageError& error) {
    reason_ = error.what();
    return false;
  } catch (const c10::Error& error) {
    if (is_out_of_memory(error)) throw;
    reason_ = first_line(error.what_without_backtrace());
    return false;
  }
  slots_ = options.slots;
  seconds_ += watch.seconds();
  return true;
}

RunResult GraphRuns::run_pool(const RunState& starts, const RefilledRun::Stop& stop) { return (*pool_)(starts, stop); }

std::optional<RunResult> GraphRuns::run_once(const RunConstant& constant, const Tensor& x,
                                             const std::function<bool()>& stop) {
  const at::NoGradGuard no_grad;
  ProgramRun run(*program_, problem_, constant, x);
  for (int64_t i = 0; i < run.steps(); ++i) {
    if (stop && stop()) {
      RunResult result = run.result();
      result.stopped = true;
      return result;
    }
    const Tensor before = run.x();
    run.step();
    if (see_) see_(i, before, run.x(), run.denoised());
  }
  return run.result();
}

std::optional<RunResult> GraphRuns::run(const RunConstant& constant, const Tensor& x,
                                        const std::function<bool()>& stop) {
  if (!x.is_cuda() || !sampler_.fixed()) return std::nullopt;
  if (!reason_.empty()) return std::nullopt;
  if (rows_ != x.size(0)) {
    const Stopwatch watch;
    if (!planned_) plan();
    if (once_) return program_ ? run_once(constant, x, stop) : std::nullopt;
    if (counts_draws_ && !program_) {
      reason_ = fmt::format("its draws of the noise that was given cannot be counted beforehand: {}", no_program_);
      return std::nullopt;
    }
    captured_.reset();  // its memory first
    rows_ = 0;
    try {
      captured_.emplace(
          [this](RunConstant own, Tensor start) -> std::unique_ptr<SteppedRun> {
            if (program_) return std::make_unique<ProgramRun>(*program_, problem_, std::move(own), std::move(start));
            return plain_run(problem_, *sampler_.solver, *sampler_.controller, std::move(own), std::move(start));
          },
          constant, x, see_);
    } catch (const c10::Error& error) {
      if (is_out_of_memory(error)) throw;
      reason_ = first_line(error.what_without_backtrace());
      return std::nullopt;
    }
    rows_ = x.size(0);
    seconds_ += watch.seconds();
  }
  return (*captured_)(constant, x, stop);
}

}  // namespace stride
