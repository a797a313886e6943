// The parts of the extension, a file each.
#pragma once

#include <pybind11/pybind11.h>

namespace stride {

namespace py = pybind11;

void bind_errors(py::module_& module);
void bind_lists(py::module_& module);

}  // namespace stride
