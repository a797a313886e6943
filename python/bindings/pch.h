// What every binding needs, compiled once.
#pragma once

#include <torch/csrc/utils/pybind.h>

#include <ATen/ATen.h>
#include <fmt/format.h>
