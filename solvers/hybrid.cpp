#include "solvers/hybrid.h"

#include "framework/error.h"

#include <ATen/ATen.h>

#include <fmt/format.h>

#include <algorithm>

namespace stride {
namespace {

struct Leg {
  std::unique_ptr<const Solver> solver;
  int64_t first = 0;      ///< the step that it begins with
  int64_t extras_at = 0;  ///< where its own tensors lie among all legs'
  bool anew = false;      ///< another method comes before it
};

class Hybrid final : public Solver {
 public:
  Hybrid(std::vector<Leg> legs, SolverTraits traits) : legs_(std::move(legs)), traits_(std::move(traits)) {}

  [[nodiscard]] const SolverTraits& traits() const noexcept override { return traits_; }

  [[nodiscard]] BatchState init(const Tensor& x) const override {
    std::vector<Tensor> extras(static_cast<std::size_t>(traits_.extras));
    for (const Leg& leg : legs_) {
      const std::vector<Tensor> own = own_start(leg, x);
      std::copy(own.begin(), own.end(), extras.begin() + leg.extras_at);
    }
    return History::empty(traits_.history, x).state(std::move(extras));
  }

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    if (step.aligned()) return run(legs_[leg_at(step.least_index())], step, x, history, false);
    const std::size_t low = leg_at(step.index.min().item<int64_t>());
    const std::size_t high = leg_at(step.index.max().item<int64_t>());
    return low == high ? run(legs_[low], step, x, history, false) : apart(low, high, step, x, history);
  }

  [[nodiscard]] StepResult finish(Step& step, const Tensor& x, const BatchState& history) const override {
    return run(legs_.back(), step, x, history, true);
  }

 private:
  [[nodiscard]] std::size_t leg_at(int64_t index) const {
    std::size_t leg = 0;
    while (leg + 1 < legs_.size() && index >= legs_[leg + 1].first) ++leg;
    return leg;
  }

  static std::vector<Tensor> own_start(const Leg& leg, const Tensor& x) {
    const BatchState state = leg.solver->init(x);
    return {state.slots().end() - leg.solver->traits().extras, state.slots().end()};
  }

  [[nodiscard]] StepResult run(const Leg& leg, Step& step, const Tensor& x, const BatchState& history,
                               bool last) const {
    const SolverTraits& own = leg.solver->traits();
    const History past = History::from_state(history, x, traits_.extras);
    std::vector<Tensor> extras(history.slots().end() - traits_.extras, history.slots().end());
    const auto begin = extras.begin() + leg.extras_at;
    std::vector<Tensor> mine(begin, begin + own.extras);
    if (leg.anew && own.extras > 0) {
      const Tensor entering = step.index == leg.first;
      const std::vector<Tensor> fresh = own_start(leg, x);
      for (std::size_t i = 0; i < mine.size(); ++i) mine[i] = where_rows(entering, fresh[i], mine[i]);
    }
    const BatchState before = past.resized(own.history, x).state(std::move(mine));
    StepResult result = last ? leg.solver->finish(step, x, before) : leg.solver->step(step, x, before);
    std::copy(result.history.slots().end() - own.extras, result.history.slots().end(), begin);
    History next = History::from_state(result.history, x, own.extras);
    if (traits_.history > own.history) {
      const Tensor slope = (x - result.denoised) / per_sample(step.from, x);
      next = next.followed_by(past.push({step.from, result.denoised, slope}));
    }
    result.history = next.state(std::move(extras));
    result.error.reset();
    return result;
  }

