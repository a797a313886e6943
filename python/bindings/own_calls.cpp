#include "python/bindings/own_calls.h"

#include "python/bindings/convert.h"
#include "python/bindings/held.h"

#include "framework/error.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include <utility>

namespace stride {
namespace {

class PythonNoise final : public NoiseSource {
 public:
  explicit PythonNoise(Held function) : function_(std::move(function)) {}

  [[nodiscard]] Tensor normal(const NoiseDraw& draw, const Tensor& like) const override {
    const py::gil_scoped_acquire gil;
    const py::object value = function_.get()(draw.ids, draw.step, draw.draw, like, draw.from, draw.to);
    Tensor normals;
    convert(value, "noise", normals);
    if (normals.sizes() != like.sizes()) throw UsageError("`noise`: the function must give normals shaped like `like`");
    return normals.to(like.options());
  }

 private:
  Held function_;
};

py::object taken(py::dict& given, const char* key) {
  if (!given.contains(key)) return py::none();
  const py::object value = given[key];
  PyDict_DelItemString(given.ptr(), key);
  return value;
}

}  // namespace

std::shared_ptr<const OwnGrids> own_grids_of(const py::dict& functions) {
  auto out = std::make_shared<OwnGrids>();
  for (const auto& [name, function] : functions) {
    (*out)[py::cast<std::string>(name)] = [held = Held(py::reinterpret_borrow<py::object>(function))](
                                              const Spec& spec, const GridRequest& request) {
      const py::gil_scoped_acquire gil;
      std::vector<double> levels;
      convert(
          held.get()(spec.options, request.steps, request.sigma_min, request.sigma_max, request.final == Final::zero),
          spec.name.c_str(), levels);
      return levels;
    };
  }
  return out;
}

std::shared_ptr<const NoiseSource> own_noise_of(py::object function) {
  return std::make_shared<PythonNoise>(Held(std::move(function)));
}

OwnMetrics own_metrics_of(const py::dict& functions) {
  OwnMetrics out;
  for (const auto& [name, function] : functions)
    out.push_back(
        {py::cast<std::string>(name), [held = Held(py::reinterpret_borrow<py::object>(function)),
                                       name = py::cast<std::string>(name)](const Tensor& x, const Tensor& teacher) {
           const py::gil_scoped_acquire gil;
           Tensor values;
           convert(held.get()(x, teacher), name.c_str(), values);
           return values;
         }});
  return out;
}

void take_own(py::dict& given, SampleSettings& out) {
  if (const py::object grids = taken(given, "own_grids"); !grids.is_none()) out.own_grids = own_grids_of(grids);
  if (const py::object noise = taken(given, "own_noise"); !noise.is_none()) out.own_noise = own_noise_of(noise);
}

void take_own(py::dict& given, EvaluateSettings& out) {
  if (const py::object grids = taken(given, "own_grids"); !grids.is_none()) out.own_grids = own_grids_of(grids);
  if (const py::object metrics = taken(given, "own_metrics"); !metrics.is_none())
    out.own_metrics = own_metrics_of(metrics);
}

}  // namespace stride
