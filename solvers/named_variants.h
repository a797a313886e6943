// Names of other projects that mean a solver with options, or with levels of its own: A1111's "DPM++ 2M SDE Heun".
#pragma once

#include "framework/solver.h"
#include "framework/spec.h"

#include <map>
#include <string>
#include <vector>

namespace stride {

struct NamedVariant {
  std::string name;                            ///< as the other project writes it
  std::string solver;                          ///< the registry's
  std::map<std::string, std::string> options;  ///< that the name says
  /// The project makes one level more for it and leaves out the last one above 0 (the grids' drop_next_to_last).
  bool drops_next_to_last = false;
  bool as_written = false;  ///< in no other spelling: folded, it is another name
};

/// The variant of that name as it is written, else the one of that name compared as the names of solvers are; nullptr
/// where there is none.
[[nodiscard]] const NamedVariant* find_named_variant(const std::string& name);

/// The names of all of them.
[[nodiscard]] std::vector<std::string> named_variant_names();

/// `spec` by its solver and the options that its name says, where it is the name of a variant; else as it is. An option
/// of its own wins over one of the name.
[[nodiscard]] Spec without_variant(Spec spec);

/// What else a solver is called; a variant has its options behind it: "DPM++ 2M SDE Heun (solver_type=heun)".
[[nodiscard]] std::vector<std::string> also_called(const SolverTraits& traits);

}  // namespace stride
