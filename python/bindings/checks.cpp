// stride.check: a solver against its claims.
#include "python/bindings/bindings.h"
#include "python/bindings/own_parts.h"

#include "solvers/checks/check_solver.h"
#include "solvers/registry.h"

#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include <memory>

namespace stride {
namespace {

std::vector<CheckedClaim> check(py::handle solver, int64_t steps) {
  static const NoiseSchedule linear = make_noise_schedule(Spec::parse("linear"));
  std::shared_ptr<const Solver> subject;
  if (py::isinstance<OwnSolver>(solver)) {
    subject = py::cast<OwnSolver>(solver).solver;
  } else {
    subject = make_solver(py::cast<std::string>(solver), {&linear, at::kCPU});
  }
  const py::gil_scoped_release release;
  return check_solver(*subject, {at::kCPU, steps}, [](const std::string&) {
    const py::gil_scoped_acquire gil;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
  });
}

}  // namespace

void bind_checks(py::module_& module) {
  py::class_<CheckedClaim>(module, "CheckedClaim")
      .def_readonly("name", &CheckedClaim::name)
      .def_readonly("holds", &CheckedClaim::holds)
      .def_readonly("applies", &CheckedClaim::applies)
      .def_readonly("seen", &CheckedClaim::seen);
  module.def("check", &check, py::arg("solver"), py::arg("steps"));
}

}  // namespace stride
