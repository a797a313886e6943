// Gradients through every sampler's steps, as torch.autograd.gradcheck looks at them: the derivatives of the end of a
// run with respect to its start, by autograd and by central differences.
#include "tests/solvers/fixtures.h"

namespace stride {
namespace {

using namespace fixtures;

// A tenth of gradcheck's 1e-5, and a hundredth of its 1e-3.
constexpr double kAbsolute = 1e-6;
constexpr double kRelative = 1e-5;

// The end of a run that starts at x, the last jump included; gradients are on. Noise is a function of the samples' ids,
// so that it is the same in every run.
Tensor end_of(const Denoiser& model, const Solver& solver, const TimeGrid& grid, const Tensor& x) {
  const PhiloxNoise noise;
  const ProbabilityFlow flow;
  const FixedGrid controller(grid);
  const Problem problem{model, flow, noise};
  RunState state = start({model, solver, noise, grid}, ids(x.size(0)));
  state.x = x;
  for (int64_t i = 0; i < *controller.planned_steps(); ++i) state = advance(problem, solver, controller, state);
  return grid.final_zero() ? finish(problem, solver, state).x : state.x;
}

// d end / d x `[n, n]`, one row per entry of the end.
Tensor by_autograd(const std::function<Tensor(const Tensor&)>& end, const Tensor& at) {
  const Tensor x = at.detach().clone().requires_grad_(true);
  const Tensor out = end(x).flatten();
  std::vector<Tensor> rows;
  for (int64_t i = 0; i < out.numel(); ++i) {
    x.mutable_grad() = Tensor();
    out[i].backward({}, /*retain_graph=*/true);
    rows.push_back(x.grad().clone().flatten());
  }
  return at::stack(rows);
}

Tensor by_differences(const std::function<Tensor(const Tensor&)>& end, const Tensor& at) {
  const at::NoGradGuard no_grad;
  constexpr double kStep = 1e-5;
  std::vector<Tensor> columns;
  for (int64_t j = 0; j < at.numel(); ++j) {
    Tensor shift = at::zeros_like(at);
    shift.flatten()[j] = kStep;
    columns.push_back(((end(at + shift) - end(at - shift)) / (2.0 * kStep)).flatten());
  }
  return at::stack(columns, 1);
}

}  // namespace

TEST_CASE("gradient: autograd through every solver's steps gives the derivatives of its end", "[gradient]") {
  const auto model = three_components(2);
  const Tensor x = at::tensor({2.6, -1.4, -0.8, 4.2}, at::kDouble).view({2, 2}).to(device());
  each_solver([&](const std::string& name, const Solver& solver) {
    for (const bool zero : {false, true}) {
      if (name == "plan" && zero) continue;  // its grid ends at a positive level
      // Four steps and the jump; a plan takes the five of its own grid, which the levels given here do not concern.
      std::vector<double> levels{3.0, 1.7, 0.9, 0.5, 0.3};
      if (zero || name == "plan") levels.push_back(zero ? 0.0 : 0.2);
      const TimeGrid grid(levels);
      const auto end = [&](const Tensor& from) { return end_of(*model, solver, grid, from); };
      const Tensor found = by_autograd(end, x);
      const Tensor wanted = by_differences(end, x);
      CAPTURE(zero, found, wanted);
      CHECK(at::allclose(found, wanted, kRelative, kAbsolute));
      CHECK(wanted.abs().max().item<double>() > 1e-3);  // there is something to compare
    }
  });
}

}  // namespace stride
