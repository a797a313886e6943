// A folder with a model card, and the real executable run in it.
#pragma once

#include "tests/apps/process.h"
#include "tests/pipeline/mixture_card.h"
#include "tests/temporary_folder.h"

namespace stride::testing {

class Place final {
 public:
  /// gm.toml is a Gaussian mixture in two dimensions with two classes.
  Place() { std::ofstream(folder_ / "gm.toml") << kMixtureCard << "classes = [0, 1]\n"; }
  [[nodiscard]] Outcome operator()(const std::vector<std::string>& words) const {
    return run_stride(folder_.path(), words);
  }
  [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }
  void write(const std::string& name, const std::string& text) const { std::ofstream(folder_ / name) << text; }
  void make_folder(const std::string& name) const { std::filesystem::create_directories(folder_ / name); }
  [[nodiscard]] bool has(const std::string& name) const { return std::filesystem::exists(folder_ / name); }
  [[nodiscard]] std::string text(const std::string& name) const { return slurp(folder_ / name); }
  [[nodiscard]] const std::string& folder() const { return folder_.path(); }

 private:
  TemporaryFolder folder_;
};

}  // namespace stride::testing
