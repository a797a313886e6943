// TorchScript modules for tests, compiled from their source.
#pragma once

#include "tests/catch_torch.h"

#include <torch/csrc/jit/api/module.h>

#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace stride::testing {

/// The bytes of a module whose methods are `source`, with these parameters.
inline std::string scripted(const std::string& source, const std::vector<std::pair<std::string, at::Tensor>>& of = {}) {
  torch::jit::Module module("network");
  for (const auto& [name, tensor] : of) module.register_parameter(name, tensor, /*is_buffer=*/false);
  module.define(source);
  std::ostringstream out;
  module.save(out);
  return out.str();
}

/// 0.3 x + 0.1 t, of images.
inline const char* const kPlainNetwork =
    "def forward(self, x, t):\n  return 0.3 * x + 0.1 * t.to(x.dtype).view(-1, 1, 1, 1)\n";

}  // namespace stride::testing
