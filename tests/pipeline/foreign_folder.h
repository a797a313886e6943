// A folder with a foreign model, for tests: code, probe, card.
#pragma once

#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "framework/files/safetensors.h"
#include "tests/neural/scripted_module.h"
#include "tests/temporary_folder.h"

#include <fmt/format.h>

#include <map>
#include <memory>
#include <string>

namespace stride::testing {

/// [2, 4, 4] images by default; what is not a member is in `more`.
struct ForeignFolder {
  std::shared_ptr<const TemporaryFolder> folder = std::make_shared<TemporaryFolder>();
  std::string kind = "torchscript", file = "network.pt", shape = "[2, 4, 4]", more;

  [[nodiscard]] std::string card() const { return *folder / "card.toml"; }
  [[nodiscard]] std::string operator/(const std::string& name) const { return *folder / name; }

  void code(const std::string& bytes) const { write_file_atomic(*folder / file, bytes); }
  /// Tensors `input`, `time`, `output`, `condition.NAME`.
  void probe(const std::map<std::string, at::Tensor>& tensors,
             const std::map<std::string, std::string>& metadata = {}) const {
    write_safetensors(*folder / "probe.safetensors", tensors, metadata);
  }
  /// The card with the code's hash, or another one.
  void write(const std::string& sha256 = "") const {
    write_file_atomic(card(),
                      fmt::format("[model]\nkind = \"{}\"\nfile = \"{}\"\nsha256 = \"{}\"\nshape = {}\n"
                                  "sigma_min = 0.02\nsigma_max = 20.0\n{}",
                                  kind, file, sha256.empty() ? sha256_file(*folder / file) : sha256, shape, more));
  }
};

}  // namespace stride::testing
