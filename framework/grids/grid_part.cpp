#include "framework/grids/grid_part.h"

#include "framework/error.h"
#include "framework/options.h"

#include <fmt/format.h>

#include <algorithm>

namespace stride {
namespace {

int64_t whole(const std::string& text, const std::string& where, int64_t least) {
  const int64_t value = parse_integer(text, where);
  if (value < least) throw UsageError(fmt::format("{} must be at least {}, not {}", where, least, value));
  return value;
}

std::optional<std::string> taken(Spec& spec, const char* key) {
  const auto node = spec.options.extract(key);
  if (node.empty()) return std::nullopt;
  return node.mapped();
}

}  // namespace

std::optional<GridPart> take_grid_part(Spec& spec) {
  const std::string where = fmt::format("schedule '{}': ", spec.name);
  GridPart out;
  bool any = false;
  if (const auto last = taken(spec, "last")) {
    out.last = whole(*last, where + "last", 1);
    any = true;
  }
  if (const auto part = taken(spec, "part")) {
    const auto dash = part->find('-');
    if (dash == std::string::npos || dash == 0)
      throw UsageError(fmt::format("{}part is FROM-TO, places in the list of levels, not '{}'", where, *part));
    out.from = whole(part->substr(0, dash), where + "part", 0);
    if (dash + 1 < part->size()) out.to = whole(part->substr(dash + 1), where + "part", 0);
    any = true;
  }
  if (const auto jump = taken(spec, "jump")) {
    out.jump = flag_of(*jump, where + "jump");
    any = true;
  }
  return any ? std::optional(out) : std::nullopt;
}

std::vector<double> part_of(const GridPart& part, std::vector<double> levels, const std::string& what) {
  const auto intervals = static_cast<int64_t>(levels.size()) - 1;
  if (part.last && *part.last < intervals) levels.erase(levels.begin(), levels.end() - (*part.last + 1));
  const auto end = static_cast<int64_t>(levels.size()) - 1;
  const int64_t to = std::min(part.to.value_or(end), end);
  if (part.from >= to)
    throw UsageError(fmt::format("{}: from level {} to level {} there is no interval of {}", what, part.from, to, end));
  levels = {levels.begin() + part.from, levels.begin() + to + 1};
  if (part.jump) levels.back() = 0.0;
  return levels;
}

}  // namespace stride
