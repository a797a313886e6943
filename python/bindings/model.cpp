#include "python/bindings/model.h"

#include "python/bindings/bindings.h"
#include "python/bindings/convert.h"

#include "framework/dtype_name.h"
#include "framework/evaluator.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include <utility>

namespace stride {
namespace {

Model load(const std::string& name, py::handle device, py::handle dtype, bool trust) {
  Model out;
  convert(device, "device", out.device);
  convert(dtype, "dtype", out.dtype);
  const py::gil_scoped_release release;
  out.loaded = load_model(name, out.device, out.dtype, trust);
  return out;
}

py::list conditions_of(const Model& model) {
  py::list out;
  for (const ConditionSpec& spec : model.loaded.info().conditions) {
    py::dict each;
    each["name"] = spec.name;
    each["classes"] = spec.classes;
    each["shape"] = spec.shape;
    each["null"] = spec.null ? py::object(py::int_(*spec.null)) : py::none();
    each["zeros"] = spec.zeros;
    each["guidance"] = spec.guidance;
    out.append(std::move(each));
  }
  return out;
}

Tensor denoise(const Model& model, const Tensor& x, const Tensor& sigma, std::vector<Tensor> conditions) {
  const py::gil_scoped_release release;
  const Times levels = sigma.to(x.device(), at::kDouble).expand({x.size(0)}).contiguous();
  return model.loaded.denoiser->evaluate(x, levels, BatchState(std::move(conditions))).denoised;
}

}  // namespace

void bind_model(py::module_& module) {
  py::class_<Model>(module, "Model", "A denoiser of the C++ side.")
      .def_property_readonly("name", [](const Model& m) { return m.loaded.info().name; })
      .def_property_readonly("kind", [](const Model& m) { return m.loaded.info().kind; })
      .def_property_readonly("sha256", [](const Model& m) { return m.loaded.info().sha256; })
      .def_property_readonly("shape", [](const Model& m) { return m.loaded.info().shape; })
      .def_property_readonly(
          "sigma", [](const Model& m) { return std::pair(m.loaded.info().sigma_min, m.loaded.info().sigma_max); })
      .def_property_readonly("sigma_data", [](const Model& m) { return m.loaded.info().sigma_data; })
      .def_property_readonly("conditions", &conditions_of)
      .def_readonly("device", &Model::device)
      .def_property_readonly("dtype", [](const Model& m) { return dtype_name(m.dtype); })
      .def_readonly("capturable", &Model::capturable)
      .def("__call__", &denoise, py::arg("x"), py::arg("sigma"), py::arg("conditions") = std::vector<Tensor>());
  module.def("load", &load, py::arg("name"), py::arg("device"), py::arg("dtype"), py::arg("trust"));
  module.def("model_from_callable", &model_from_callable, py::arg("callable"), py::arg("facts"));
  module.def("known_models", &known_models);
  module.def("parameterisations", &parameterisation_names);
}

}  // namespace stride
