#include "framework/program/refilled_run.h"

#include "framework/adaptive_loop.h"
#include "framework/capture_graph.h"
#include "framework/close_run.h"
#include "framework/error.h"
#include "framework/forbid_sync.h"
#include "framework/out_of_memory.h"
#include "framework/program/refill.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <ATen/cuda/CUDAEvent.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

namespace stride {
namespace {

constexpr int kWarmUpSteps = 2;
constexpr int64_t kWorthwhile = 7;  // eighths of the slots: a graph whose other slots stand empty loses to fewer rows

struct ToRows {
  const Tensor& rows;
  void operator()(const char*, const Tensor& to, const Tensor& from) const { to.index_copy_(0, rows, from); }
  void operator()(const char*, const BatchState& to, const BatchState& from) const {
    for (std::size_t i = 0; i < to.size(); ++i) to[i].index_copy_(0, rows, from[i]);
  }
};

}  // namespace

struct RefilledRun::Impl {
  using Stop = RefilledRun::Stop;
  const Problem problem;
  const Solver& solver;
  const StepController& controller;
  const Options options;
  Slots slots;
  std::unique_ptr<at::cuda::CUDAGraph> graph = {};
  Tensor seen = {};  // pinned `[kBehind, 3]`: Slots::counts of the last steps

  void step() {
    slots.running.copy_from(advance(problem, solver, controller, slots.running));
    refill(slots, options.max_steps);
  }

  void capture(const RunState& example) {
    at::cuda::getCurrentCUDAStream().synchronize();
    const c10::cuda::CUDAStream side = c10::cuda::getStreamFromPool();
    const c10::cuda::CUDAStreamGuard stream(side);
    load_pool(slots, example, options.max_steps);
    {
      const ForbidSync forbid;
      for (int i = 0; i < kWarmUpSteps; ++i) step();
    }
    side.synchronize();
    seen = at::zeros({kBehind, 3}, at::TensorOptions().dtype(at::kLong).pinned_memory(true));
    with_all_memory([this] { graph = capture_graph([this] { step(); }); });
    side.synchronize();
  }

  // False: stopped.
  bool run_all(const Stop& stop) {
    if (graph && !run_ahead(stop)) return false;
    for (int64_t few = options.compact ? options.slots * kWorthwhile / 8 : 0;; few /= 2) {
      const std::optional<int64_t> running = run(few, stop);
      if (!running || *running == 0) return running.has_value();
      try {
        return !run_rest(stop);
      } catch (const c10::Error& error) {
        if (!graph || few == 0 || !is_out_of_memory(error)) throw;
      }
      // Beside the graph's memory there is none for so many rows. The slots are as they were.
      c10::cuda::CUDACachingAllocator::emptyCache();
    }
  }

  // With how many samples have left their slots.
  static bool asked(const Stop& stop, const int64_t* counts) { return stop && stop(counts[0] - counts[2]); }

  // Until no more slots run than are `few` enough to go on without the others; how many run. None: stopped.
  std::optional<int64_t> run(int64_t few, const Stop& stop) {
    for (;;) {
      const Tensor counts = slots.counts.cpu();
      const int64_t* const now = counts.const_data_ptr<int64_t>();
      if (now[2] <= few) return now[2];
      if (asked(stop, now)) return std::nullopt;
      graph ? graph->replay() : step();
    }
  }

  // Until none waits, as far as the host knows: from there on slots stand empty, and a look costs less than they do.
  // False: stopped.
  bool run_ahead(const Stop& stop) {
    // A ring of looks at the device: while the host reads one, the device has the next steps to do.
    std::array<at::cuda::CUDAEvent, kBehind> events;
    const int64_t none[3] = {};
    for (int64_t i = 0;; ++i) {
      const auto place = static_cast<std::size_t>(i % kBehind);
      const int64_t* known = none;
      if (i >= kBehind) {
        events[place].synchronize();
        known = seen.const_data_ptr<int64_t>() + place * 3;
        if (known[0] >= known[1]) return true;
      }
      if (asked(stop, known)) return false;
      graph->replay();
      seen[static_cast<int64_t>(place)].copy_(slots.counts, /*non_blocking=*/true);
      events[place].record();
    }
  }

