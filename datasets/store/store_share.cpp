#include "datasets/store/store_share.h"

#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/json_text.h"

#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>
#include <vector>

namespace stride {
namespace {

constexpr const char* kShare = "/.share";

std::string text_of(const SeedRanges& seeds) {
  nlohmann::json ranges = nlohmann::json::array();
  for (const SeedRange& range : seeds.ranges()) ranges.push_back({range.first, range.last});
  return ranges.dump();
}

SeedRanges seeds_in(const std::string& text, const std::string& where) {
  SeedRanges seeds;
  try {
    for (const auto& range : parse_json_text(text, where))
      (void)seeds.insert({range.at(0).get<int64_t>(), range.at(1).get<int64_t>()});
  } catch (const nlohmann::json::exception& error) {
    throw InputError(fmt::format("{}: the note of a writer is damaged ({})", where, error.what()));
  }
  return seeds;
}

/// Writers look and enter one after the other; each takes a moment.
LockFile entrance(const std::string& store) {
  constexpr int kAttempts = 500;
  for (int attempt = 0;; ++attempt) {
    try {
      return LockFile::passing(store + "/.entrance.lock");
    } catch (const LockedError&) {
      if (attempt == kAttempts) throw;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

LockFile entered(const std::string& store, const std::string& part, const SeedRanges& seeds,
                 const std::string& run_id) {
  make_folders(part);
  const LockFile alone = entrance(store);
  std::vector<std::string> parts = {store};
  for (const std::string& name : list_folder(store)) parts.push_back(store + "/" + name);
  for (const std::string& other : parts) {
    const std::string path = other + kShare;
    const auto note = lock_note(path);
    if (!note) continue;
    if (const auto both = seeds_in(*note, path).common(seeds))
      throw LockedError(
          fmt::format("seed {} is in the share of {} too, which is recording into {}: give the writers of one store "
                      "shares of one partition, as in 0/2 and 1/2",
                      *both, lock_holder(path).value_or("another process"), other));
  }
  LockFile own = LockFile::passing(part + kShare, run_id);
  own.note(text_of(seeds));
  return own;
}

}  // namespace

StoreShare::StoreShare(const std::string& store, const std::string& part, const SeedRanges& seeds,
                       const std::string& run_id)
    : note_(entered(store, part, seeds, run_id)) {}

}  // namespace stride
