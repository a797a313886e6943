#include "pipeline/seeds.h"

#include "framework/error.h"
#include "framework/spec.h"

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
  std::size_t begin = 0;
  while (begin <= text.size()) {
    std::size_t end = text.find(',', begin);
    if (end == std::string::npos) end = text.size();
    const std::string part = text.substr(begin, end - begin);
    const auto dash = part.find('-');
    const int64_t first = seed_number(part.substr(0, dash), text);
    const int64_t last = dash == std::string::npos ? first : seed_number(part.substr(dash + 1), text);
    if (last < first) throw UsageError(fmt::format("`seeds` {}: the range {} runs backwards", text, part));
    if (last - first >= kMostSeeds - static_cast<int64_t>(seeds.size())) {
      throw UsageError(fmt::format("`seeds` {}: more than {} seeds in one run; split it", text, kMostSeeds));
    }
    for (int64_t seed = first; seed <= last; ++seed) seeds.push_back(seed);
    begin = end + 1;
  }
  std::unordered_set<int64_t> seen(seeds.begin(), seeds.end());
  if (seen.size() != seeds.size()) throw UsageError(fmt::format("`seeds` {}: a seed is there twice", text));
  return seeds;
}

std::string format_seeds(const std::vector<int64_t>& seeds) {
  std::string out;
  for (std::size_t i = 0; i < seeds.size();) {
    std::size_t j = i;
    while (j + 1 < seeds.size() && seeds[j + 1] == seeds[j] + 1) ++j;
    out += out.empty() ? "" : ",";
    out += j == i ? fmt::format("{}", seeds[i]) : fmt::format("{}-{}", seeds[i], seeds[j]);
    i = j + 1;
  }
  return out;
}

}  // namespace stride