  // What still runs, without the slots that do not; true: stopped.
  bool run_rest(const Stop& stop) {
    const Tensor which = (slots.row >= 0).nonzero().squeeze(1);
    const Tensor rows = slots.row.index_select(0, which);
    const int64_t ended = slots.counts[1].item<int64_t>() - which.size(0);
    const AdaptiveLoop loop{.step = [this](const RunState& state) { return ended_in_time(state); },
                            .max_steps = options.max_steps,
                            .poll_every = 1,
                            .compact = options.compact,
                            .stop = [&] { return stop && stop(ended); }};
    return run_to_ends(loop, slots.running.select(which),
                       [&](const RunState& ends, const Tensor& places) { write(ends, rows.index_select(0, places)); });
  }

  // A step after which no running row has more attempts than it may have.
  RunState ended_in_time(const RunState& state) const {
    RunState next = advance(problem, solver, controller, state);
    const Tensor exhausted = next.running().logical_and(next.index + next.rejected >= options.max_steps);
    next.status = next.status.masked_fill(exhausted, static_cast<int8_t>(Status::max_steps));
    return next;
  }

  void write(const RunState& ended, const Tensor& rows) { RunState::each_changing(ToRows{rows}, slots.pool, ended); }

  void jump(int64_t rows) {
    if (!controller.final_zero()) return;
    int64_t at_once = options.slots;
    for (int64_t first = 0, n = 0; first < rows; first += n) {
      n = std::min(at_once, rows - first);
      const Tensor all = at::arange(first, first + options.slots, slots.row.options()).clamp_max(rows - 1);
      const Tensor which = options.compact ? all.narrow(0, 0, n) : all;
      try {
        RunState ends = finish(problem, solver, slots.pool.select(which));
        if (which.size(0) > n) ends = ends.select(at::arange(n, slots.row.options()));
        write(ends, all.narrow(0, 0, n));
      } catch (const c10::Error& error) {
        if (!graph || !options.compact || at_once == 1 || !is_out_of_memory(error)) throw;
        // Beside the graph's memory there is none for so many rows.
        c10::cuda::CUDACachingAllocator::emptyCache();
        at_once /= 2;
        n = 0;
      }
    }
  }
};

RefilledRun::RefilledRun(const Problem& problem, const Solver& solver, const StepController& controller,
                         const RunState& example, const Options& options) {
  if (controller.planned_steps())
    throw UsageError("RefilledRun: all samples of a fixed grid end together; use CapturedRun, or sample");
  if (options.max_steps < 1) throw UsageError("RefilledRun: max_steps must be at least 1");
  if (example.x.is_cuda() && solver.traits().branches)
    throw UsageError(fmt::format("RefilledRun: {} does other work at each step; run it without graphs (sample)",
                                 solver.traits().name));
  const at::NoGradGuard no_grad;
  const c10::OptionalDeviceGuard device(example.x.device());
  impl_ = std::make_unique<Impl>(Impl{problem, solver, controller, options, make_slots(example, options.slots)});
  if (example.x.is_cuda()) impl_->capture(example);
}

RefilledRun::~RefilledRun() = default;
RefilledRun::RefilledRun(RefilledRun&&) noexcept = default;
RefilledRun& RefilledRun::operator=(RefilledRun&&) noexcept = default;

int64_t RefilledRun::capacity() const noexcept { return impl_->slots.pool.batch(); }

RunResult RefilledRun::operator()(const RunState& starts, const Stop& stop) {
  const at::NoGradGuard no_grad;
  const c10::OptionalDeviceGuard device(starts.x.device());
  Impl& one = *impl_;
  const int64_t rows = starts.batch();
  load_pool(one.slots, starts, one.options.max_steps);
  const bool stopped = !one.run_all(stop);
  if (!stopped) one.jump(rows);
  // The next pool is written where this one lies.
  const RunState ends = one.slots.pool.select(at::arange(rows, one.slots.row.options()));
  return close_run(ends, stopped);
}

}  // namespace stride
