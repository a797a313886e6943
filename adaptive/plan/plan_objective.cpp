#include "adaptive/plan/plan_objective.h"

#include "adaptive/plan/compressed.h"
#include "framework/error.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

namespace stride {
namespace {

void scale(NormalEquations& normal, double factor) {
  normal.cost2 *= factor;
  for (double& value : normal.g) value *= factor;
  for (double& value : normal.gram) value *= factor;
}

}  // namespace

PlanObjective::PlanObjective(const PlanParameters& space, const PlanInputs& inputs, Tensor target,
                             const PlanObjectiveOptions& options)
    : space_(space), inputs_(inputs), target_(std::move(target)), options_(options) {
  if (inputs.start.size(0) != target_.size(0))
    throw UsageError("plan fit: there must be as many end points of the teacher as starts");
}

PlanObjective::Value PlanObjective::operator()(const std::vector<double>& parameters, bool want_jacobian) const {
  const Plan plan = space_.plan(parameters);
  Value value = want_jacobian ? with_jacobian(plan) : cost_alone(plan);
  scale(value.normal, 1.0 / static_cast<double>(target_.numel()));
  if (want_jacobian) value.normal = chained(value.normal, space_.chain(plan));
  add_prior(parameters, want_jacobian, value.normal);
  return value;
}

PlanObjective::Value PlanObjective::cost_alone(const Plan& plan) const {
  const PlanDistances ends = plan_distances(plan, inputs_, target_, options_.batching);
  return {{huber(ends.squared, options_.huber).sum().item<double>(), {}, {}}, ends.evaluations};
}

PlanObjective::Value PlanObjective::with_jacobian(const Plan& plan) const {
  const int64_t together = options_.batching.samples();
  NormalAccumulator sum(space_.size(), target_.device());
  Value value;
  for (int64_t from = 0; from < target_.size(0); from += together) {
    const int64_t count = std::min(together, target_.size(0) - from);
    const Tensor rows = at::arange(from, from + count, target_.options().dtype(at::kLong));
    const PlanInputs part{inputs_.denoiser, inputs_.guidance, inputs_.start.narrow(0, from, count),
                          inputs_.condition.select(rows), inputs_.compare};
    const PlanDerivatives runs =
        plan_derivatives(space_, plan, part, options_.batching, options_.fd_step, options_.differences);
    const Tensor residual =
        runs.x.to(at::kDouble, false, /*copy=*/true).sub_(target_.narrow(0, from, count)).flatten(1);
    sum.add(residual, runs.jacobian, options_.huber);
    value.evaluations += runs.evaluations;
  }
  value.normal = sum.normal_equations();
  return value;
}

void PlanObjective::add_prior(const std::vector<double>& parameters, bool want_jacobian,
                              NormalEquations& normal) const {
  const std::size_t p = parameters.size();
  for (std::size_t i = 0; i < p; ++i) {
    const PlanColumn::Kind kind = space_.columns()[i].kind;
    if (kind == PlanColumn::Kind::time) continue;
    const double strength = kind == PlanColumn::Kind::weight ? options_.weight_prior : options_.scale_prior;
    normal.cost2 += strength * parameters[i] * parameters[i];
    if (!want_jacobian) continue;
    normal.g[i] += strength * parameters[i];
    normal.gram[i * p + i] += strength;
  }
}

NormalEquations chained(const NormalEquations& normal, const std::vector<double>& chain) {
  const auto p = static_cast<int64_t>(normal.g.size());
  const auto matrix = [](const std::vector<double>& values, int64_t rows) {
    return at::tensor(values, at::kDouble).view({rows, -1});
  };
  const Tensor c = matrix(chain, p);
  const Tensor gram = c.t().mm(matrix(normal.gram, p)).mm(c).contiguous();
  const Tensor g = c.t().mm(matrix(normal.g, p)).contiguous();
  return {normal.cost2,
          {g.const_data_ptr<double>(), g.const_data_ptr<double>() + g.numel()},
          {gram.const_data_ptr<double>(), gram.const_data_ptr<double>() + gram.numel()}};
}

}  // namespace stride
