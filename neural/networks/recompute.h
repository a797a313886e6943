// Gradient checkpointing: activations that are computed again instead of kept.
#pragma once

#include "framework/tensor.h"

#include <functional>
#include <vector>

namespace stride {

/// f(inputs), of which backward keeps nothing but the inputs: it runs f again (Chen et al. 2016, arXiv:1604.06174).
/// `f` must be pure and use no tensor that needs a gradient but its inputs; undefined inputs are passed through.
[[nodiscard]] Tensor recomputed(const std::function<Tensor(const std::vector<Tensor>&)>& f,
                                const std::vector<Tensor>& inputs);

}  // namespace stride
