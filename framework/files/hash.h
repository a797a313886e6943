// Checksums of files and bytes, as lower-case hexadecimal text.
#pragma once

#include "framework/files/file_system.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace stride {

/// XXH3 128-bit, 32 digits (as `xxh128sum` prints): finds damage, at memory speed. Not against an attacker.
[[nodiscard]] std::string xxh3_128(std::string_view bytes);
/// Throws as read_file.
[[nodiscard]] std::string xxh3_128_file(const std::string& path, FileSystem& files = posix_file_system());

/// The same, piece by piece.
class Xxh3Hash final {
 public:
  Xxh3Hash();
  ~Xxh3Hash();
  Xxh3Hash(const Xxh3Hash&) = delete;
  Xxh3Hash& operator=(const Xxh3Hash&) = delete;
  void add(std::string_view bytes);
  [[nodiscard]] std::string text() const;                  ///< of what was added so far
  [[nodiscard]] uint64_t bytes() const { return bytes_; }  ///< how many that are

 private:
  struct State;
  std::unique_ptr<State> state_;
  uint64_t bytes_ = 0;
};

/// XXH3 64-bit: a number that stands for the bytes.
[[nodiscard]] uint64_t xxh3_64(std::string_view bytes);

/// SHA-256, 64 digits (as `sha256sum` prints): says which file it is.
[[nodiscard]] std::string sha256(std::string_view bytes);
/// Throws as read_file.
[[nodiscard]] std::string sha256_file(const std::string& path, FileSystem& files = posix_file_system());

}  // namespace stride
