// The files that a card names, of a denoiser or of any other network.
#pragma once

#include <string>

namespace stride {

/// Where `file` of the card `card` (its path, or "embedded:NAME") lies: beside it; of an embedded card its name inside
/// the program.
[[nodiscard]] std::string model_path(const std::string& card, const std::string& file);

/// The card that a path means: itself, or the card.toml in a folder. Throws InputError, beginning with `option`
/// ("`model`"), on a folder without one and on files of weights or code, by their names' ends.
[[nodiscard]] std::string card_path(const std::string& option, const std::string& given);

/// Whether a path is that of weights or code, by its name's end, and so of no card.
[[nodiscard]] bool is_no_card(const std::string& path);

/// What it holds. Throws InputError where it is missing, and where `promised` is not empty and not its SHA-256.
[[nodiscard]] std::string model_bytes(const std::string& card, const std::string& file, const std::string& promised);

/// The same without reading it into memory: its SHA-256.
[[nodiscard]] std::string model_file_sha256(const std::string& card, const std::string& file,
                                            const std::string& promised);

}  // namespace stride
