#include "python/bindings/bindings.h"
#include "python/bindings/convert.h"
#include "python/bindings/held.h"
#include "python/bindings/own_parts.h"
#include "python/bindings/own_step.h"

#include "framework/error.h"
#include "framework/history.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include <utility>

namespace stride {
namespace {

// What came back from a step: x; (x, memory); or an object with x, memory, error and denoised.
struct Answer {
  Tensor x, denoised;
  std::optional<Tensor> error;
  std::optional<std::vector<Tensor>> memory;
};

Tensor tensor_of(const py::handle& value, const std::string& where, const char* what) {
  if (!is_tensor(value))
    throw UsageError(fmt::format("{}: {} must be a tensor, not {}", where, what,
                                 py::cast<std::string>(py::type::of(value).attr("__name__"))));
  return py::cast<Tensor>(value);
}

std::vector<Tensor> tensors_of(const py::handle& value, const std::string& where) {
  std::vector<Tensor> out;
  if (value.is_none()) return out;
  if (is_tensor(value)) return {py::cast<Tensor>(value)};
  for (const py::handle each : value) out.push_back(tensor_of(each, where, "each part of its memory"));
  return out;
}

Answer answer_of(const py::object& value, const std::string& where) {
  Answer out;
  if (is_tensor(value)) {
    out.x = py::cast<Tensor>(value);
  } else if (py::isinstance<py::tuple>(value) && py::len(value) == 2) {
    const auto pair = py::reinterpret_borrow<py::tuple>(value);
    out.x = tensor_of(pair[0], where, "the first of what `step` gives back");
    out.memory = tensors_of(pair[1], where);
  } else if (py::hasattr(value, "x")) {
    out.x = tensor_of(value.attr("x"), where, "`x`");
    if (const py::object memory = py::getattr(value, "memory", py::none()); !memory.is_none())
      out.memory = tensors_of(memory, where);
    if (const py::object error = py::getattr(value, "error", py::none()); !error.is_none())
      out.error = tensor_of(error, where, "`error`");
    if (const py::object denoised = py::getattr(value, "denoised", py::none()); !denoised.is_none())
      out.denoised = tensor_of(denoised, where, "`denoised`");
  } else {
    throw UsageError(fmt::format("{}: a step gives back x, (x, memory) or stride.StepResult(x, ...), not {}", where,
                                 py::cast<std::string>(py::type::of(value).attr("__name__"))));
  }
  return out;
}

class PythonSolver final : public Solver {
 public:
  PythonSolver(Held body, SolverTraits traits)
      : body_(std::move(body)),
        traits_(std::move(traits)),
        where_(fmt::format("solver '{}'", traits_.name)),
        own_memory_(py::hasattr(body_.get(), "init")),
        own_finish_(py::hasattr(body_.get(), "finish")) {}

  [[nodiscard]] const SolverTraits& traits() const noexcept override { return traits_; }

  [[nodiscard]] BatchState init(const Tensor& x) const override {
    if (!own_memory_) return Solver::init(x);
    const py::gil_scoped_acquire gil;
    return BatchState(tensors_of(body_.get().attr("init")(x), where_));
  }

  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    return run("step", step, x, history);
  }

  [[nodiscard]] StepResult finish(Step& step, const Tensor& x, const BatchState& history) const override {
    return own_finish_ ? run("finish", step, x, history) : Solver::finish(step, x, history);
  }

 private:
  [[nodiscard]] StepResult run(const char* method, Step& step, const Tensor& x, const BatchState& history) const {
    const py::gil_scoped_acquire gil;
    const bool past = !own_memory_ && traits_.history > 0;
    std::optional<History> entries;
    std::vector<HistoryEntry> listed;
    if (past) {
      entries = History::from_state(history, x);
      for (int64_t j = 0; j < entries->capacity(); ++j) listed.push_back((*entries)[j]);
    }
    const StepLease lease(step, std::move(listed), past ? entries->count() : Tensor());
    const py::list memory = own_memory_ ? py::cast(history.slots()).cast<py::list>() : py::list();
    Answer answer = answer_of(body_.get().attr(method)(lease.get(), x, memory), where_);
    if (answer.x.sizes() != x.sizes())
      throw UsageError(fmt::format("{}: `{}` gave x of the shape [{}] for [{}]", where_, method,
                                   fmt::join(answer.x.sizes(), ", "), fmt::join(x.sizes(), ", ")));
    if (answer.x.scalar_type() != x.scalar_type())
      throw UsageError(
          fmt::format("{}: `{}` gave x as {} and got it as {}: noise levels are float64, bring them to the "
                      "dtype of x with stride.per_sample",
                      where_, method, c10::toString(answer.x.scalar_type()), c10::toString(x.scalar_type())));
    if (!answer.denoised.defined()) answer.denoised = lease.get()->first();
    if (!answer.denoised.defined())
      throw UsageError(fmt::format("{}: `{}` never called step.denoise; give StepResult(denoised=...) if that is meant",
                                   where_, method));
    BatchState next = history;
    if (past) {
      const Tensor slope = (x - answer.denoised) / per_sample(step.from, x);
      next = entries->push({step.from, answer.denoised, slope}).state();
    } else if (answer.memory) {
      next = BatchState(*std::move(answer.memory));
    }
    return {std::move(answer.x), std::move(next), std::move(answer.denoised), std::move(answer.error)};
  }

