#include "pipeline/seeds.h"

#include "datasets/store/seed_ranges.h"
#include "framework/error.h"
#include "framework/spec.h"
#include "framework/text_list.h"

#include <fmt/format.h>
#include <unordered_set>

namespace stride {
namespace {

constexpr int64_t kMostSeeds = 10'000'000;

int64_t seed_number(const std::string& text, const std::string& whole) {
  if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos) {
    throw UsageError(fmt::format("`seeds` {}: '{}' is not a seed; write non-negative numbers and ranges, e.g. 0-63,100",
                                 whole, text));
  }
  return parse_integer(text, "`seeds`");
}

}  // namespace

std::vector<int64_t> parse_seeds(const std::string& text) {
  std::vector<int64_t> seeds;
  for (const std::string& part : split_list(text)) {
    const auto dash = part.find('-');
    const int64_t first = seed_number(part.substr(0, dash), text);
    const int64_t last = dash == std::string::npos ? first : seed_number(part.substr(dash + 1), text);
    if (last < first) throw UsageError(fmt::format("`seeds` {}: the range {} runs backwards", text, part));
    if (last - first >= kMostSeeds - static_cast<int64_t>(seeds.size())) {
      throw UsageError(fmt::format("`seeds` {}: more than {} seeds in one run; split it", text, kMostSeeds));
    }
    for_each_seed({first, last}, [&](int64_t seed) { seeds.push_back(seed); });
  }
  std::unordered_set<int64_t> seen(seeds.begin(), seeds.end());
  if (seen.size() != seeds.size()) throw UsageError(fmt::format("`seeds` {}: a seed is there twice", text));
  return seeds;
}

std::string format_seeds(const std::vector<int64_t>& seeds) { return ranges_text(ranges_of(seeds)); }

}  // namespace stride
