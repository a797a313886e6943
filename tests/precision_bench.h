// Every solver in every precision, on grids whose steps span decades: a run stays as near to its own float64 run as
// DDIM's does, whose step D + (σ′/σ)(x − D) subtracts nothing of the size of σ.
#pragma once

#include "framework/advance.h"
#include "framework/close_run.h"
#include "framework/dtype_name.h"
#include "framework/fixed_grid.h"
#include "solvers/registry.h"
#include "tests/catch_torch.h"

#include <ATen/core/grad_mode.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace stride::testing {

struct Axis {
  const char* schedule;
  const char* betas;
};
// Karras et al.; flow matching, from σ = 4,000 to 49,000; a schedule without signal at its end; timesteps.
inline const std::vector<Axis> kAxes{{"karras", "linear"},
                                     {"flow:shift=1", "linear"},
                                     {"flow:shift=3", "linear"},
                                     {"flow:shift=12", "linear"},
                                     {"trailing", "scaled_linear:beta_start=0.00085,beta_end=0.012,rescale_zero_snr=1"},
                                     {"linspace", "linear"},
                                     {"leading", "scaled_linear:beta_start=0.00085,beta_end=0.012"},
                                     {"sgm_uniform", "scaled_linear:beta_start=0.00085,beta_end=0.012"}};
inline const std::vector<at::ScalarType> kDtypes{at::kFloat, at::kBFloat16, at::kHalf};

constexpr double kOneEvaluation = 4.0, kMoreEvaluations = 10.0;  // times DDIM's distance

// A method whose float64 run is so many times the size of DDIM's has no result on that grid that digits could be
// counted of.
constexpr double kNoResult = 100.0;

inline std::unique_ptr<Solver> precision_solver(const std::string& name, at::Device device) {
  static const NoiseSchedule linear = make_noise_schedule(Spec::parse("linear"));
  return make_solver(name, {&linear, device});
}

// Each with its variants; a plan brings its own grid, and runs to the same bits for ever.
inline std::vector<std::string> precision_solvers() {
  std::vector<std::string> out;
  for (const std::string& solver : solver_names()) {
    if (solver == "plan") continue;
    out.push_back(solver);
    for (const std::string& options : solver_traits(solver).variants) out.push_back(solver + ":" + options);
  }
  return out;
}

/// Equal shares of the rows, one after the other, each seen by a denoiser of its own.
class Shares final : public Denoiser {
 public:
  /// `single`: D is float32, whatever x is.
  explicit Shares(std::vector<std::shared_ptr<const Denoiser>> parts, bool single = false)
      : parts_(std::move(parts)), single_(single) {}
  [[nodiscard]] const ModelInfo& info() const noexcept override { return parts_[0]->info(); }
  [[nodiscard]] Evaluation evaluate(const Tensor& x, const Times& sigma, const BatchState& condition) const override {
    const int64_t share = x.size(0) / static_cast<int64_t>(parts_.size());
    std::vector<Tensor> out;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const Tensor rows =
          at::arange(static_cast<int64_t>(i) * share, static_cast<int64_t>(i + 1) * share, condition[0].options());
      out.push_back(
          parts_[i]->evaluate(x.index_select(0, rows), sigma.index_select(0, rows), condition.select(rows)).denoised);
    }
    const Tensor all = at::cat(out);
    return {single_ ? all.to(at::kFloat).to(all.scalar_type()) : all, {}, {}};
  }

 private:
  std::vector<std::shared_ptr<const Denoiser>> parts_;
  bool single_;
};

/// `samples` of every grid of N steps, all in one batch.
class Bench final {
 public:
  /// One denoiser for float64, and one for each of kDtypes, all on `device`.
  Bench(std::shared_ptr<const Denoiser> wide, const std::vector<std::shared_ptr<const Denoiser>>& narrow, int64_t steps,
        int64_t samples, at::Device device = at::kCPU)
      : wide_(std::move(wide)), narrow_(narrow), rounding_(narrow, true), samples_(samples), device_(device) {
    for (const Axis& axis : kAxes) {
      const NoiseSchedule betas = make_noise_schedule(Spec::parse(axis.betas));
      const TimeGrid grid = make_grid(
          Spec::parse(axis.schedule),
          {.steps = steps, .sigma_min = 0.02, .sigma_max = 80.0, .final = Final::zero, .noise_schedule = &betas});
      REQUIRE(grid.steps() == steps);
      grids_.push_back(grid);
    }
  }