  Held body_;
  SolverTraits traits_;
  std::string where_;
  bool own_memory_, own_finish_;
};

std::function<int64_t(int64_t, bool)> nfe_of(const py::object& claim) {
  if (claim.is_none()) return {};
  return [held = Held(claim)](int64_t steps, bool final_zero) {
    const py::gil_scoped_acquire gil;
    return py::cast<int64_t>(held.get()(steps, final_zero));
  };
}

}  // namespace

Step& OwnStep::get() const {
  if (step_ == nullptr) throw UsageError("this step is over: keep tensors of it, not the step itself");
  return *step_;
}

Tensor OwnStep::denoise(const Tensor& x, const std::optional<Tensor>& sigma) {
  Step& step = get();
  Tensor denoised;
  {
    const py::gil_scoped_release release;
    denoised = step.denoise(x, sigma.value_or(step.from));
  }
  if (!first_.defined()) first_ = denoised;
  return denoised;
}

OwnSolver make_own_solver(py::object body, const py::dict& claims) {
  SolverTraits traits;
  const auto read = [&](const char* key, auto& out) {
    if (claims.contains(key) && !py::object(claims[key]).is_none()) convert(claims[key], key, out);
  };
  std::optional<int64_t> order, start_order, error_order;
  bool capturable = false;
  read("name", traits.name);
  read("order", order);
  read("start_order", start_order);
  read("error_order", error_order);
  read("history", traits.history);
  read("stochastic", traits.stochastic);
  read("integrates_sde", traits.integrates_sde);
  read("capturable", capturable);
  const auto narrow = [](const std::optional<int64_t>& value) {
    return value ? std::optional<int>(static_cast<int>(*value)) : std::nullopt;
  };
  traits.order = narrow(order);
  traits.start_order = narrow(start_order);
  traits.error_order = narrow(error_order);
  traits.branches = !capturable;
  if (claims.contains("nfe")) traits.nfe = nfe_of(claims["nfe"]);
  return {std::make_shared<PythonSolver>(Held(std::move(body)), std::move(traits))};
}

SolverChoice own_solver(py::handle value, const char* name) {
  if (py::isinstance<OwnSolver>(value)) return py::cast<OwnSolver>(value).solver;
  if (py::isinstance<Plan>(value)) return py::cast<Plan>(value);
  if (!py::isinstance<py::str>(value))
    throw UsageError(fmt::format("`{}` takes a name, as \"dpmpp_2m\", a Plan, or a solver of stride.solver's, not {}",
                                 name, py::cast<std::string>(py::type::of(value).attr("__name__"))));
  return py::cast<std::string>(value);
}

void bind_own_solver(py::module_& module) {
  py::class_<HistoryEntry>(module, "HistoryEntry", "One evaluation of the past.")
      .def_readonly("sigma", &HistoryEntry::sigma, "float64 [B]")
      .def_readonly("denoised", &HistoryEntry::denoised, "[B, ...]")
      .def_readonly("slope", &HistoryEntry::slope, "(x - D) / sigma, [B, ...]");
  py::class_<OwnStep, std::shared_ptr<OwnStep>>(module, "Step", "One step of a run, as a solver sees it.")
      .def_property_readonly(
          "sigma", [](const OwnStep& step) { return step.get().from; }, "where it begins: float64 [B]")
      .def_property_readonly(
          "sigma_next", [](const OwnStep& step) { return step.get().to; }, "where it ends: float64 [B], below sigma")
      .def_property_readonly(
          "index", [](const OwnStep& step) { return step.get().index; }, "accepted steps so far: int64 [B]")
      .def_property_readonly(
          "ids", [](const OwnStep& step) { return step.get().constant().ids; }, "the samples' seeds: int64 [B]")
      .def_property_readonly("past", &OwnStep::past,
                             "evaluations of earlier steps, newest first, as many as the solver's `history`")
      .def_property_readonly("count", &OwnStep::count, "how many of them are valid in each row: int64 [B]")
      .def("denoise", &OwnStep::denoise, py::arg("x"), py::arg("sigma") = py::none(),
           "D(x; sigma) under the run's guidance, counted. x [B, ...], sigma float64 [B], by default step.sigma.")
      .def(
          "drift",
          [](const OwnStep& step, const Tensor& x, const Tensor& sigma, const Tensor& denoised) {
            return step.get().term().drift(x, sigma, denoised);
          },
          py::arg("x"), py::arg("sigma"), py::arg("denoised"),
          "dx/dsigma, (x - D) / sigma for the ODE: [B, ...] in the dtype of x.")
      .def(
          "noise",
          [](const OwnStep& step, const Tensor& like) {
            const py::gil_scoped_release release;
            return step.get().noise(like);
          },
          py::arg("like"), "Unit normals shaped like `like`, a function of the seeds alone; counted.");
  py::class_<OwnSolver>(module, "OwnSolver", "A solver for the module's functions.")
      .def(py::init(&make_own_solver), py::arg("body"), py::arg("traits"))
      .def_property_readonly("name", [](const OwnSolver& own) { return own.solver->traits().name; });
}

}  // namespace stride
