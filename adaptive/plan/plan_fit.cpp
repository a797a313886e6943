#include "adaptive/plan/plan_fit.h"

#include "adaptive/plan/plan_memory.h"
#include "adaptive/plan/plan_objective.h"
#include "framework/error.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <memory>
#include <utility>

namespace stride {
namespace {

constexpr std::array kStartRhos{7.0, 12.0, 3.0, 30.0, 1.5};

/// Everything that one fit looks at and spends. Lives as long as the fit.
struct Fit {
  const Denoiser& denoiser;
  const Guidance& guidance;
  const PlanFitData& train;
  const PlanFitData& validation;
  const PlanFitOptions& options;
  const ProgressFn& progress;
  int64_t rows;  ///< that run together
  PlanInputs train_inputs{denoiser, guidance, train.start, train.condition, options.compare};
  PlanInputs validation_inputs{denoiser, guidance, validation.start, validation.condition, options.compare};
  int64_t iterations = 0;
  int64_t planned_iterations = 0;
  int64_t evaluations = 0;
  double best_rmse = std::numeric_limits<double>::infinity();
  std::optional<Plan> best = {};
  std::size_t best_trial = 0;

  [[nodiscard]] std::string note() const {
    return best ? fmt::format("validation rmse {:.4f}", best_rmse) : std::string("first runs");
  }
  [[nodiscard]] bool asked_to_stop() const {
    return progress && !progress(std::min(iterations, planned_iterations), planned_iterations, note());
  }
  // There is a plan to end with first: the start itself.
  [[nodiscard]] bool over_budget() const {
    return best && options.budget_evaluations > 0 && evaluations >= options.budget_evaluations;
  }
  void offer(const Plan& plan, double rmse, std::size_t trial) {
    if (!(rmse < best_rmse)) return;
    best_rmse = rmse;
    best = plan;
    best_trial = trial;
  }
  [[nodiscard]] PlanBatching batching() const {
    return {rows, [this] { return over_budget() || asked_to_stop(); }};
  }
  [[nodiscard]] double rmse(const Plan& plan, const PlanInputs& inputs, const PlanFitData& data,
                            const PlanBatching& how) {
    return rmse_of(distances(plan, inputs, data, how), data);
  }
  [[nodiscard]] Tensor distances(const Plan& plan, const PlanInputs& inputs, const PlanFitData& data,
                                 const PlanBatching& how) {
    const PlanDistances ends = plan_distances(plan, inputs, data.target, how);
    evaluations += ends.evaluations;
    return ends.squared;
  }
  [[nodiscard]] static double rmse_of(const Tensor& squared, const PlanFitData& data) {
    return std::sqrt(squared.sum().item<double>() / static_cast<double>(data.target.numel()));
  }
};

/// One start: where it stands, and with which trust region it goes on.
struct Trial {
  std::shared_ptr<const PlanParameters> space;
  PlanObjectiveOptions objective;
  std::vector<double> parameters;
  double radius = 0.0;
  double best_rmse = std::numeric_limits<double>::infinity();
  PlanFitTrial report;
  LeastSquaresEnd ended = LeastSquaresEnd::iterations;
};

/// iPNDM on the Karras grid, which the priors' and the robust loss's units refer to.
struct Baseline {
  double train_rmse = 0.0;
  double validation_rmse = 0.0;
  double median_norm = 0.0;  ///< of a sample's residual
};

Baseline baseline(Fit& fit, const PlanParameters& space) {
  const Plan plan = space.plan(std::vector<double>(static_cast<std::size_t>(space.size()), 0.0));
  const Tensor squared = fit.distances(plan, fit.train_inputs, fit.train, fit.batching());
  Baseline out;
  out.train_rmse = Fit::rmse_of(squared, fit.train);
  out.median_norm = squared.sqrt().median().item<double>();
  out.validation_rmse = fit.rmse(plan, fit.validation_inputs, fit.validation, fit.batching());
  if (!std::isfinite(out.train_rmse) || !std::isfinite(out.validation_rmse))
    throw QualityError("plan fit: iPNDM's end points are not finite; check the model and its sigma range");
  return out;
}

PlanSpace space_of(const PlanFitOptions& options, Final final) {
  return {.nfe = options.nfe,
          .final = final,
          .sigma_min = options.sigma_min,
          .sigma_max = options.sigma_max,
          .free = options.free};
}

void add_trials(Fit& fit, Final final, std::vector<Trial>& trials) {
  const PlanFitOptions& options = fit.options;
  const PlanParameters space(space_of(options, final));
  std::vector<std::pair<std::string, Plan>> starts;
  if (options.initial) {
    starts.emplace_back("plan", *options.initial);
  } else {
    for (std::size_t k = 0; k < static_cast<std::size_t>(options.starts); ++k) {
      const std::string name = fmt::format("rho={:g}", kStartRhos.at(k));
      const GridRequest request{
          .steps = options.nfe, .sigma_min = options.sigma_min, .sigma_max = options.sigma_max, .final = final};
      starts.emplace_back(name, space.on_grid(make_grid(Spec::parse("karras:" + name), request).sigmas()));
    }
  }
  const Baseline base = baseline(fit, space);
  if (options.initial)
    fit.offer(*options.initial, fit.rmse(*options.initial, fit.validation_inputs, fit.validation, fit.batching()),
              trials.size());
  else
    fit.offer(starts.front().second, base.validation_rmse, trials.size());
  const double mean_square = base.train_rmse * base.train_rmse;
  for (const auto& [name, plan] : starts) {
    Trial trial;
    trial.space = std::make_shared<const PlanParameters>(space.around(plan));
    trial.objective = {.fd_step = options.fd_step,
                       .differences = options.differences,
                       .weight_prior = options.weight_prior * mean_square,
                       .scale_prior = options.scale_prior * mean_square,
                       .huber = options.huber * base.median_norm,
                       .batching = fit.batching()};
    trial.parameters = space.parameters(plan);
    trial.radius = options.initial_radius;
    trial.report = {final, name, base.train_rmse, base.validation_rmse, base.validation_rmse};
    trials.push_back(std::move(trial));
  }
}

bool within_bounds(const PlanFitOptions& options, const PlanParameters& space, const std::vector<double>& parameters) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const PlanColumn::Kind kind = space.columns()[i].kind;
    const double bound = kind == PlanColumn::Kind::time    ? options.logit_bound
                         : kind == PlanColumn::Kind::scale ? options.log_scale_bound
                                                           : options.weight_bound;
    if (!(std::abs(parameters[i]) <= bound)) return false;
  }
  return true;
}

