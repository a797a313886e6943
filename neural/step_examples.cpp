#include "neural/step_examples.h"

#include "framework/error.h"
#include "neural/random.h"
#include "neural/step_features.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

namespace stride {
namespace {

constexpr int64_t kGroup = 64;
constexpr uint64_t kPurpose = 0x6a756d70;
constexpr double kFirstShare = 0.1;  // of the jumps that start a run
constexpr double kBeyond = 4.0;      // a step that passes the last point is at most this many times the one to it

// Places on the grid: the next step starts at `at`; the evaluations before it were made at `last` and `before`.
struct Places {
  int64_t at, last, before;  // −1: none
};

// A gap of at least 1 and at most `largest`, small ones more often.
int64_t gap(int64_t largest, double uniform) {
  return std::min(largest, 1 + static_cast<int64_t>(static_cast<double>(largest) * uniform * uniform));
}

Places draw_places(int64_t points, at::Generator& generator) {
  const Tensor numbers = at::rand({4}, generator, at::kDouble);
  const auto* u = numbers.const_data_ptr<double>();
  if (points < 3 || u[0] < kFirstShare) return {0, -1, -1};
  Places places{1 + static_cast<int64_t>(u[1] * static_cast<double>(points - 2)), -1, -1};
  places.last = places.at - gap(places.at, u[2]);
  if (places.last > 0) places.before = places.last - gap(places.last, u[3]);
  return places;
}

StepExamples examples_at(const TrajectoryBatch& group, const Places& places, int64_t points,
                         const ExampleOptions& options, at::Generator& generator) {
  const int64_t n = group.size();
  const auto sigma = [&](int64_t point) { return group.sigma.select(1, point); };
  const auto state = [&](int64_t point) { return group.x.select(1, point); };
  const auto said = [&](int64_t point) { return group.denoised.select(1, point); };
  const auto slope = [&](int64_t point) {
    return (state(point) - said(point)) / per_sample(sigma(point), state(point));
  };
  const bool one = places.last >= 0;
  const bool two = places.before >= 0;
  const Tensor nothing = at::zeros_like(state(0));

  StepKnowledge knowledge;
  knowledge.sigma = sigma(places.at);
  knowledge.x = state(places.at);
  knowledge.last_sigma = one ? sigma(places.last) : sigma(places.at);
  knowledge.denoised = one ? said(places.last) : nothing;
  knowledge.slope = one ? slope(places.last) : nothing;
  knowledge.previous_sigma = two ? sigma(places.before) : knowledge.last_sigma;
  knowledge.previous_denoised = two ? said(places.before) : nothing;
  knowledge.previous_slope = two ? slope(places.before) : nothing;
  knowledge.known = at::full({n}, (one ? 1 : 0) + (two ? 1 : 0), at::kLong);
  knowledge.start = start_statistics(state(0), sigma(0));

  Jumps jumps;
  jumps.x = state(places.at);
  jumps.denoised = said(places.at);
  jumps.sigma = sigma(places.at);
  if (one) {
    jumps.last_denoised = said(places.last);
    jumps.last_sigma = sigma(places.last);
  }
  const int64_t later = points - places.at - 1;
  jumps.target = group.x.narrow(1, places.at + 1, later);
  jumps.target_sigma = group.sigma.narrow(1, places.at + 1, later);
  const Tensor errors = jump_errors(jumps);
  const Tensor steps = (jumps.sigma.unsqueeze(1) / jumps.target_sigma).log();

  const Tensor features = step_features(knowledge);
  const double low = std::log(options.tolerance_min), high = std::log(options.tolerance_max);
  std::vector<StepExamples> parts;
  for (int64_t i = 0; i < options.tolerances; ++i) {
    const Tensor log_tolerance = at::rand({n}, generator, at::kDouble) * (high - low) + low;
    parts.push_back(
        {features, log_tolerance, largest_step(errors, steps, log_tolerance.exp(), one ? 3.0 : 2.0), group.seed});
  }
  return StepExamples::concat(parts);
}

}  // namespace

Tensor jump_errors(const Jumps& jumps) {
  const auto wide = [](const Tensor& t) { return t.to(at::kDouble); };
  const Tensor like = wide(jumps.target);         // [n, M, …]
  const auto spread = [&](const Tensor& value) {  // [n, M] over the sample
    auto shape = value.sizes().vec();
    shape.resize(static_cast<std::size_t>(like.dim()), 1);
    return value.view(shape);
  };
  const Tensor ratio = jumps.target_sigma / jumps.sigma.unsqueeze(1);
  Tensor denoised = wide(jumps.denoised).unsqueeze(1);
  if (jumps.last_denoised.defined()) {
    const Tensor last_step = (jumps.last_sigma / jumps.sigma).log().unsqueeze(1);
    const Tensor factor = -ratio.log() / (2.0 * last_step);
    denoised = denoised + spread(factor) * (wide(jumps.denoised) - wide(jumps.last_denoised)).unsqueeze(1);
  }
  const Tensor jump = spread(ratio) * wide(jumps.x).unsqueeze(1) + spread(1.0 - ratio) * denoised;
  return (jump - like).flatten(2).square().mean(2).sqrt();
}

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

StepExamples make_step_examples(const TrajectoryBatch& batch, const ExampleOptions& options) {
  if (batch.size() == 0) throw UsageError("step predictor: there are no trajectories to learn from");
  // The last jump, to σ = 0, is not a step that anybody chooses.
  const int64_t points = batch.sigma.gt(0.0).all(0).sum().item<int64_t>();
  if (points < 3)
    throw UsageError(
        "step predictor: the trajectories have fewer than three points; record a dense teacher (40 steps or more)");
  std::vector<StepExamples> parts;
  for (int64_t pass = 0; pass < options.jumps; ++pass) {
    for (int64_t from = 0; from < batch.size(); from += kGroup) {
      const TrajectoryBatch group = batch.slice(from, std::min(kGroup, batch.size() - from));
      auto generator = make_generator(options.seed, static_cast<uint64_t>(pass * batch.size() + from), kPurpose);
      parts.push_back(examples_at(group, draw_places(points, generator), points, options, generator));
    }
  }
  return StepExamples::concat(parts);
}

}  // namespace stride
