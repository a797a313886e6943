// Checksums of files and bytes, as lower-case hexadecimal text.
#pragma once

#include "framework/files/file_system.h"

#include <string>
#include <string_view>

namespace stride {

/// XXH3 128-bit, 32 digits (as `xxh128sum` prints): finds damage, at memory speed. Not against an attacker.
[[nodiscard]] std::string xxh3_128(std::string_view bytes);
/// Throws as read_file.
[[nodiscard]] std::string xxh3_128_file(const std::string& path, FileSystem& files = posix_file_system());

/// SHA-256, 64 digits (as `sha256sum` prints): says which file it is.
[[nodiscard]] std::string sha256(std::string_view bytes);
/// Throws as read_file.
[[nodiscard]] std::string sha256_file(const std::string& path, FileSystem& files = posix_file_system());

}  // namespace stride