  /// What a solver makes, `[dtypes, grids, samples, …]`, and which of it is a result: bool `[dtypes, grids, samples]`.
  /// `wide` (one dtype) is float64, `narrow` each of kDtypes, `rounded` float64 steps with a network of each of kDtypes
  /// and a state, history and D that are float32.
  struct Made {
    Tensor x, ok;
  };
  struct Ends {
    Made wide, narrow, rounded;
  };
  [[nodiscard]] Ends run(const Solver& solver) const {
    const auto dtypes = static_cast<int64_t>(kDtypes.size());
    return {run(solver, *wide_, 1, at::kDouble), run(solver, narrow_, dtypes, at::kFloat),
            run(solver, rounding_, dtypes, at::kDouble, true)};
  }
  [[nodiscard]] const std::vector<TimeGrid>& grids() const noexcept { return grids_; }
  [[nodiscard]] at::Device device() const noexcept { return device_; }

 private:
  [[nodiscard]] Made run(const Solver& solver, const Denoiser& denoiser, int64_t copies, at::ScalarType dtype,
                         bool round_state = false) const {
    const auto count = static_cast<int64_t>(grids_.size());
    std::vector<Tensor> levels;
    for (const TimeGrid& grid : grids_) levels.push_back(grid.rows(samples_, device_));
    const Tensor all = at::cat(levels).repeat({copies, 1});
    const Tensor sample_ids =
        at::arange(samples_, at::TensorOptions().dtype(at::kLong).device(device_)).repeat({copies * count});
    const Times from = all.select(1, 0).contiguous();
    const Tensor unit = PhiloxNoise().initial(sample_ids, denoiser.info().shape, at::kDouble);
    const RunConstant constant{sample_ids, BatchState({sample_ids.remainder(2)}), all, {}};
    const PhiloxNoise noise;
    const ProbabilityFlow flow;
    const FixedGrid controller(grids_[0]);
    const RunState begin = start_run(solver, controller, constant, (unit * per_sample(from, unit)).to(dtype), from);
    const Problem problem{denoiser, flow, noise};
    const at::NoGradGuard no_grad;
    RunState state = begin;
    for (int64_t i = 0; i < *controller.planned_steps(); ++i) {
      if (round_state) {
        const auto single = [&](const Tensor& t) {
          return t.sizes() == state.x.sizes() ? t.to(at::kFloat).to(at::kDouble) : t;
        };
        std::vector<Tensor> slots;
        for (const Tensor& slot : state.history.slots()) slots.push_back(single(slot));
        state.history = BatchState(std::move(slots));
        state.x = single(state.x);
      }
      state = advance(problem, solver, controller, state);
    }
    const RunResult result = close_run(finish(problem, solver, state));
    std::vector<int64_t> shape{copies, count, samples_};
    shape.insert(shape.end(), denoiser.info().shape.begin(), denoiser.info().shape.end());
    const Tensor ok = result.status.eq(static_cast<int8_t>(Status::ok)).view({copies, count, samples_}).cpu();
    return {result.x.view(shape).to(at::kCPU, at::kDouble), ok};
  }

  std::shared_ptr<const Denoiser> wide_;
  Shares narrow_, rounding_;
  int64_t samples_;
  at::Device device_;
  std::vector<TimeGrid> grids_;
};

// Root mean square over seven eighths of the samples that count, the smallest: `[dtypes, grids]`. The others lie where
// the flow parts, and a rounding sends them elsewhere.
inline Tensor rms(const Tensor& x, const Tensor& counts) {
  const Tensor each = x.flatten(3).square().mean(-1);
  const Tensor sorted = std::get<0>(at::where(counts, each, at::full_like(each, INFINITY)).sort(-1));
  const Tensor kept = sorted.narrow(-1, 0, std::max<int64_t>(1, each.size(-1) * 7 / 8));
  return at::where(kept.isinf(), at::zeros_like(kept), kept).mean(-1).sqrt();
}

