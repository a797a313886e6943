// The probe of a card: what the network answered where it was exported.
#pragma once

#include "framework/error.h"
#include "framework/models/network_denoiser.h"
#include "framework/out_of_memory.h"
#include "neural/foreign/foreign_call.h"
#include "neural/foreign/probe.h"
#include "pipeline/model_card.h"

#include <c10/util/Exception.h>

#include <optional>
#include <string>

namespace stride {

/// None where the card names none. Throws InputError on a file that is not what the card promises, and where a package
/// was made with another torch.
[[nodiscard]] std::optional<Probe> read_probe(const ModelSource& source);

/// Runs it through the network, whose data type is `dtype`, and throws InputError, with the size of the difference,
/// where the answer is another one. Without a probe, a foreign network is run once all the same: an answer of another
/// shape is seen now.
void require_answer(const ModelSource& source, const std::optional<Probe>& probe, const NetworkDenoiser& denoiser,
                    const at::Device& device, at::ScalarType dtype);

/// Throws InputError where a package, whose card is `card`, was made with another torch than this program's, as far as
/// its probe says it.
void require_torch(const Safetensors& probe, const std::string& card);

/// Throws InputError where a network's error on its probe is above `bound`, or not finite.
void require_small(double error, double bound, const std::string& card, const at::Device& device, at::ScalarType dtype);

/// call(), which tries the network of `card`: what fails there was not made for this card, or the card for it.
template <class Call>
auto run_for_card(const std::string& card, const Call& call) {
  try {
    return call();
  } catch (const c10::Error& error) {
    if (is_out_of_memory(error)) throw;
    throw InputError(card + ": the network cannot be run as the card says: " + foreign_message(error));
  }
}

}  // namespace stride
