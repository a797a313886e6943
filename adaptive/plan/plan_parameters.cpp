#include "adaptive/plan/plan_parameters.h"

#include "framework/error.h"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>

namespace stride {
namespace {

constexpr double kTimeTurn = 10.0;
constexpr double kScaleTurn = 2.0;

std::size_t at(int64_t i) { return static_cast<std::size_t>(i); }

// Logs of the gaps between neighbours of `fractions`, less the last one.
std::vector<double> logits(const std::vector<double>& fractions) {
  std::vector<double> out;
  for (std::size_t k = 0; k + 1 < fractions.size(); ++k) out.push_back(std::log(fractions[k + 1] - fractions[k]));
  const double last = out.back();
  for (double& value : out) value -= last;
  return out;
}

}  // namespace

PlanFree PlanFree::parse(const std::string& text) {
  PlanFree out{false, false, false};
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t to = std::min(text.find('+', from), text.size());
    const std::string word = text.substr(from, to - from);
    bool* part = word == "grid" ? &out.grid : word == "weights" ? &out.weights : word == "times" ? &out.times : nullptr;
    if (part == nullptr || *part)
      throw UsageError(fmt::format(
          "parametrisation '{}': name what is fitted, of grid, weights and times, as in grid+weights", text));
    *part = true;
    from = to + 1;
  }
  return out;
}

std::string PlanFree::text() const {
  std::string out;
  for (const auto& [is_free, name] :
       {std::pair(grid, "grid"), std::pair(weights, "weights"), std::pair(times, "times")})
    if (is_free) out += (out.empty() ? "" : "+") + std::string(name);
  return out;
}

std::string PlanSpace::invalid_reason() const {
  if (nfe < 1 || nfe > 1000) return fmt::format("a plan has 1 to 1000 evaluations, not {}", nfe);
  if (!(sigma_min > 0.0 && sigma_min < sigma_max && std::isfinite(sigma_max)))
    return fmt::format("a plan needs 0 < sigma_min < sigma_max; they are {} and {}", sigma_min, sigma_max);
  if (!(rho > 0.0 && std::isfinite(rho))) return "a plan's rho must be a positive number";
  if (window < 1 || window > kPlanWindow) return fmt::format("a plan's window is 1 to {}, not {}", kPlanWindow, window);
  if (!free.weights && !free.times && (!free.grid || nfe < 2))
    return "there is nothing to fit: a plan of one evaluation has no times between its ends";
  return {};
}

PlanParameters::PlanParameters(const PlanSpace& space) : space_(space) {
  if (const std::string reason = space.invalid_reason(); !reason.empty()) throw UsageError(reason);
  const int64_t n = space.nfe;
  const bool zero = space.final == Final::zero;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t order = std::min(i + 1, space.window);
    std::vector<double> row = adams_bashforth(static_cast<int>(zero && i == n - 1 ? 1 : order));
    row.resize(at(order), 0.0);
    theory_.push_back(std::move(row));
  }
  const GridRequest request{
      .steps = n, .sigma_min = space.sigma_min, .sigma_max = space.sigma_max, .final = space.final};
  log_gaps_ = logits(fractions(make_grid(Spec::parse(fmt::format("karras:rho={}", space.rho)), request).sigmas()));

  const auto add = [this](bool is_free, const PlanColumn& column) {
    if (is_free) {
      columns_.push_back(column);
      free_.push_back(base_.size());
    }
    base_.push_back(0.0);
  };
  for (int64_t k = 1; k < n; ++k) add(space.free.grid, {PlanColumn::Kind::time, k, 0});
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < std::min(i + 1, space.window); ++j)
      add(space.free.weights, {PlanColumn::Kind::weight, i, j});
  for (int64_t i = 0; i < n; ++i) add(space.free.times, {PlanColumn::Kind::scale, i, 0});
}

PlanParameters PlanParameters::around(const Plan& plan) const {
  PlanParameters out = *this;
  out.base_ = all_of(plan);
  return out;
}

double PlanParameters::fraction(double sigma) const {
  const double top = std::pow(space_.sigma_max, 1.0 / space_.rho);
  const double bottom = space_.final == Final::zero ? 0.0 : std::pow(space_.sigma_min, 1.0 / space_.rho);
  return (top - std::pow(sigma, 1.0 / space_.rho)) / (top - bottom);
}

double PlanParameters::sigma(double fraction) const {
  const double top = std::pow(space_.sigma_max, 1.0 / space_.rho);
  const double bottom = space_.final == Final::zero ? 0.0 : std::pow(space_.sigma_min, 1.0 / space_.rho);
  return std::pow(top - fraction * (top - bottom), space_.rho);
}

std::vector<double> PlanParameters::fractions(const std::vector<double>& sigmas) const {
  std::vector<double> out;
  for (const double sigma : sigmas) out.push_back(fraction(sigma));
  out.front() = 0.0;
  out.back() = 1.0;
  return out;
}

Plan PlanParameters::plan(const std::vector<double>& parameters) const {
  if (static_cast<int64_t>(parameters.size()) != size())
    throw UsageError(fmt::format("a plan of this space has {} parameters, not {}", size(), parameters.size()));
  std::vector<double> all = base_;
  for (std::size_t i = 0; i < free_.size(); ++i) all[free_[i]] = parameters[i];
  return plan_of(all);
}

