// The parts of the extension, a file each.
#pragma once

#include <pybind11/pybind11.h>

namespace stride {

namespace py = pybind11;

void bind_checks(py::module_& module);
void bind_errors(py::module_& module);
void bind_field_list(py::module_& module);
void bind_gradients(py::module_& module);
void bind_lists(py::module_& module);
void bind_model(py::module_& module);
void bind_own_policy(py::module_& module);
void bind_own_solver(py::module_& module);
void bind_results(py::module_& module);
void bind_run(py::module_& module);
void bind_tables(py::module_& module);

}  // namespace stride
