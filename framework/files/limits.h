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

/// Bytes that packed data may unpack to. No packing of deflate's kind is tighter than `kTightest`; this much is taken
/// freely; and more only up to `kUsual` times what it takes packed, which arrays and images that are worth keeping do.
inline constexpr uint64_t kTightest = 2048;
inline constexpr uint64_t kFreelyUnpacked = uint64_t{1} << 28;
inline constexpr uint64_t kUsual = 64;

[[nodiscard]] constexpr uint64_t most_unpacked(uint64_t packed) noexcept {
  const uint64_t bounded = packed < (uint64_t{1} << 50) ? packed : uint64_t{1} << 50;
  const uint64_t freely = bounded * kTightest + 4096 < kFreelyUnpacked ? bounded * kTightest + 4096 : kFreelyUnpacked;
  return bounded * kUsual > freely ? bounded * kUsual : freely;
}

}  // namespace stride
