// A checksum that travels with its file: one line behind the end of the content, which HDF5 readers
// do not look at.
#pragma once

#include "framework/files/hash.h"

#include <string>
#include <string_view>

namespace stride {

/// Appends the line.
void append_checksum_line(std::string& bytes);
/// The line for content that was hashed piece by piece.
[[nodiscard]] std::string checksum_line(const Xxh3Hash& content);

/// Whether the bytes end in such a line.
[[nodiscard]] bool has_checksum_line(std::string_view bytes) noexcept;

/// The content before the line. Throws InputError, naming `where`, when the line is missing or wrong.
[[nodiscard]] std::string_view verify_checksum_line(std::string_view bytes, const std::string& where);

}  // namespace stride
