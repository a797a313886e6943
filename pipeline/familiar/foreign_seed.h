// Seeds of other projects.
#pragma once

#include "pipeline/familiar/familiar_config.h"

#include <cstdint>
#include <string>

namespace stride {

/// `count` samples from `seed` on, as the field `seeds`, with a note that the noise of a seed is Stride's own. Theirs
/// go up to 2^64 − 1: one that is too large for a seed here is taken modulo 2^62, and the note says so. Throws
/// UsageError, naming `where`, on what is no seed.
void add_foreign_seeds(const std::string& seed, int64_t count, const std::string& where, FamiliarSettings& out);

}  // namespace stride
