// A TOML table as settings with whole keys. Includes toml++: for .cpp files only.
#pragma once

#include "pipeline/familiar/config_document.h"
#include "pipeline/toml_reader.h"

#include <string>
#include <vector>

namespace stride {

/// Appends what `table` holds: `[sampling] steps = 5` under `prefix` "" is "sampling.steps". Throws UsageError, naming
/// `where` and the key, on what is no option value.
void append_entries(const toml::table& table, const std::string& prefix, const std::string& where,
                    std::vector<ConfigEntry>& out);

}  // namespace stride
