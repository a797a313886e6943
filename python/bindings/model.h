// A denoiser as the module's functions take it.
#pragma once

#include "pipeline/choices.h"

#include <pybind11/pybind11.h>

namespace stride {

namespace py = pybind11;

/// One of Stride's own, by card; or one made of a callable, which it holds.
struct Model {
  LoadedModel loaded;
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
  bool capturable = true;

  [[nodiscard]] ModelChoice choice() const { return {loaded, capturable}; }
};

/// A callable as a network. `facts`: name, shape, sigma_min, sigma_max, sigma_data, prediction, time, noise_schedule,
/// conditions, device, dtype, capturable. Throws UsageError on what does not go together.
[[nodiscard]] Model model_from_callable(py::object callable, const py::dict& facts);

}  // namespace stride
