#include "pipeline/familiar/foreign_seed.h"

#include "framework/error.h"
#include "framework/files/printable.h"

#include <fmt/format.h>

#include <charconv>

namespace stride {

void add_foreign_seeds(const std::string& seed, int64_t count, const std::string& where, FamiliarSettings& out) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(seed.data(), seed.data() + seed.size(), value);
  if (error != std::errc() || end != seed.data() + seed.size())
    throw UsageError(fmt::format("{}: seed '{}' is no number from 0 to 2^64 - 1", where,
                                 printable(seed.substr(0, 60), Lines::escaped)));
  constexpr uint64_t kBound = uint64_t{1} << 62U;
  const uint64_t kept = value % kBound;
  const uint64_t last = kept + static_cast<uint64_t>(count) - 1;
  out.fields["seeds"] = count == 1 ? fmt::format("{}", kept) : fmt::format("{}-{}", kept, last);
  out.notes.push_back(
      fmt::format("{}: seed {}{}: a seed's noise is Stride's own, not that of the other project's generator", where,
                  value, kept == value ? "" : fmt::format(", taken as {}", kept)));
}

}  // namespace stride
