// liblmdb trusts its file and crashes where that is damaged, so a child process walks the tree and says where each
// value lies; they are then read from a map of our own.
#include "datasets/files/guarded.h"
#include "datasets/files/mapped_file.h"
#include "datasets/images/file_set.h"
#include "framework/error.h"
#include "framework/files/hash.h"

#include <fmt/format.h>
#include <lmdb.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace stride {
namespace {

struct Place {
  uint64_t at, size;
};

/// Where in its file an address lies that is mapped in this process.
class AddressMap final {
 public:
  AddressMap() {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
      std::istringstream words(line);
      Range range{};
      char dash = 0;
      std::string rights;
      words >> std::hex >> range.start >> dash >> range.end >> rights >> range.offset;
      if (words) ranges_.push_back(range);
    }
  }
  [[nodiscard]] uint64_t offset(const void* address) const {
    const auto at = reinterpret_cast<uint64_t>(address);
    for (const Range& range : ranges_)
      if (at >= range.start && at < range.end) return at - range.start + range.offset;
    return UINT64_MAX;
  }

 private:
  struct Range {
    uint64_t start, end, offset;
  };
  std::vector<Range> ranges_;
};

void put(std::string& out, uint64_t value) { out.append(reinterpret_cast<const char*>(&value), sizeof value); }

// (place, size, size of the key, key) of every entry, in the order of the keys.
std::string walk(const std::string& file, std::size_t file_size) {
  const auto check = [&](int code) {
    if (code != 0)
      throw InputError(fmt::format("{}: is a damaged LMDB database ({}); get it again", file, mdb_strerror(code)));
  };
  // The process ends right after, and takes all of this with it.
  MDB_env* env = nullptr;
  MDB_txn* txn = nullptr;
  MDB_cursor* cursor = nullptr;
  MDB_dbi dbi = 0;
  check(mdb_env_create(&env));
  check(mdb_env_open(env, file.c_str(), MDB_RDONLY | MDB_NOLOCK | MDB_NOSUBDIR, 0644));
  check(mdb_txn_begin(env, nullptr, MDB_RDONLY, &txn));
  check(mdb_dbi_open(txn, nullptr, 0, &dbi));
  check(mdb_cursor_open(txn, dbi, &cursor));
  const AddressMap map;
  std::string out;
  MDB_val key, value;
  std::size_t bytes = 0;
  int code = mdb_cursor_get(cursor, &key, &value, MDB_FIRST);
  for (; code == 0; code = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) {
    bytes += key.mv_size + value.mv_size + 1;
    if (bytes > file_size) throw InputError(fmt::format("{}: is a damaged LMDB database (it has no end)", file));
    put(out, map.offset(value.mv_data));
    put(out, value.mv_size);
    put(out, key.mv_size);
    out.append(static_cast<const char*>(key.mv_data), key.mv_size);
  }
  if (code != MDB_NOTFOUND) check(code);
  return out;
}

std::string readable(std::string_view key) {
  if (std::all_of(key.begin(), key.end(), [](char c) { return std::isprint(static_cast<unsigned char>(c)) != 0; }))
    return std::string(key);
  std::string out;
  for (const char c : key) out += fmt::format("{:02x}", static_cast<uint8_t>(c));
  return out;
}

class LmdbFiles final : public FileSet {
 public:
  LmdbFiles(const std::string& path, MappedFile file, std::vector<std::string> names, std::vector<Place> places)
      : FileSet(path, std::move(names)), path_(path), file_(std::move(file)), places_(std::move(places)) {}
  [[nodiscard]] std::string kind() const override { return "LMDB"; }
  [[nodiscard]] std::string read(std::size_t i) const override {
    return std::string(file_.bytes().substr(places_[i].at, places_[i].size));
  }
  [[nodiscard]] std::string sha256() const override { return sha256_file(path_); }

 private:
  std::string path_;
  MappedFile file_;
  std::vector<Place> places_;
};

}  // namespace

std::unique_ptr<const FileSet> open_lmdb_files(const std::string& path) {
  const std::string name = std::filesystem::is_directory(path) ? path + "/data.mdb" : path;
  MappedFile file(name);
  const std::size_t size = file.bytes().size();
  const std::string damaged =
      fmt::format("{}: is a truncated or damaged LMDB database (liblmdb crashes on it); get it again", name);
  const std::string index = guarded([&] { return walk(name, size); }, {.file_size = size, .damaged = damaged});
  std::vector<std::string> names;
  std::vector<Place> places;
  for (std::size_t at = 0; at + 24 <= index.size();) {
    uint64_t numbers[3];
    std::memcpy(numbers, index.data() + at, sizeof numbers);
    at += sizeof numbers;
    if (numbers[2] > index.size() - at || numbers[0] > size || numbers[1] > size - numbers[0])
      throw InputError(damaged);
    places.push_back({numbers[0], numbers[1]});
    names.push_back(readable(std::string_view(index).substr(at, numbers[2])));
    at += numbers[2];
  }
  return std::make_unique<LmdbFiles>(name, std::move(file), std::move(names), std::move(places));
}

}  // namespace stride
