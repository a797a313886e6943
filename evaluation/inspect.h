// What a file or folder holds.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace stride {

/// A card, weights, samples, images, a store, a plan or a run folder, by its path or a known model's name: an object
/// whose "what" says which. Throws InputError on anything else.
[[nodiscard]] nlohmann::ordered_json inspect(const std::string& path);

}  // namespace stride
