#include "solvers/plan.h"

#include "framework/error.h"
#include "framework/history.h"
#include "solvers/solver_list.h"

#include <ATen/ATen.h>

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

namespace stride {

namespace {

struct PlanOptions {
  std::string path;
};

class PlanSolver final : public Method {
 public:
  PlanSolver(SolverTraits traits, const Plan& plan) : Method(std::move(traits)), nfe_(plan.nfe()) {
    std::size_t window = 1;
    for (const std::vector<double>& row : plan.weights) window = std::max(window, row.size());
    traits_.history = static_cast<int64_t>(window) - 1;
    table_ = at::tensor(plan_params(plan, static_cast<int>(window)), at::kDouble);
  }

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const Tensor table = history[history.size() - 1];
    const Tensor row = row_of(step, table);  // [B, window + 1]
    const int64_t window = row.size(1) - 1;
    const Times at = step.from * row.select(1, window);
    const Tensor denoised = step.denoise(x, at);
    const Tensor slope = (x - denoised) / per_sample(at, x);
    const History past = History::from_state(history, x, traits_.extras);
    const Tensor weights = row * (step.to - step.from).unsqueeze(1);
    Tensor next = x + per_sample(weights.select(1, 0), x) * slope;
    for (int64_t j = 1; j < window; ++j) next = next + per_sample(weights.select(1, j), x) * past[j - 1].slope;
    return {std::move(next), past.push({step.from, denoised, slope}).state({table}), denoised, {}};
  }

  /// The last jump is a step like the others: it may use the history.
  [[nodiscard]] StepResult finish(Step& step, const Tensor& x, const BatchState& history) const override {
    return this->step(step, x, history);
  }

  /// The table goes along a row: it reaches the device once, before the first step.
  [[nodiscard]] BatchState init(const Tensor& x) const override {
    const Tensor rows = table_.to(x.device()).unsqueeze(0).expand({x.size(0), -1}).contiguous();
    return History::empty(traits_.history, x).state({rows});
  }

 private:
  /// The weights and the scale of each row's step: float64 `[B, window + 1]`.
  [[nodiscard]] Tensor row_of(const Step& step, const Tensor& table) const {
    const RunConstant& constant = step.constant();
    if (const int64_t steps = constant.grid.size(1) - 1; steps != nfe_)
      throw UsageError(
          fmt::format("the plan has {} steps, but the grid has {}: a plan runs on its own grid only", nfe_, steps));
    const int64_t width = traits_.history + 2;
    if (constant.params && constant.params->size(1) != nfe_ * width)
      throw UsageError(fmt::format("a plan of {} steps and window {} takes {} parameters per row, not {}", nfe_,
                                   traits_.history + 1, nfe_ * width, constant.params->size(1)));
    const Tensor index = step.index.clamp_max(nfe_ - 1);
    const Tensor where = index.view({-1, 1, 1}).expand({-1, 1, width});
    return constant.params.value_or(table).view({-1, nfe_, width}).gather(1, where).squeeze(1);
  }

  int64_t nfe_;
  Tensor table_;  // [nfe · (window + 1)], see plan_params
};

bool all_finite_numbers(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

}  // namespace

const std::vector<double>& adams_bashforth(int order) {
  static const std::array<std::vector<double>, kPlanWindow> kWeights{
      {{1.0}, {3.0 / 2, -1.0 / 2}, {23.0 / 12, -16.0 / 12, 5.0 / 12}, {55.0 / 24, -59.0 / 24, 37.0 / 24, -9.0 / 24}}};
  if (order < 1 || order > kPlanWindow)
    throw UsageError(fmt::format("Adams–Bashforth weights exist here for order 1 to {}, not {}", kPlanWindow, order));
  return kWeights[static_cast<std::size_t>(order - 1)];
}

std::string Plan::invalid_reason() const {
  const std::size_t n = scale_time.size();
  if (n == 0) return "scale_time is empty: a plan needs one entry per step";
  if (sigmas.size() != n + 1) return fmt::format("sigmas has {} entries; {} steps need {}", sigmas.size(), n, n + 1);
  if (weights.size() != n) return fmt::format("weights has {} rows; {} steps need as many", weights.size(), n);
  if (!all_finite_numbers(sigmas)) return "sigmas has an entry that is not finite";
  for (std::size_t i = 0; i < n; ++i)
    if (!(sigmas[i] > sigmas[i + 1])) return fmt::format("sigmas does not decrease from entry {} to {}", i, i + 1);
  if (sigmas.back() < 0.0) return "sigmas ends below 0";
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t most = std::min<std::size_t>(i + 1, kPlanWindow);
    if (weights[i].empty() || weights[i].size() > most)
      return fmt::format("weights row {} has {} entries; it may have 1 to {}", i, weights[i].size(), most);
    if (!all_finite_numbers(weights[i])) return fmt::format("weights row {} has an entry that is not finite", i);
    if (!(std::isfinite(scale_time[i]) && scale_time[i] > 0.0))
      return fmt::format("scale_time entry {} is not a positive number", i);
  }
  return {};
}

std::vector<double> plan_params(const Plan& plan, int window) {
  if (window < 1 || window > kPlanWindow)
    throw UsageError(fmt::format("a plan's window is 1 to {}, not {}", kPlanWindow, window));
  std::vector<double> params;
  for (std::size_t i = 0; i < plan.weights.size(); ++i) {
    std::vector<double> row = plan.weights[i];
    if (row.size() > static_cast<std::size_t>(window))
      throw UsageError(
          fmt::format("row {} of the plan has {} weights, more than the window of {}", i, row.size(), window));
    row.resize(static_cast<std::size_t>(window), 0.0);
    params.insert(params.end(), row.begin(), row.end());
    params.push_back(plan.scale_time.at(i));
  }
  return params;
}

std::unique_ptr<Solver> make_plan_solver(Plan plan) {
  if (const std::string reason = plan.invalid_reason(); !reason.empty()) throw UsageError("plan: " + reason);
  return std::make_unique<PlanSolver>(solver_traits("plan"), plan);
}

SolverEntry solver_plan() {
  return solver_entry(
      {.name = "plan",
       .family = "learned",
       .reference =
           "Stride: a table made by stride fit; iPNDM's update (Zhang & Chen 2023, arXiv:2204.13902) with free weights",
       .summary = "a fitted few-step plan: its own grid, history weights and model times"},
      {.nfe = [](int64_t steps, bool /*final_zero*/) { return steps; }}, {.history = kPlanWindow - 1, .extras = 1},
      options<PlanOptions>(argument("FILE.json", &PlanOptions::path, "the plan's file")),
      [](const SolverTraits&, const PlanOptions& options) { return make_plan_solver(Plan::load(options.path)); });
}

}  // namespace stride
