// Seeds as people write them.
#pragma once

#include "datasets/store/seed_ranges.h"

#include <cstdint>
#include <string>
#include <vector>

namespace stride {

/// Seeds of one run, a number each in memory: there are at most this many.
inline constexpr int64_t kMostSeeds = 10'000'000;

/// "0-63,100" as the ranges that are written, in order: a million million seeds in a row are one. Throws UsageError on
/// anything else, on a range that runs backwards and on a seed given twice.
/// `field` names the setting in messages.
[[nodiscard]] std::vector<SeedRange> parse_seed_ranges(const std::string& text, const std::string& field = "seeds");
/// How many seeds that is; the largest range, 0 to 2^63 − 1, has 2^63.
[[nodiscard]] uint64_t count_seeds(const std::vector<SeedRange>& ranges);

/// The first `most` of them, in order.
[[nodiscard]] std::vector<int64_t> first_seeds(const std::vector<SeedRange>& ranges, int64_t most);

/// "0-63,100" as numbers, in order. Throws as parse_seed_ranges, and on more than kMostSeeds.
[[nodiscard]] std::vector<int64_t> parse_seeds(const std::string& text, const std::string& field = "seeds");
/// The shortest such text for `seeds`.
[[nodiscard]] std::string format_seeds(const std::vector<int64_t>& seeds);

}  // namespace stride
