#include "solvers/gradients/reversed.h"

#include "solvers/gradients/wanted_tensors.h"
#include "solvers/methods/reversible_heun.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

namespace stride {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// What is left of a run that has been made.
struct Made {
  ReversiblePair last;        ///< where the network was called for the last time
  std::vector<Times> levels;  ///< of its calls
  Times end;                  ///< where the last step ends; undefined: the last call is the end
  RunState state;
};

// The run with gradients on, as the other modes make it, but for their graph.
Made made_of(const Problem& problem, const Solver& solver, const StepController& controller, const RunState& start) {
  Made made;
  made.state = start;
  const int64_t steps = *controller.planned_steps();
  for (int64_t i = 0; i < steps + (controller.final_zero() ? 1 : 0); ++i) {
    const at::AutoGradMode on(true);
    RunState before = made.state;
    before.x = before.x.detach().requires_grad_(true);
    StepResult seen;
    made.state =
        i < steps ? advance(problem, solver, controller, before, &seen) : finish(problem, solver, before, &seen);
    const at::AutoGradMode off(false);
    made.state.x = made.state.x.detach();
    std::vector<Tensor> memory;
    for (const Tensor& slot : made.state.history.slots()) memory.push_back(slot.detach());
    made.state.history = BatchState(std::move(memory));
    made.levels.push_back(before.sigma);
    made.last = reversible_pair(before.x.detach(), before.history, seen.denoised.detach(), before.sigma);
    made.end = i < steps ? made.state.sigma : Times();
  }
  return made;
}

// The pair one level up; `evaluate(hat, level)` says D.
template <class Evaluate>
ReversiblePair pair_before(const ReversiblePair& after, const Times& level, Evaluate evaluate) {
  ReversiblePair before;
  before.level = level;
  before.hat = reversible_prediction_before(after, level);
  before.denoised = evaluate(before.hat, level);
  before.x = reversible_before(after, before.denoised, level);
  return before;
}

// One evaluation with its graph.
class Pass final {
 public:
  Pass(const Problem& problem, const RunConstant& constant, const Tensor& hat, const Times& level) {
    const at::AutoGradMode on(true);
    hat_ = hat.detach().requires_grad_(true);
    denoised_ = Evaluator(problem.denoiser, problem.guidance, constant.condition)(hat_, level).denoised;
  }

  [[nodiscard]] Tensor denoised() const { return denoised_.detach(); }
  void check(std::vector<Tensor> wanted) const {
    wanted.push_back(hat_);
    check_listed({denoised_}, wanted);
  }
  // The gradient of hat; those of `wanted` are added to `sums`.
  [[nodiscard]] Tensor pull(const Tensor& gradient, const std::vector<Tensor>& wanted, variable_list& sums) const {
    if (!denoised_.requires_grad()) return at::zeros_like(hat_);
    std::vector<Tensor> from{hat_};
    from.insert(from.end(), wanted.begin(), wanted.end());
    const variable_list found = torch::autograd::grad({denoised_}, from, {gradient}, {}, false, /*allow_unused=*/true);
    for (std::size_t i = 0; i < wanted.size(); ++i)
      if (found[i + 1].defined()) sums[i] = sums[i].defined() ? sums[i] + found[i + 1] : found[i + 1];
    return found[0].defined() ? found[0] : at::zeros_like(hat_);
  }

 private:
  Tensor hat_, denoised_;
};

// Carries the run through AutogradContext::saved_data.
struct Holder final : torch::CustomClassHolder {
  Holder(const Problem& problem, const Solver& solver, const StepController& controller, RunState start,
         std::vector<Tensor> wanted)
      : problem(problem), solver(solver), controller(controller), start(std::move(start)), wanted(std::move(wanted)) {}

  const Problem problem;
  const Solver& solver;
  const StepController& controller;
  RunState start;  ///< until the run is made
  std::vector<Tensor> wanted;
  RunConstant constant;
  Made made;
};

class Reversed final : public torch::autograd::Function<Reversed> {
 public:
  static Tensor forward(AutogradContext* context, const c10::intrusive_ptr<Holder>& run, at::TensorList /*inputs*/) {
    RunState start = std::exchange(run->start, {});
    run->constant = start.constant;
    run->made = made_of(run->problem, run->solver, run->controller, start);
    context->saved_data["run"] = c10::IValue::make_capsule(run);
    return run->made.state.x;
  }

  // Adjoints of the pair at each level, from the last to the first.
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto run = c10::static_intrusive_pointer_cast<Holder>(context->saved_data["run"].toCapsule());
    const at::AutoGradMode off(false);
    const std::vector<Times>& levels = run->made.levels;
    ReversiblePair pair = run->made.last;
    variable_list sums(run->wanted.size());

    const Tensor& end = gradients[0];
    Tensor of_x = at::zeros_like(end), of_hat = of_x, of_denoised = end;
    const auto through_prediction = [&](const Tensor& gradient, const Times& keep) {  // of r(2z − ẑ) + (1 − r)D
      const Tensor kept = per_sample(keep, gradient) * gradient;
      of_x = of_x + 2.0 * kept;
      of_hat = -kept;
      of_denoised = of_denoised + (gradient - kept);
    };
    if (run->made.end.defined()) {
      of_denoised = at::zeros_like(end);
      through_prediction(end, run->made.end / pair.level);
    }

    std::optional<Pass> pass(std::in_place, run->problem, run->constant, pair.hat, pair.level);
    pass->check(run->wanted);
    for (std::size_t n = levels.size() - 1; n > 0; --n) {
      const Times keep = pair.level / levels[n - 1];
      const Tensor half = per_sample(0.5 * (1.0 - keep), of_x) * of_x;  // of both D in the corrected z
      const Tensor at_hat = of_hat + pass->pull(of_denoised + half, run->wanted, sums);
      pass.reset();
      pair = pair_before(pair, levels[n - 1], [&](const Tensor& hat, const Times& level) {
        pass.emplace(run->problem, run->constant, hat, level);
        return pass->denoised();
      });
      of_x = per_sample(keep, of_x) * of_x;
      of_denoised = half;
      through_prediction(at_hat, keep);
    }
    // At the start z and ẑ are both x.
    const Tensor start = of_x + of_hat + pass->pull(of_denoised, run->wanted, sums);
    sums.insert(sums.begin(), {Tensor(), start});
    return sums;
  }
};

}  // namespace

RunState reversed_run(const Problem& problem, const Solver& solver, const StepController& controller,
                      const RunState& start, const std::vector<Tensor>& wanted) {
  std::vector<Tensor> inputs{start.x};
  inputs.insert(inputs.end(), wanted.begin(), wanted.end());
  const auto run = c10::make_intrusive<Holder>(problem, solver, controller, start, wanted);
  const Tensor x = Reversed::apply(run, at::TensorList(inputs));
  RunState end = std::exchange(run->made.state, {});
  end.x = x;
  return end;
}

Tensor reversed_start(const Problem& problem, const Solver& solver, const StepController& controller,
                      const RunState& start) {
  const at::AutoGradMode off(false);
  const Made made = made_of(problem, solver, controller, start);
  ReversiblePair pair = made.last;
  for (std::size_t n = made.levels.size() - 1; n > 0; --n)
    pair = pair_before(pair, made.levels[n - 1], [&](const Tensor& hat, const Times& level) {
      return Evaluator(problem.denoiser, problem.guidance, start.constant.condition)(hat, level).denoised;
    });
  return pair.x;
}

}  // namespace stride
