// The files that a model card names.
#pragma once

#include "pipeline/model_card.h"

#include <string>

namespace stride {

/// Where `file` of the card lies: beside it; of an embedded card its name inside the program.
[[nodiscard]] std::string model_path(const ModelSource& source, const std::string& file);

/// What it holds. Throws InputError where it is missing, and where `promised` is not empty and not its SHA-256.
[[nodiscard]] std::string model_bytes(const ModelSource& source, const std::string& file, const std::string& promised);

/// The same without reading it into memory: its SHA-256.
[[nodiscard]] std::string model_file_sha256(const ModelSource& source, const std::string& file,
                                            const std::string& promised);

}  // namespace stride