LeastSquaresOptions solver_options(const Trial& trial, int64_t iterations) {
  LeastSquaresOptions options;
  options.max_iterations = iterations;
  options.function_tolerance = 1e-4;
  options.gradient_tolerance = 0.0;
  options.initial_radius = trial.radius;
  return options;
}

/// Up to `iterations` more steps of a start on the first `samples` training samples. Every accepted iterate is
/// looked at on the validation samples.
void improve(Fit& fit, Trial& trial, std::size_t index, int64_t iterations, int64_t samples) {
  const Tensor rows = at::arange(samples, fit.train.start.options().dtype(at::kLong));
  const PlanInputs inputs{fit.denoiser, fit.guidance, fit.train.start.slice(0, 0, samples),
                          fit.train.condition.select(rows), fit.options.compare};
  const PlanObjective objective(*trial.space, inputs, fit.train.target.slice(0, 0, samples), trial.objective);
  LeastSquaresOptions options = solver_options(trial, iterations);
  options.observer = [&](const LeastSquaresIteration& seen) {
    if (seen.iteration > 0) ++fit.iterations;
    trial.radius = std::clamp(seen.radius, 1e-3, 1e8);
    if (!seen.accepted) return true;
    trial.parameters = seen.parameters;
    const Plan plan = trial.space->plan(seen.parameters);
    const double rmse = fit.rmse(plan, fit.validation_inputs, fit.validation, fit.batching());
    if (rmse < trial.best_rmse) trial.report.validation_after = trial.best_rmse = rmse;
    fit.offer(plan, rmse, index);
    return true;
  };
  const LeastSquaresSummary summary = solve_least_squares(
      [&](const std::vector<double>& parameters, bool want_jacobian) {
        if (!within_bounds(fit.options, *trial.space, parameters))
          return NormalEquations{std::numeric_limits<double>::infinity(), {}, {}};
        PlanObjective::Value value = objective(parameters, want_jacobian);
        fit.evaluations += value.evaluations;
        return std::move(value.normal);
      },
      trial.parameters, options);
  trial.ended = summary.end;
}

