// Whether a card, of a denoiser or of a feature network, and its weights are whole.
#pragma once

#include <string>

namespace stride {

/// Reads the card, and compares its weights, where it names some, with what it promises. False where the card carries
/// no checksum, or promises none of its weights. Throws InputError on anything missing or damaged.
[[nodiscard]] bool check_card(const std::string& path);

}  // namespace stride
