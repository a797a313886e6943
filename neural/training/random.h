// Random numbers of a training run, each a function of (seed, step, purpose).
#pragma once

#include <ATen/core/Generator.h>

#include <cstdint>

namespace stride {

/// A CPU generator whose stream depends on nothing but the three numbers: a run that is stopped and resumed draws
/// what it would have drawn. Draws are made on the CPU and moved, so a GPU run sees the same ones.
[[nodiscard]] at::Generator make_generator(uint64_t seed, uint64_t step, uint64_t purpose);

}  // namespace stride
