// A scheduler class of diffusers with its configuration, as scheduler_config.json holds it.
#pragma once

#include "pipeline/familiar/familiar_config.h"

#include <map>
#include <string>
#include <vector>

namespace stride {

/// A class that Stride knows, with the defaults of its constructor (diffusers 0.42.1, read from the signatures).
struct DiffusersClass {
  std::string name;
  std::map<std::string, std::string> defaults;  ///< as text: null, true, false, numbers, words, []
};
[[nodiscard]] const std::vector<DiffusersClass>& diffusers_classes();

/// Whether `name` is one, as it is written or but for case, blanks, `-` and `_`.
[[nodiscard]] bool is_diffusers_class(const std::string& name);

/// The solver, grid, noise schedule, end and bounds that the class makes with these settings, the class's defaults
/// where the file is silent. Keys that the class does not have are options of the solver (`eta`); where the solver does
/// not know them either, diffusers reads over them, and so does a `published` file here, with a note.
/// Throws UsageError, naming `where`, on an unknown class, and on a setting that would change the result and has no
/// counterpart here.
[[nodiscard]] FamiliarSettings diffusers_settings(const std::string& name, std::map<std::string, std::string> given,
                                                  const std::string& where, bool published);

}  // namespace stride