Plan PlanParameters::plan_of(const std::vector<double>& all) const {
  auto next = all.begin();
  Plan plan;
  std::vector<double> gaps = log_gaps_;
  for (std::size_t k = 0; k + 1 < gaps.size(); ++k) gaps[k] += *next++;
  const double largest = *std::max_element(gaps.begin(), gaps.end());
  double total = 0.0;
  for (double& gap : gaps) total += gap = std::exp(gap - largest);

  plan.sigmas.push_back(space_.sigma_max);
  double sum = 0.0;
  for (std::size_t k = 0; k + 1 < gaps.size(); ++k) plan.sigmas.push_back(sigma((sum += gaps[k]) / total));
  plan.sigmas.push_back(space_.final == Final::zero ? 0.0 : space_.sigma_min);

  plan.weights = theory_;
  for (std::vector<double>& row : plan.weights)
    for (double& weight : row) weight += *next++;
  while (next != all.end()) plan.scale_time.push_back(std::exp(*next++));
  return plan;
}

std::vector<double> PlanParameters::parameters(const Plan& plan) const {
  const std::vector<double> all = all_of(plan);
  std::vector<double> out;
  for (const std::size_t index : free_) out.push_back(all[index]);
  return out;
}

std::vector<double> PlanParameters::all_of(const Plan& plan) const {
  if (const std::string reason = plan.invalid_reason(); !reason.empty()) throw UsageError("plan: " + reason);
  const auto near = [](double a, double b) { return std::abs(a - b) <= 1e-6 * std::abs(b); };
  if (plan.nfe() != space_.nfe)
    throw UsageError(fmt::format("the plan has {} steps; {} are asked for", plan.nfe(), space_.nfe));
  if (plan.final_zero() != (space_.final == Final::zero))
    throw UsageError(fmt::format("the plan ends at {}; an end at {} is asked for",
                                 plan.final_zero() ? "zero" : "sigma_min", to_string(space_.final)));
  if (!near(plan.sigmas.front(), space_.sigma_max) ||
      (!plan.final_zero() && !near(plan.sigmas.back(), space_.sigma_min)))
    throw UsageError(fmt::format("the plan runs from sigma {} to {}; {} to {} is asked for", plan.sigmas.front(),
                                 plan.sigmas.back(), space_.sigma_max, plan.final_zero() ? 0.0 : space_.sigma_min));
  std::vector<double> out = logits(fractions(plan.sigmas));
  for (std::size_t k = 0; k < out.size(); ++k) out[k] -= log_gaps_[k];
  out.pop_back();
  for (std::size_t i = 0; i < plan.weights.size(); ++i) {
    const std::vector<double>& row = plan.weights[i];
    if (row.size() > theory_[i].size())
      throw UsageError(
          fmt::format("row {} of the plan has {} weights, more than the window of {}", i, row.size(), space_.window));
    for (std::size_t j = 0; j < theory_[i].size(); ++j) out.push_back((j < row.size() ? row[j] : 0.0) - theory_[i][j]);
  }
  for (const double scale : plan.scale_time) out.push_back(std::log(scale));
  return out;
}

Plan PlanParameters::on_grid(const std::vector<double>& sigmas) const {
  Plan plan = plan_of(std::vector<double>(base_.size(), 0.0));
  plan.sigmas = sigmas;
  return plan;
}

Plan PlanParameters::turned(const Plan& plan, const PlanColumn& column, double delta) const {
  Plan out = plan;
  switch (column.kind) {
    case PlanColumn::Kind::time:
      out.sigmas.at(at(column.step)) = sigma(fraction(plan.sigmas.at(at(column.step))) + delta);
      break;
    case PlanColumn::Kind::weight:
      out.weights.at(at(column.step)).at(at(column.lag)) += delta;
      break;
    case PlanColumn::Kind::scale:
      out.scale_time.at(at(column.step)) *= std::exp(delta);
      break;
  }
  return out;
}

double PlanParameters::turn(const Plan& plan, const PlanColumn& column, double fd_step) const {
  if (column.kind == PlanColumn::Kind::weight) return fd_step;
  if (column.kind == PlanColumn::Kind::scale) return kScaleTurn * fd_step;
  const std::vector<double> f = fractions(plan.sigmas);
  const std::size_t k = at(column.step);
  return kTimeTurn * fd_step * std::min(f.at(k) - f.at(k - 1), f.at(k + 1) - f.at(k));
}

std::vector<double> PlanParameters::chain(const Plan& plan) const {
  const std::size_t p = columns_.size();
  const std::vector<double> f = fractions(plan.sigmas);
  std::vector<double> matrix(p * p, 0.0);
  for (std::size_t row = 0; row < p; ++row) {
    if (columns_[row].kind != PlanColumn::Kind::time) {
      matrix[row * p + row] = 1.0;
      continue;
    }
    // f_k = Σ_{m<k} gap_m with gap = softmax(logits): ∂f_k/∂logit_m = gap_m·([m < k] − f_k).
    const std::size_t k = at(columns_[row].step);
    for (std::size_t m = 0; m + 2 < f.size(); ++m)
      matrix[row * p + m] = (f[m + 1] - f[m]) * ((m < k ? 1.0 : 0.0) - f[k]);
  }
  return matrix;
}

}  // namespace stride
