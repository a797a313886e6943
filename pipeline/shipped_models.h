// Models that come with the program but are too large to be part of it.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace stride {

/// Names of the folders with a card.toml in $STRIDE_MODELS, else in share/stride/models beside the program's bin; none
/// where there is no such place. Sorted.
[[nodiscard]] std::vector<std::string> shipped_cards();
/// The card of one of them.
[[nodiscard]] std::optional<std::string> shipped_card(const std::string& name);

}  // namespace stride