void run_trials(Fit& fit, std::vector<Trial>& trials) {
  const int64_t starts = fit.options.initial ? 1 : fit.options.starts * static_cast<int64_t>(fit.options.ends.size());
  const int64_t screen = starts > 1 ? fit.options.screen_iterations : 0;
  fit.planned_iterations = starts * screen + fit.options.iterations;
  if (fit.options.initial) {
    add_trials(fit, fit.options.initial->final_zero() ? Final::zero : Final::sigma_min, trials);
  } else {
    for (const Final final : fit.options.ends) add_trials(fit, final, trials);
  }
  const int64_t all = fit.train.start.size(0);
  for (std::size_t i = 0; i < trials.size() && screen > 0; ++i)
    improve(fit, trials[i], i, screen, std::min(fit.options.screen_samples, all));
  const auto best = std::min_element(trials.begin(), trials.end(),
                                     [](const Trial& a, const Trial& b) { return a.best_rmse < b.best_rmse; });
  if (best->ended != LeastSquaresEnd::converged || all > fit.options.screen_samples)
    improve(fit, *best, static_cast<std::size_t>(best - trials.begin()), fit.options.iterations, all);
}

void check_data(const PlanFitData& data, const char* which, const ModelInfo& info) {
  if (!data.start.defined() || data.start.dim() < 2 || data.start.size(0) < 1)
    throw UsageError(fmt::format("plan fit: there are no {} samples", which));
  if (data.start.sizes() != data.target.sizes())
    throw UsageError(fmt::format("plan fit: the {} samples' starts and end points differ in shape", which));
  const std::size_t conditions = info.conditions.size();
  if (data.condition.size() != conditions && data.condition.size() != 2 * conditions)
    throw UsageError(fmt::format("plan fit: the model takes {} conditions, but the {} samples bring {}", conditions,
                                 which, data.condition.size()));
}

// The same samples, with the targets as they are compared, `rows` at a time.
PlanFitData as_compared(const PlanFitData& data, const PlanFitOptions& options, int64_t rows) {
  PlanFitData out = data;
  if (!options.compare) return out;
  const int64_t samples = data.target.size(0);
  for (int64_t from = 0; from < samples; from += rows) {
    const int64_t count = std::min(rows, samples - from);
    const Tensor compared = options.compare(data.target.narrow(0, from, count));
    if (from == 0) {
      std::vector<int64_t> shape = compared.sizes().vec();
      shape[0] = samples;
      out.target = at::empty(shape, compared.options());
    }
    out.target.narrow(0, from, count).copy_(compared);
  }
  return out;
}

// How many rows run together.
int64_t rows_of(const Denoiser& denoiser, const Guidance& guidance, const PlanFitData& train,
                const PlanFitData& validation, const PlanFitOptions& options) {
  if (options.memory == 0) return options.rows;
  const Final end = options.initial ? (options.initial->final_zero() ? Final::zero : Final::sigma_min)
                                    : options.ends.front();  // both have as many parameters
  const PlanInputs inputs{denoiser, guidance, train.start, train.condition, options.compare};
  return plan_memory(PlanParameters(space_of(options, end)), inputs, train.start.size(0) + validation.start.size(0))
      .rows_within(options.memory, options.rows);
}

}  // namespace

