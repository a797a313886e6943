// What a file may claim before anything is allocated for it: one place for all readers. A file beyond a limit is an
// InputError that names file and place.
#pragma once

#include <cstddef>
#include <cstdint>

namespace stride {

/// JSON and TOML: nesting (what reads or frees a document does so by recursion), bytes of text, values in it.
inline constexpr int kMaxDocumentDepth = 64;
inline constexpr std::size_t kMaxDocumentBytes = std::size_t{1} << 28;
inline constexpr std::size_t kMaxDocumentValues = 16'000'000;

/// Bytes of a name (of a tensor, a dataset, a member of an archive) and names in one file.
inline constexpr std::size_t kMaxNameBytes = 4096;
inline constexpr std::size_t kMaxNames = 10'000'000;

/// Extents of an array.
inline constexpr std::size_t kMaxRank = 32;

/// Bytes that packed data may unpack to: this much always, and beyond it `kMaxExpansion` times what they take packed.
/// (Deflate can claim a thousandfold; arrays and images that are worth keeping do not.)
inline constexpr uint64_t kFreelyUnpacked = uint64_t{1} << 28;
inline constexpr uint64_t kMaxExpansion = 64;

[[nodiscard]] constexpr bool unpacks_too_far(uint64_t packed, uint64_t unpacked) noexcept {
  return unpacked > kFreelyUnpacked && unpacked / kMaxExpansion > packed;
}

}  // namespace stride
