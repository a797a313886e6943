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
};

/// Of the tensors `input`, `time`, `output` and `condition.NAME`. Throws InputError, naming `where`, where one is
/// missing, is not finite, or has not the shape that the model has.
[[nodiscard]] Probe make_probe(const Safetensors& file, const std::string& where, const ModelInfo& model);

/// ‖answer − expected‖ / ‖expected‖; the numerator alone where nothing but zeros is expected. Not finite where the
/// answer is not. Throws InputError where the shapes differ.
[[nodiscard]] double relative_error(const Tensor& answer, const Tensor& expected);

/// The relative_error of the network on `device`, computed without TF32.
[[nodiscard]] double probe_error(const Probe& probe, const Network& network, const at::Device& device,
                                 at::ScalarType dtype);

/// The error that is allowed of a network whose weights, or whose probe, are in `dtype`: 2e-2 at 16 bits, else 1e-4.
[[nodiscard]] double probe_bound(at::ScalarType dtype) noexcept;

}  // namespace stride
