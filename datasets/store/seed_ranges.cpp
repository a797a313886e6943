#include "datasets/store/seed_ranges.h"

#include <fmt/format.h>

#include <algorithm>

namespace stride {

std::vector<SeedRange> ranges_of(const std::vector<int64_t>& seeds) {
  std::vector<SeedRange> ranges;
  for (const int64_t seed : seeds) {
    if (!ranges.empty() && ranges.back().last == seed - 1) {
      ranges.back().last = seed;
    } else {
      ranges.push_back({seed, seed});
    }
  }
  return ranges;
}

std::string ranges_text(const std::vector<SeedRange>& ranges) {
  std::string out;
  for (const SeedRange& range : ranges) {
    out += out.empty() ? "" : ",";
    out += range.first == range.last ? fmt::format("{}", range.first) : fmt::format("{}-{}", range.first, range.last);
  }
  return out;
}

SeedRanges::SeedRanges(std::vector<int64_t> seeds) {
  std::sort(seeds.begin(), seeds.end());
  seeds.erase(std::unique(seeds.begin(), seeds.end()), seeds.end());
  ranges_ = ranges_of(seeds);
  size_ = static_cast<int64_t>(seeds.size());
}

std::size_t SeedRanges::place(int64_t seed) const noexcept {
  // Most questions are about the end: stores grow there.
  if (ranges_.empty() || ranges_.back().last < seed) return ranges_.size();
  const auto found = std::lower_bound(ranges_.begin(), ranges_.end(), seed,
                                      [](const SeedRange& range, int64_t value) { return range.last < value; });
  return static_cast<std::size_t>(found - ranges_.begin());
}

bool SeedRanges::insert(SeedRange range) {
  const std::size_t at = place(range.first);
  if (at < ranges_.size() && ranges_[at].first <= range.last) return false;
  size_ += range.last - range.first + 1;
  const bool joins_before = at > 0 && ranges_[at - 1].last + 1 == range.first;
  const bool joins_after = at < ranges_.size() && ranges_[at].first == range.last + 1;
  if (joins_before && joins_after) {
    ranges_[at - 1].last = ranges_[at].last;
    ranges_.erase(ranges_.begin() + static_cast<std::ptrdiff_t>(at));
  } else if (joins_before) {
    ranges_[at - 1].last = range.last;
  } else if (joins_after) {
    ranges_[at].first = range.first;
  } else {
    ranges_.insert(ranges_.begin() + static_cast<std::ptrdiff_t>(at), range);
  }
  return true;
}

std::optional<int64_t> SeedRanges::common(const SeedRanges& other) const {
  for (const SeedRange& range : other.ranges_) {
    const std::size_t at = place(range.first);
    if (at < ranges_.size() && ranges_[at].first <= range.last) return std::max(ranges_[at].first, range.first);
  }
  return std::nullopt;
}

void SeedRanges::merge(const SeedRanges& other) {
  for (SeedRange range : other.ranges_) {
    if (insert(range)) continue;
    for_each_seed(range, [&](int64_t seed) { (void)insert({seed, seed}); });
  }
}

bool SeedRanges::contains(int64_t seed) const noexcept {
  const std::size_t at = place(seed);
  return at < ranges_.size() && ranges_[at].first <= seed;
}

std::vector<int64_t> SeedRanges::list() const {
  std::vector<int64_t> seeds;
  seeds.reserve(static_cast<std::size_t>(size_));
  for (const SeedRange& range : ranges_) for_each_seed(range, [&](int64_t seed) { seeds.push_back(seed); });
  return seeds;
}

}  // namespace stride
