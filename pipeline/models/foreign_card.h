// What model cards say of networks that Stride did not make.
#pragma once

#include "framework/tensor.h"

#include <string>
#include <vector>

namespace stride {

class TomlReader;

/// A file of code.
struct CodeFile {
  std::string file;    ///< relative to the card
  std::string sha256;  ///< it is never opened without
  int64_t batch = 0;   ///< rows that it was compiled for; 0: what the card's `batches` say
};

/// Of the kinds torchscript and aoti.
struct ForeignCard {
  std::vector<CodeFile> code;                ///< one, or several packages of one network for several batch sizes
  std::string device;                        ///< aoti: "cpu" or "cuda", which the package was compiled for
  at::ScalarType dtype = at::kFloat;         ///< of weights, input and floating-point conditions
  std::string weights, weights_sha256 = {};  ///< aoti: a safetensors file of the package's constants; empty: its own
};

/// The largest batch size that a card may name.
constexpr int64_t kLargestBatch = 65536;

[[nodiscard]] bool is_foreign(const std::string& kind);

/// Reads file, sha256, packages, device, dtype, weights and weights_sha256 of the card's table `table`. Throws
/// InputError on what is missing or malformed.
[[nodiscard]] ForeignCard read_foreign_card(TomlReader& reader, const std::string& where, const std::string& table,
                                            const std::string& kind);

/// The sizes that the network accepts, in ascending order; empty: any. Throws InputError on anything else, and where
/// there are `packages`, each of which has its own.
[[nodiscard]] std::vector<int64_t> read_batches(TomlReader& reader, const ForeignCard* foreign);

/// What tells one model from another: the hash of its weights, where they are a file of their own; else of its code.
[[nodiscard]] std::string foreign_identity(const ForeignCard& card, const std::string& weights_sha256);

/// The key, 64 lower-case hexadecimal digits; empty where it is missing. Throws InputError on anything else.
[[nodiscard]] std::string read_sha256(TomlReader& reader, const std::string& key);

}  // namespace stride
