// Grids, noise and metrics that are functions of Python's.
#pragma once

#include "evaluation/compare.h"
#include "pipeline/sample.h"

#include <pybind11/pybind11.h>

#include <memory>

namespace stride {

namespace py = pybind11;

/// Name → f(options, steps, sigma_min, sigma_max, final_zero) → all levels.
[[nodiscard]] std::shared_ptr<const OwnGrids> own_grids_of(const py::dict& functions);
/// f(ids, step, draw, like, sigma, sigma_next) → unit normals shaped like `like`.
[[nodiscard]] std::shared_ptr<const NoiseSource> own_noise_of(py::object function);
/// Name → f(x, teacher) → a number a sample.
[[nodiscard]] OwnMetrics own_metrics_of(const py::dict& functions);

/// Takes "own_grids", "own_noise" and "own_metrics" out of `given`, where they are there.
void take_own(py::dict& given, SampleSettings& out);
void take_own(py::dict& given, EvaluateSettings& out);

}  // namespace stride
