// Whether a card, of a denoiser or of another network, and the files that it names are whole.
#pragma once

#include <string>

namespace stride {

/// The table of a card that says what it is of: "model", "features", "decoder" or "post". Throws InputError where there
/// is none.
[[nodiscard]] std::string card_table(const std::string& text, const std::string& where);

/// Reads the card, and compares the files that it names (weights, code, a probe) with what it promises. False where the
/// card carries no checksum, or promises none of a file. Throws InputError on anything missing or damaged, UsageError
/// on an unknown key.
[[nodiscard]] bool check_card(const std::string& path);

}  // namespace stride
