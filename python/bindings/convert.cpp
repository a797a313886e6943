#include "python/bindings/convert.h"

#include "python/bindings/held.h"
#include "python/bindings/own_parts.h"

#include "framework/error.h"
#include "framework/files/hash.h"
#include "pipeline/seeds.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/utils/pybind.h>

#include <utility>

namespace stride {
namespace {

[[noreturn]] void refuse(py::handle value, const char* name, const char* wanted) {
  std::string shown = py::cast<std::string>(py::repr(value));
  if (shown.size() > 60) shown = shown.substr(0, 57) + "...";
  throw UsageError(fmt::format("`{}` takes {}, not {} ({})", name, wanted, shown,
                               py::cast<std::string>(py::type::of(value).attr("__name__"))));
}

// tensors and arrays as lists, ranges and tuples as they are.
py::object listed(py::handle value) {
  if (py::hasattr(value, "tolist")) return value.attr("tolist")();
  return py::reinterpret_borrow<py::object>(value);
}

bool is_list(py::handle value) { return PySequence_Check(value.ptr()) != 0 && !py::isinstance<py::str>(value); }

template <typename T>
void convert_list(py::handle value, const char* name, const char* wanted, std::vector<T>& out) {
  const py::object all = listed(value);
  if (!is_list(all)) refuse(value, name, wanted);
  for (const py::handle each : all) convert(each, name, out.emplace_back());
}

}  // namespace

bool is_tensor(py::handle value) { return py::detail::make_caster<Tensor>().load(value, false); }

void convert(py::handle value, const char* name, bool& out) {
  if (!py::isinstance<py::bool_>(value)) refuse(value, name, "True or False");
  out = value.ptr() == Py_True;
}

void convert(py::handle value, const char* name, int64_t& out) {
  if (py::isinstance<py::bool_>(value) || PyIndex_Check(value.ptr()) == 0) refuse(value, name, "a whole number");
  const auto number = py::reinterpret_steal<py::object>(PyNumber_Index(value.ptr()));
  if (!number) throw py::error_already_set();
  out = PyLong_AsLongLong(number.ptr());
  if (out == -1 && PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    refuse(value, name, "a whole number of 64 bits");
  }
}

void convert(py::handle value, const char* name, uint64_t& out) {
  int64_t number = 0;
  convert(value, name, number);
  if (number < 0) refuse(value, name, "a whole number from 0 on");
  out = static_cast<uint64_t>(number);
}

void convert(py::handle value, const char* name, double& out) {
  if (py::isinstance<py::str>(value) || py::isinstance<py::bool_>(value)) refuse(value, name, "a number");
  out = PyFloat_AsDouble(value.ptr());
  if (out == -1.0 && PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    refuse(value, name, "a number");
  }
}

void convert(py::handle value, const char* name, std::string& out) {
  const bool text = py::isinstance<py::str>(value);
  const bool number =
      (PyLong_Check(value.ptr()) != 0 || PyFloat_Check(value.ptr()) != 0) && !py::isinstance<py::bool_>(value);
  if (!text && !number && !py::hasattr(value, "__fspath__")) refuse(value, name, "text");
  out = py::cast<std::string>(py::str(value));
}

void convert(py::handle value, const char* name, Tensor& out) {
  try {
    out = py::cast<Tensor>(py::module_::import("torch").attr("as_tensor")(value));
  } catch (const py::error_already_set& error) {
    if (!error.matches(PyExc_TypeError) && !error.matches(PyExc_ValueError) && !error.matches(PyExc_RuntimeError))
      throw;
    refuse(value, name, "a tensor");
  }
}

void convert(py::handle value, const char* name, at::Device& out) {
  try {
    out = py::cast<at::Device>(py::module_::import("torch").attr("device")(value));
  } catch (const py::error_already_set&) {
    refuse(value, name, "a device, as \"cpu\" or \"cuda\"");
  }
}

void convert(py::handle value, const char* name, at::ScalarType& out) {
  py::object dtype = py::reinterpret_borrow<py::object>(value);
  const py::module_ torch = py::module_::import("torch");
  if (py::isinstance<py::str>(value) && py::hasattr(torch, py::cast<std::string>(value).c_str()))
    dtype = torch.attr(value);
  if (!THPDtype_Check(dtype.ptr())) refuse(value, name, "a dtype, as \"float32\" or torch.bfloat16");
  out = reinterpret_cast<THPDtype*>(dtype.ptr())->scalar_type;
}

void convert(py::handle value, const char* name, std::vector<int64_t>& out) {
  if (PyIndex_Check(value.ptr()) != 0 && !py::hasattr(value, "tolist")) return convert(value, name, out.emplace_back());
  convert_list(value, name, "whole numbers", out);
}

void convert(py::handle value, const char* name, std::vector<double>& out) {
  convert_list(value, name, "numbers", out);
}

void convert(py::handle value, const char* name, std::vector<std::string>& out) {
  out.clear();
  if (py::isinstance<py::str>(value)) return convert(value, name, out.emplace_back());
  convert_list(value, name, "text, or a list of texts", out);
}

void convert(py::handle value, const char* name, std::map<std::string, Tensor>& out) {
  if (!py::isinstance<py::dict>(value)) refuse(value, name, "tensors by name, {\"prompt\": tensor}");
  for (const auto& [key, tensor] : py::reinterpret_borrow<py::dict>(value))
    convert(tensor, name, out[py::cast<std::string>(py::str(key))]);
}

void convert(py::handle value, const char* name, LabelChoice& out) {
  if (py::isinstance<py::str>(value)) {
    out = LabelChoice(py::cast<std::string>(value));
  } else if (is_list(value) || (is_tensor(value) && py::cast<Tensor>(value).dim() > 0)) {
    Tensor labels;
    convert(value, name, labels);
    labels = labels.to(at::kCPU, at::kLong).contiguous();
    out = LabelChoice::listed(labels, sha256({static_cast<const char*>(labels.const_data_ptr()), labels.nbytes()}));
  } else {
    int64_t label = 0;
    convert(value, name, label);
    out = LabelChoice(label);
  }
}

void convert(py::handle value, const char* name, Seeds& out) {
  if (py::isinstance<py::str>(value)) {
    out = Seeds(py::cast<std::string>(value));
    return;
  }
  if (PyIndex_Check(value.ptr()) != 0 && !py::hasattr(value, "tolist"))
    refuse(value, name, "seeds, one a sample: range(64), a list, or \"0-63\"");
  std::vector<int64_t> numbers;
  convert_list(value, name, "seeds, one a sample: range(64), a list, or \"0-63\"", numbers);
  (void)parse_seeds(format_seeds(numbers));  // refuses what is given twice
  out = Seeds(std::move(numbers));
}

void convert(py::handle value, const char* name, Plan& out) {
  if (!py::isinstance<Plan>(value)) refuse(value, name, "a plan: stride.Plan.load(FILE), or what stride.fit gave");
  out = py::cast<Plan>(value);
}

void convert(py::handle value, const char* name, PolicyChoice& out) { out = own_policy(value, name); }

void convert(py::handle value, const char* name, SolverChoice& out) { out = own_solver(value, name); }

void convert(py::handle value, const char* name, ProgressFn& out) {
  if (!value.is_none() && PyCallable_Check(value.ptr()) == 0)
    refuse(value, name, "a function of (done, total, note), or None");
  out = watched(py::reinterpret_borrow<py::object>(value));
}

ProgressFn watched(py::object progress) {
  return [held = Held(std::move(progress))](int64_t done, int64_t total, const std::string& note) {
    const py::gil_scoped_acquire gil;
    if (PyErr_CheckSignals() != 0) throw py::error_already_set();
    if (held.get().is_none()) return true;
    const py::object answer = held.get()(done, total, note);
    return answer.is_none() || py::cast<bool>(answer);
  };
}

}  // namespace stride