struct Distances {
  Tensor run, rounded;  ///< from the float64 run, `[dtypes, grids]`, relative to its size where that is above DDIM's
  Tensor size;          ///< of the float64 run, `[grids]`
  Tensor finite;        ///< all samples, bool `[dtypes, grids]`
};
inline Distances distances(const Bench& bench, const Solver& solver, const Tensor& usual) {
  const Bench::Ends ends = bench.run(solver);
  const Tensor finite = at::isfinite(ends.narrow.x).flatten(2).all(-1);
  const Tensor counts = ends.wide.ok.logical_and(ends.narrow.ok).logical_and(ends.rounded.ok);
  const Tensor size = rms(ends.wide.x, ends.wide.ok)[0];
  const Tensor scale = usual.defined() ? (size / usual).clamp_min(1.0) : at::ones_like(size);
  return {rms(ends.narrow.x - ends.wide.x, counts) / scale, rms(ends.rounded.x - ends.wide.x, counts) / scale, size,
          finite};
}

// sra3 has a stage at the end of its step, whose slope in the clock σ² counts (σ/σ′)² times what it counts at the
// beginning: so much more does it make of a rounding.
inline double bound_of(const std::string& name, const Solver& solver, const TimeGrid& grid) {
  const double usual = solver.traits().nfe(grid.steps(), true) <= grid.steps() ? kOneEvaluation : kMoreEvaluations;
  if (!name.starts_with("sra3")) return usual;
  double longest = 1.0;
  for (std::size_t i = 1; grid.sigmas()[i] > 0.0; ++i)
    longest = std::max(longest, grid.sigmas()[i - 1] / grid.sigmas()[i]);
  return usual * longest * longest;
}

// The bound is a multiple of DDIM's distance, or, where the method itself is worse conditioned than DDIM, of what comes
// of float64 steps when network, state and history are rounded: the steps may lose no more than that.
inline void check_all(const Bench& bench, int64_t steps) {
  const Distances ddim = distances(bench, *precision_solver("ddim", bench.device()), {});
  std::string beyond;
  std::set<std::string> none;
  int64_t by_ddim = 0, all = 0;
  for (const std::string& name : precision_solvers()) {
    const auto solver = precision_solver(name, bench.device());
    const Distances found = distances(bench, *solver, ddim.size);
    CAPTURE(name, steps);
    for (std::size_t d = 0; d < kDtypes.size(); ++d)
      for (std::size_t g = 0; g < kAxes.size(); ++g) {
        const auto at = [&](const Tensor& table) {
          return table[static_cast<int64_t>(d)][static_cast<int64_t>(g)].item<double>();
        };
        const double run = at(found.run), least = at(ddim.run), rounded = at(found.rounded);
        const auto axis = static_cast<int64_t>(g);
        const std::string name_on = fmt::format("{} on {}", name, kAxes[g].schedule);
        const double bound = bound_of(name, *solver, bench.grids()[g]);
        if (found.size[axis].item<double>() > kNoResult * ddim.size[axis].item<double>()) {
          none.insert(name_on);
        }
        // A network of float16 gives up above 65,504, where a sample of sra3 may be.
        if (kDtypes[d] == at::kHalf && (none.contains(name_on) || name.starts_with("sra3"))) continue;
        const bool finite = found.finite[static_cast<int64_t>(d)][axis].item<bool>();
        if (!finite && !name.starts_with("implicit"))  // they say so
          beyond += fmt::format("{} N={} {} {}: not finite\n", name, steps, dtype_name(kDtypes[d]), kAxes[g].schedule);
        if (found.size[axis].item<double>() > kNoResult * ddim.size[axis].item<double>()) continue;
        ++all;
        if (run <= bound * least) ++by_ddim;
        if (!(run <= bound * std::max(least, rounded)))
          beyond += fmt::format(
              "{} N={} {} {}: {:.3g}, {:.3g} times DDIM's {:.2g}, {:.3g} times rounding's {:.2g}, "
              "bound {}\n",
              name, steps, dtype_name(kDtypes[d]), kAxes[g].schedule, run, run / least, least, run / rounded, rounded,
              bound);
      }
  }
  WARN(fmt::format("N={}: {} of {} within the bound of DDIM's distance itself; no result: {}", steps, by_ddim, all,
                   fmt::join(none, ", ")));
  INFO(beyond);
  CHECK(beyond.empty());
}

}  // namespace stride::testing