std::string PlanFitOptions::invalid_reason() const {
  if (ends.empty() && !initial) return "plan fit: give at least one end, zero or sigma_min";
  if (starts < 1 || starts > static_cast<int64_t>(kStartRhos.size()))
    return fmt::format("plan fit: `restarts` must be 1 to {}, not {}", kStartRhos.size(), starts);
  if (iterations < 0 || screen_iterations < 1 || screen_samples < 1)
    return "plan fit: `iterations` must not be negative, and screening needs at least one of one sample";
  if (!(fd_step > 0.0 && fd_step <= 0.02))
    return fmt::format("plan fit: fd_step must lie in (0, 0.02], not {}", fd_step);
  if (!(weight_prior >= 0.0 && scale_prior >= 0.0)) return "plan fit: priors must not be negative";
  if (!(initial_radius > 0.0 && std::isfinite(initial_radius)))
    return "plan fit: initial_radius must be positive and finite";
  if (!(huber > 0.0)) return "plan fit: `huber` must be positive";
  if (rows < 2) return "plan fit: `fit_rows`: at least 2 must run together";
  if (memory < 0) return "plan fit: memory must not be negative";
  if (budget_evaluations < 0) return "plan fit: `budget_evals` must not be negative";
  if (!(logit_bound > 0.0 && weight_bound > 0.0 && log_scale_bound > 0.0)) return "plan fit: bounds must be positive";
  return space_of(*this, Final::zero).invalid_reason();
}

PlanFitResult fit_plan(const Denoiser& denoiser, const Guidance& guidance, const PlanFitData& train_ends,
                       const PlanFitData& validation_ends, const PlanFitOptions& options, const ProgressFn& progress) {
  if (const std::string reason = options.invalid_reason(); !reason.empty()) throw UsageError(reason);
  check_data(train_ends, "training", denoiser.info());
  check_data(validation_ends, "validation", denoiser.info());
  const at::NoGradGuard no_grad;
  const int64_t rows = rows_of(denoiser, guidance, train_ends, validation_ends, options);
  const PlanFitData train = as_compared(train_ends, options, rows);
  const PlanFitData validation = as_compared(validation_ends, options, rows);
  const auto began = std::chrono::steady_clock::now();
  Fit fit{.denoiser = denoiser,
          .guidance = guidance,
          .train = train,
          .validation = validation,
          .options = options,
          .progress = progress,
          .rows = rows};
  std::vector<Trial> trials;
  PlanFitResult result;
  try {
    run_trials(fit, trials);
    result.end = to_string(trials.at(fit.best_trial).ended);
  } catch (const PlanRunsStopped&) {
    result.stopped = !fit.over_budget();
    result.end = result.stopped ? "stopped" : "budget";
  }
  if (!fit.best && !result.stopped) throw QualityError("plan fit: no plan that was tried has finite end points");
  if (fit.best) {
    result.plan = *fit.best;
    const Trial& winner = trials.at(fit.best_trial);
    result.train_before = winner.report.train_before;
    result.validation_before = winner.report.validation_before;
    result.validation_after = result.validation_pixels = fit.best_rmse;
    if (options.compare) {
      PlanInputs inputs = fit.validation_inputs;
      inputs.compare = {};
      result.validation_pixels = fit.rmse(result.plan, inputs, validation_ends, {rows, {}});
    }
    result.train_after = fit.rmse(result.plan, fit.train_inputs, train, {rows, {}});
  }
  for (const Trial& trial : trials) result.trials.push_back(trial.report);
  result.iterations = fit.iterations;
  result.evaluations = fit.evaluations;
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  return result;
}

}  // namespace stride
