#include "neural/predictor/step_examples.h"

#include "framework/error.h"
#include "neural/predictor/jump_source.h"
#include "neural/predictor/step_features.h"
#include "neural/training/random.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace stride {
namespace {

constexpr int64_t kGroup = 64;
constexpr uint64_t kPurpose = 0x6a756d70;
constexpr double kFirstShare = 0.1;  // of the jumps that start a run
constexpr double kBeyond = 4.0;      // a step that passes the last point is at most this many times the one to it

// A gap of at least 1 and at most `largest`, small ones more often.
int64_t gap(int64_t largest, double uniform) {
  return std::min(largest, 1 + static_cast<int64_t>(static_cast<double>(largest) * uniform * uniform));
}

// As many places before the jump as `history`, and those that the features look at, where there is room for them.
JumpPlaces draw_places(int64_t points, int64_t history, at::Generator& generator) {
  const int64_t most = std::max<int64_t>(2, history);
  const Tensor numbers = at::rand({2 + most}, generator, at::kDouble);
  const auto* u = numbers.const_data_ptr<double>();
  if (points < 3 || u[0] < kFirstShare) return {0, {}};
  JumpPlaces places{1 + static_cast<int64_t>(u[1] * static_cast<double>(points - 2)), {}};
  for (int64_t i = 0, last = places.at; i < most && last > 0; ++i) places.before.push_back(last -= gap(last, u[2 + i]));
  return places;
}

// Of the local error of a step of `base`, as a power of the step.
double error_power(const SolverTraits& base, const JumpPlaces& places) {
  return 1.0 +
         static_cast<double>(std::min<int64_t>(base.order.value_or(1), 1 + static_cast<int64_t>(places.before.size())));
}

StepExamples examples_at(const JumpSource& group, const JumpPlaces& places, double power, const ExampleOptions& options,
                         at::Generator& generator) {
  const Tensor errors = group.errors(places);
  const Tensor steps =
      (group.sigma().select(1, places.at).unsqueeze(1) / group.sigma().narrow(1, places.at + 1, errors.size(1))).log();
  const Tensor features = step_features(group.statistics(places));
  const double low = std::log(options.tolerance_min), high = std::log(options.tolerance_max);
  std::vector<StepExamples> parts;
  for (int64_t i = 0; i < options.tolerances; ++i) {
    const Tensor log_tolerance = at::rand({features.size(0)}, generator, at::kDouble) * (high - low) + low;
    parts.push_back({features, log_tolerance, largest_step(errors, steps, log_tolerance.exp(), power), group.seed()});
  }
  return StepExamples::concat(parts);
}

}  // namespace

Tensor largest_step(const Tensor& errors, const Tensor& steps, const Tensor& tolerance, double order) {
  const Tensor log_errors = errors.clamp_min(1e-300).log();
  const Tensor log_steps = steps.log();
  const Tensor wanted = tolerance.log();
  const Tensor failing = log_errors > wanted.unsqueeze(1);
  const Tensor any = failing.any(1);
  const Tensor first = failing.to(at::kChar).argmax(1).unsqueeze(1);  // the first of the largest
  const auto pick = [](const Tensor& table, const Tensor& column) { return table.gather(1, column).squeeze(1); };
  const Tensor column = (first - 1).clamp_min(0);
  const Tensor error_low = pick(log_errors, column), error_high = pick(log_errors, first);
  const Tensor step_low = pick(log_steps, column), step_high = pick(log_steps, first);
  const Tensor share = ((wanted - error_low) / (error_high - error_low).clamp_min(1e-12)).clamp(0.0, 1.0);
  const Tensor between = step_low + share * (step_high - step_low);
  const Tensor before_first = step_high + (wanted - error_high) / order;
  const Tensor found = at::where(first.squeeze(1) == 0, before_first, between);
  const auto last = [](const Tensor& table) { return table.select(1, table.size(1) - 1); };
  const Tensor beyond = last(log_steps) + ((wanted - last(log_errors)) / order).clamp_max(std::log(kBeyond));
  return at::where(any, found, beyond);
}

StepExamples StepExamples::concat(const std::vector<StepExamples>& parts) {
  const auto join = [&](Tensor StepExamples::*member) {
    std::vector<Tensor> tensors;
    for (const auto& part : parts) tensors.push_back(part.*member);
    return at::cat(tensors);
  };
  return {join(&StepExamples::features), join(&StepExamples::log_tolerance), join(&StepExamples::log_step),
          join(&StepExamples::trajectory)};
}

StepExamples StepExamples::select(const Tensor& rows) const {
  return {features.index_select(0, rows), log_tolerance.index_select(0, rows), log_step.index_select(0, rows),
          trajectory.index_select(0, rows)};
}

StepExamples make_step_examples(const TrajectoryBatch& batch, const Solver& base, const ExampleOptions& options,
                                const std::function<bool()>& stop) {
  if (batch.size() == 0) throw UsageError("step predictor: there are no trajectories to learn from");
  // The last jump, to σ = 0, is not a step that anybody chooses.
  const int64_t points = batch.sigma.gt(0.0).all(0).sum().item<int64_t>();
  if (points < 3)
    throw UsageError(
        "step predictor: the trajectories have fewer than three points; record a dense teacher (40 steps or more)");
  std::vector<StepExamples> parts;
  for (int64_t pass = 0; pass < options.jumps; ++pass) {
    for (int64_t from = 0; from < batch.size(); from += kGroup) {
      const auto group = make_jump_source(batch.slice(from, std::min(kGroup, batch.size() - from)), points, base);
      auto generator = make_generator(options.seed, static_cast<uint64_t>(pass * batch.size() + from), kPurpose);
      const JumpPlaces places = draw_places(points, base.traits().history, generator);
      parts.push_back(examples_at(*group, places, error_power(base.traits(), places), options, generator));
      if (stop && stop()) return StepExamples::concat(parts);
    }
  }
  return StepExamples::concat(parts);
}

}  // namespace stride
