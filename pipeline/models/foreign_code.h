// Code that cards name: what must hold before it is opened.
#pragma once

#include "neural/foreign/compiled_package.h"
#include "pipeline/models/foreign_card.h"

#include <string>

namespace stride {

/// Throws UsageError without `trust`. `given` is what was asked for, as "`model` card.toml", and `file` what would run.
void require_trust(bool trust, const std::string& given, const std::string& file);

/// Throws InputError where the code that the card `where` names is for another device than `device`, or a file of it is
/// not what the card promises. Opens none.
void require_code(const std::string& where, const ForeignCard& card, const at::Device& device);

/// The constants of a package that lie in a file of their own.
struct ForeignWeights {
  CompiledPackage::Constants tensors;  ///< on the device; empty: the package has its own
  std::string sha256 = {};             ///< of the file; empty: none
};

/// Throws InputError on a file that is not what the card promises, and on one without tensors.
[[nodiscard]] ForeignWeights read_weights(const std::string& where, const ForeignCard& card, const at::Device& device);

}  // namespace stride
