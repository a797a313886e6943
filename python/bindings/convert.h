// Values of settings as Python gives them. `name` is the setting's, for messages: UsageError on what it does not take.
#pragma once

#include "adaptive/plan/plan_fit.h"
#include "pipeline/choices.h"

#include <pybind11/pybind11.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace stride {

namespace py = pybind11;

[[nodiscard]] bool is_tensor(py::handle value);

void convert(py::handle value, const char* name, bool& out);
void convert(py::handle value, const char* name, int64_t& out);
void convert(py::handle value, const char* name, uint64_t& out);
void convert(py::handle value, const char* name, double& out);
void convert(py::handle value, const char* name, std::string& out);  ///< numbers are written as text
void convert(py::handle value, const char* name, Tensor& out);       ///< what torch.as_tensor takes
void convert(py::handle value, const char* name, at::Device& out);
void convert(py::handle value, const char* name, at::ScalarType& out);
void convert(py::handle value, const char* name, std::vector<int64_t>& out);
void convert(py::handle value, const char* name, std::vector<double>& out);
void convert(py::handle value, const char* name, std::vector<std::string>& out);
void convert(py::handle value, const char* name, std::map<std::string, Tensor>& out);
void convert(py::handle value, const char* name, LabelChoice& out);
void convert(py::handle value, const char* name, Seeds& out);
void convert(py::handle value, const char* name, Plan& out);
void convert(py::handle value, const char* name, PolicyChoice& out);
void convert(py::handle value, const char* name, SolverChoice& out);
void convert(py::handle value, const char* name, ProgressFn& out);

template <typename T>
void convert(py::handle value, const char* name, std::optional<T>& out) {
  convert(value, name, out.emplace());
}

/// Once a unit of work is done: Python's signal handlers run, then `progress` (None: nobody looks), whose False stops
/// the work. What either raises ends it.
[[nodiscard]] ProgressFn watched(py::object progress);

}  // namespace stride
