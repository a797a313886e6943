// The probe of a model card: what the network answered where it was exported.
#pragma once

#include "framework/models/network_denoiser.h"
#include "neural/foreign/probe.h"
#include "pipeline/model_card.h"

#include <optional>

namespace stride {

/// None where the card names none. Throws InputError on a file that is not what the card promises.
[[nodiscard]] std::optional<Probe> read_probe(const ModelSource& source);

/// Runs it through the network, whose data type is `dtype`, and throws InputError, with the size of the difference,
/// where the answer is another one. Without a probe, a foreign network is run once all the same: an answer of another
/// shape is seen now.
void require_answer(const ModelSource& source, const std::optional<Probe>& probe, const NetworkDenoiser& denoiser,
                    const at::Device& device, at::ScalarType dtype);

}  // namespace stride
