#include "pipeline/seeds.h"

#include "datasets/store/seed_ranges.h"
#include "framework/error.h"
#include "framework/spec.h"
#include "framework/text_list.h"

#include <fmt/format.h>
#include <algorithm>

namespace stride {
namespace {

int64_t seed_number(const std::string& text, const std::string& whole, const std::string& field) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos) {
    throw UsageError(fmt::format("`{}` {}: '{}' is not a seed; write non-negative numbers and ranges, e.g. 0-63,100",
                                 field, whole, text));
  }
  return parse_integer(text, "`" + field + "`");
}

// Where the first run of a split one may end.
int64_t end_of_first_part(const SeedRange& range) {
  return range.first + std::min(range.last - range.first, kMostSeeds - 1);
}

}  // namespace

std::vector<SeedRange> parse_seed_ranges(const std::string& text, const std::string& field) {
  std::vector<SeedRange> ranges;
  for (const std::string& part : split_list(text)) {
    const auto dash = part.find('-');
    const int64_t first = seed_number(part.substr(0, dash), text, field);
    const int64_t last = dash == std::string::npos ? first : seed_number(part.substr(dash + 1), text, field);
    if (last < first) throw UsageError(fmt::format("`{}` {}: the range {} runs backwards", field, text, part));
    ranges.push_back({first, last});
  }
  std::vector<SeedRange> sorted = ranges;
  std::sort(sorted.begin(), sorted.end(), [](const SeedRange& a, const SeedRange& b) { return a.first < b.first; });
  for (std::size_t i = 1; i < sorted.size(); ++i)
    if (sorted[i].first <= sorted[i - 1].last)
      throw UsageError(fmt::format("`{}` {}: a seed is there twice, {}", field, text, sorted[i].first));
  return ranges;
}

uint64_t count_seeds(const std::vector<SeedRange>& ranges) {
  uint64_t count = 0;
  for (const SeedRange& range : ranges) count += static_cast<uint64_t>(range.last - range.first) + 1;
  return count;
}

std::vector<int64_t> first_seeds(const std::vector<SeedRange>& ranges, int64_t most) {
  std::vector<int64_t> seeds;
  for (const SeedRange& range : ranges) {
    const int64_t left = most - static_cast<int64_t>(seeds.size());
    if (left < 1) break;
    for_each_seed({range.first, range.first + std::min(range.last - range.first, left - 1)},
                  [&](int64_t seed) { seeds.push_back(seed); });
  }
  return seeds;
}

std::vector<int64_t> parse_seeds(const std::string& text, const std::string& field) {
  const std::vector<SeedRange> ranges = parse_seed_ranges(text, field);
  if (const uint64_t count = count_seeds(ranges); count > kMostSeeds)
    throw UsageError(fmt::format("`{}` {}: {} are more than {} seeds in one run; split it, {}-{} first", field, text,
                                 count, kMostSeeds, ranges[0].first, end_of_first_part(ranges[0])));
  return first_seeds(ranges, kMostSeeds);
}

std::string format_seeds(const std::vector<int64_t>& seeds) { return ranges_text(ranges_of(seeds)); }

}  // namespace stride
