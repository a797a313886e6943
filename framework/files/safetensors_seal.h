// The checksum in safetensors files that Stride writes.
#pragma once

#include <string_view>

namespace stride {

/// Whether the bytes of a file that parse_safetensors has read carried a checksum of header and data: the entry
/// `stride_xxh3_128` of `__metadata__` (XXH3-128), which every file has that format_safetensors made. parse_safetensors
/// compares it, and takes it out of the metadata.
[[nodiscard]] bool is_sealed_safetensors(std::string_view bytes) noexcept;

}  // namespace stride
