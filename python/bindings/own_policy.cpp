#include "python/bindings/bindings.h"
#include "python/bindings/held.h"
#include "python/bindings/own_parts.h"
#include "python/bindings/own_step.h"

#include "framework/error.h"
#include "neural/predictor/step_predictor.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include <utility>

namespace stride {
namespace {

// A copy of what a policy looks at: tensors, not their contents.
struct StateView {
  Tensor x, sigma, index, rejected, nfe;
  std::vector<Tensor> memory;
};

StateView view(const RunState& state) {
  return {state.x, state.sigma, state.index, state.rejected, state.nfe, state.memory.slots()};
}

class PythonPolicy final : public StepController {
 public:
  PythonPolicy(Held body, double end, bool final_zero) : body_(std::move(body)), end_(end), final_zero_(final_zero) {}

  [[nodiscard]] std::optional<int64_t> planned_steps() const noexcept override { return std::nullopt; }
  [[nodiscard]] double end() const noexcept override { return end_; }
  [[nodiscard]] bool final_zero() const noexcept override { return final_zero_; }

  [[nodiscard]] BatchState init(const RunConstant& /*constant*/, const Tensor& x, const Times& sigma) const override {
    const py::gil_scoped_acquire gil;
    if (!py::hasattr(body_.get(), "init")) return {};
    return BatchState(py::cast<std::vector<Tensor>>(body_.get().attr("init")(x, sigma)));
  }

  [[nodiscard]] Times propose(const RunState& state) const override {
    const py::gil_scoped_acquire gil;
    return py::cast<Tensor>(body_.get().attr("propose")(view(state))).to(at::kDouble).clamp_min(end_);
  }

  [[nodiscard]] Decision decide(const RunState& state, const Step& step, const StepResult& result,
                                const SolverTraits& /*traits*/) const override {
    const Tensor arrived = at::where(step.to <= end_, 0, -1).to(at::kChar);  // Status::ok, Status::running
    const py::gil_scoped_acquire gil;
    if (!py::hasattr(body_.get(), "decide")) return {{}, state.memory, arrived};
    const py::object answer = body_.get().attr("decide")(view(state), step.to, result);
    if (answer.is_none()) return {{}, state.memory, arrived};
    Decision out{{}, state.memory, arrived};
    if (const py::object accept = py::getattr(answer, "accept", py::none()); !accept.is_none()) {
      out.accept = py::cast<Tensor>(accept);
      out.status = at::where(*out.accept, arrived, at::full_like(arrived, -1));
    }
    if (const py::object memory = py::getattr(answer, "memory", py::none()); !memory.is_none())
      out.memory = BatchState(py::cast<std::vector<Tensor>>(memory));
    return out;
  }

 private:
  Held body_;
  double end_;
  bool final_zero_;
};

}  // namespace

OwnPolicy make_own_policy(py::object body, double end, bool final_zero) {
  return {PolicyChoice(std::make_shared<PythonPolicy>(Held(std::move(body)), end, final_zero))};
}

PolicyChoice own_policy(py::handle value, const char* name) {
  if (py::isinstance<OwnPolicy>(value)) return py::cast<OwnPolicy>(value).choice;
  if (!py::isinstance<py::str>(value))
    throw UsageError(
        fmt::format("`{}` takes a name, as \"pi:atol=0.05\", a predictor, or a policy of stride.policy's, "
                    "not {}",
                    name, py::cast<std::string>(py::type::of(value).attr("__name__"))));
  return py::cast<std::string>(value);
}

void bind_own_policy(py::module_& module) {
  py::class_<StateView>(module, "State", "A batch of samples between two steps, as a policy sees it.")
      .def_readonly("x", &StateView::x, "[B, ...]")
      .def_readonly("sigma", &StateView::sigma, "float64 [B]")
      .def_readonly("index", &StateView::index, "accepted steps: int64 [B]")
      .def_readonly("rejected", &StateView::rejected, "int64 [B]")
      .def_readonly("nfe", &StateView::nfe, "int64 [B]")
      .def_readonly("memory", &StateView::memory, "the policy's own: a list of tensors that lead with B");
  py::class_<StepResult>(module, "NativeStepResult", "What a solver made of a step.")
      .def_readonly("x", &StepResult::x, "[B, ...] at the end of the step")
      .def_readonly("denoised", &StepResult::denoised, "the first evaluation: [B, ...]")
      .def_readonly("error", &StepResult::error, "estimate of the local error, [B, ...]; None: the solver has none");
  py::class_<OwnPolicy>(module, "OwnPolicy", "A step policy for the module's functions.")
      .def(py::init(&make_own_policy), py::arg("body"), py::arg("end"), py::arg("final_zero"));
}

}  // namespace stride
