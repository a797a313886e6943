// What a network answered where it was exported, and whether it does so here.
#pragma once

#include "framework/files/safetensors.h"
#include "framework/models/network_denoiser.h"

#include <string>
#include <vector>

namespace stride {

/// Inputs, times and conditions of a few rows with the output that the exporter saw.
struct Probe {
  Tensor input;          ///< `[P, …]`
  Tensor time;           ///< `[P]`
  BatchState condition;  ///< in the order of the model's conditions
  Tensor output;         ///< `[P, …]`, or with twice the channels
  std::string torch;     ///< version that made it; empty: not known
};

/// Of the tensors `input`, `time`, `output` and `condition.NAME`. Throws InputError, naming `where`, where one is
/// missing, is not finite, or has not the shape that the model has.
[[nodiscard]] Probe make_probe(const Safetensors& file, const std::string& where, const ModelInfo& model);

/// ‖out − output‖ / ‖output‖ of the network on `device`, computed without TF32. Not finite where an output is not.
[[nodiscard]] double probe_error(const Probe& probe, const Network& network, const at::Device& device,
                                 at::ScalarType dtype);

/// The error that is allowed of a network whose weights, or whose probe, are in `dtype`: 2e-2 at 16 bits, else 1e-4.
[[nodiscard]] double probe_bound(at::ScalarType dtype) noexcept;

}  // namespace stride
