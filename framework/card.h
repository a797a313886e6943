// What people read about a thing with a name: a solver, a grid, a policy.
#pragma once

#include <string>
#include <vector>

namespace stride {

/// One option of a `NAME:key=value` text, as its declaration (framework/options.h) says it.
struct OptionInfo {
  std::string name;
  std::string fallback = {};              ///< the default, as it would be written; empty: there is none
  std::string allowed = {};               ///< "1 … 3", "at least 0"; empty: anything, or one of `choices`
  std::vector<std::string> choices = {};  ///< the words that it takes
  std::string summary = {};               ///< one line for people
  bool argument = false;                  ///< it comes first and has no key, as the file of `plan:FILE.json`

  /// "order=3 (1 … 3)", "variant=bh2|bh1" with the default first, "FILE.json".
  [[nodiscard]] std::string text() const;
};

/// All of them, with commas.
[[nodiscard]] std::string options_text(const std::vector<OptionInfo>& options);

/// The least that is said about anything with a name.
struct Card {
  std::string name;
  std::vector<std::string> aliases = {};
  std::string summary = {};              ///< one line for people
  std::vector<OptionInfo> options = {};  ///< from the declarations, see entry_of
  std::string reference = {};            ///< paper and equation
};

}  // namespace stride
