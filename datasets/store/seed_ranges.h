// Sets of seeds, kept as ranges: a million seeds in a row are one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace stride {

struct SeedRange {
  int64_t first, last;
  bool operator==(const SeedRange&) const = default;
};

/// Calls `f` with every seed of the range, ascending. (The largest seed is the largest integer: a loop that looks for
/// the one after it never ends.)
template <typename F>
void for_each_seed(const SeedRange& range, const F& f) {
  for (int64_t seed = range.first;; ++seed) {
    f(seed);
    if (seed == range.last) return;
  }
}

/// Seeds that count up by one as ranges, in the order given: 7, 3, 4 are 7 and 3-4.
[[nodiscard]] std::vector<SeedRange> ranges_of(const std::vector<int64_t>& seeds);
/// "0-63,100"
[[nodiscard]] std::string ranges_text(const std::vector<SeedRange>& ranges);

class SeedRanges final {
 public:
  SeedRanges() = default;
  /// The seeds in any order; one that comes twice counts once.
  explicit SeedRanges(std::vector<int64_t> seeds);

  /// False, and nothing is done, when a seed of the range is there already.
  bool insert(SeedRange range);
  /// The smallest seed that is in both, if any.
  [[nodiscard]] std::optional<int64_t> common(const SeedRanges& other) const;
  /// Adds what is not there yet.
  void merge(const SeedRanges& other);

  [[nodiscard]] bool contains(int64_t seed) const noexcept;
  [[nodiscard]] int64_t size() const noexcept { return size_; }
  [[nodiscard]] bool empty() const noexcept { return ranges_.empty(); }
  /// Ascending, with gaps between them.
  [[nodiscard]] const std::vector<SeedRange>& ranges() const noexcept { return ranges_; }
  /// Every seed, ascending.
  [[nodiscard]] std::vector<int64_t> list() const;
  [[nodiscard]] std::string text() const { return ranges_text(ranges_); }
  bool operator==(const SeedRanges& other) const { return ranges_ == other.ranges_; }

 private:
  /// The first range that ends at or after `seed`.
  [[nodiscard]] std::size_t place(int64_t seed) const noexcept;

  std::vector<SeedRange> ranges_;
  int64_t size_ = 0;
};

}  // namespace stride