  // Rows of one batch in different legs: each leg steps its own.
  [[nodiscard]] StepResult apart(std::size_t low, std::size_t high, Step& step, const Tensor& x,
                                 const BatchState& history) const {
    Tensor leg_of_row = at::zeros_like(step.index);
    for (std::size_t leg = 1; leg < legs_.size(); ++leg) leg_of_row = leg_of_row + (step.index >= legs_[leg].first);
    std::vector<Tensor> places, xs, clean, before, last;
    std::optional<BatchState> histories;
    for (std::size_t leg = low; leg <= high; ++leg) {
      const Tensor rows = (leg_of_row == static_cast<int64_t>(leg)).nonzero().squeeze(1);
      if (rows.numel() == 0) continue;
      const RunConstant constant = step.constant().select(rows);
      Step part = step.part(rows, constant);
      StepResult result = run(legs_[leg], part, x.index_select(0, rows), history.select(rows), false);
      step.charge(rows, part.cost());
      places.push_back(rows);
      xs.push_back(result.x);
      clean.push_back(result.denoised);
      // Where nothing is solved nothing changes.
      const LastChanges changes = result.changes.value_or(LastChanges{});
      before.push_back(changes.before.defined() ? changes.before : at::zeros_like(result.x));
      last.push_back(changes.last.defined() ? changes.last : at::zeros_like(result.x));
      histories = histories ? BatchState::concat(*histories, result.history) : result.history;
    }
    const Tensor back = at::cat(places).argsort();
    const auto in_order = [&](const std::vector<Tensor>& parts) { return at::cat(parts).index_select(0, back); };
    return {in_order(xs), histories->select(back), in_order(clean), {}, LastChanges{in_order(before), in_order(last)}};
  }

  std::vector<Leg> legs_;
  SolverTraits traits_;
};

// What a leg costs is what its method's run of that length costs, less the part that others made.
std::function<int64_t(int64_t, bool)> cost_of(const std::vector<Leg>& legs, int64_t total) {
  std::vector<std::pair<int64_t, std::function<int64_t(int64_t, bool)>>> parts;
  for (const Leg& leg : legs) parts.emplace_back(leg.first, leg.solver->traits().nfe);
  return [parts = std::move(parts), total](int64_t steps, bool final_zero) {
    if (steps != total) throw UsageError(fmt::format("the hybrid has {} steps, not {}", total, steps));
    int64_t sum = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const auto& [first, nfe] = parts[i];
      const bool last = i + 1 == parts.size();
      sum += nfe(last ? total : parts[i + 1].first, last && final_zero) - (first == 0 ? 0 : nfe(first, false));
    }
    return sum;
  };
}

}  // namespace

std::unique_ptr<Solver> make_hybrid(const std::vector<HybridLeg>& wanted, SolverContext context) {
  if (wanted.empty()) throw UsageError("a hybrid needs at least one leg");
  SolverTraits traits{
      {.family = "hybrid", .summary = "several methods on one grid"}, {}, {.branches = true, .integrates_sde = true}};
  std::vector<Leg> legs;
  std::vector<std::string> texts;
  int64_t total = 0;
  for (const HybridLeg& part : wanted) {
    if (part.steps < 1) throw UsageError(fmt::format("hybrid: the leg '{}' has no steps", part.solver));
    const Spec spec = Spec::parse(part.solver);
    Leg leg{make_solver(spec, context), total, traits.extras, true};
    const SolverTraits& own = leg.solver->traits();
    texts.push_back(Spec{own.name, spec.argument, spec.options}.text());
    if (legs.empty()) leg.anew = false;
    const auto met = std::find(texts.begin(), texts.end() - 1, texts.back());
    if (met != texts.end() - 1) {
      leg.extras_at = legs[static_cast<std::size_t>(met - texts.begin())].extras_at;
      leg.anew = texts[texts.size() - 2] != texts.back();
    } else {
      traits.extras += own.extras;
    }
    traits.history = std::max(traits.history, own.history);
    traits.stochastic = traits.stochastic || own.stochastic;
    traits.integrates_sde = traits.integrates_sde && own.integrates_sde;
    traits.name += fmt::format("{}{}@{}", legs.empty() ? "" : ",", texts.back(), part.steps);
    traits.reference += (legs.empty() ? "" : "; ") + own.reference;
    total = hybrid_steps({{{}, total, {}, {}}, part});
    legs.push_back(std::move(leg));
  }
  traits.nfe = cost_of(legs, total);
  return std::make_unique<Hybrid>(std::move(legs), std::move(traits));
}

}  // namespace stride
