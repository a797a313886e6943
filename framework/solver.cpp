#include "framework/solver.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace stride {

RunConstant RunConstant::select(const Tensor& rows) const {
  RunConstant selected;
  each([&](const char* /*name*/, auto& to, const auto& from) { to = select_rows(from, rows); }, selected, *this);
  return selected;
}

Tensor Step::noise(const Tensor& like, const Times& from, const Times& to) {
  return draw(like, from, to, NoiseKind::increment);
}

Tensor Step::noise_area(const Tensor& like) { return draw(like, from, to, NoiseKind::area); }

Tensor Step::draw(const Tensor& like, const Times& from, const Times& to, NoiseKind kind) {
  const int64_t draw = cost().draws;
  evaluator_.count_draw();
  return problem_.noise.normal(
      {constant_.ids, index, draw == 0 ? drawn_ : drawn_ + draw, draw, from, to, kind, constant_.noise_keys}, like);
}

std::optional<Tensor> Step::coefficients() const {
  if (!constant_.coefficients) return {};
  const Tensor& all = *constant_.coefficients;
  const int64_t last = all.size(1) - 1;  // rows that have ended are carried along
  if (aligned_) return all.select(1, std::min(least_index_, last));
  return all.gather(1, index.clamp_max(last).view({-1, 1, 1}).expand({-1, 1, all.size(2)})).squeeze(1);
}

Step Step::part(const Tensor& rows, const RunConstant& constant) const {
  const auto pick = [&](const Tensor& t) { return t.index_select(0, rows); };
  return {problem_, constant, pick(from), pick(to), pick(index), pick(drawn_), least_index_, aligned_};
}

Tensor Step::row_cost(int64_t StepCost::*what) const {
  const auto each = [&](const StepCost& spent, const Tensor& rows) {
    const Tensor all = at::full_like(rows, spent.*what);
    return what == &StepCost::nfe && spent.spared ? all - *spent.spared : all;
  };
  Tensor all = each(cost(), index);
  for (const auto& [rows, spent] : parts_) all.index_add_(0, rows, each(spent, rows));
  return all;
}

std::optional<int64_t> Step::common_cost(int64_t StepCost::*what) const {
  if (!parts_.empty() || (what == &StepCost::nfe && cost().spared)) return {};
  return cost().*what;
}

BatchState Solver::init(const Tensor& x) const {
  return traits().history == 0 ? BatchState() : History::empty(traits().history, x).state();
}

std::optional<Tensor> Solver::coefficients(const Tensor& /*grid*/) const { return {}; }

StepResult Solver::finish(Step& step, const Tensor& x, const BatchState& history) const {
  Tensor denoised = step.denoise(x, step.from);
  return {denoised, history, denoised, {}};
}

}  // namespace stride
