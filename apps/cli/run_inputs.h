// The files that a run depends on, and whether a resumed run finds them as they were.
#pragma once

#include <string>
#include <vector>

namespace stride {

struct InputFile {
  std::string path, sha256;
};

/// Inputs in the order in which they were noted, each path once.
class RunInputs final {
 public:
  RunInputs() = default;
  /// Begins with the inputs of the run in `folder`, which its manifest.json lists. Throws InputError where that is
  /// damaged.
  explicit RunInputs(const std::string& folder);

  /// Throws InputError where the same path was noted with another hash.
  void add(const std::string& path, const std::string& sha256);
  [[nodiscard]] const std::vector<InputFile>& all() const noexcept { return inputs_; }

 private:
  std::string folder_;  ///< of the resumed run; empty: none
  std::vector<InputFile> inputs_;
};

}  // namespace stride
