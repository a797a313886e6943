// Format: POSIX.1-2001 pax (ustar headers, 'x' records) and the long names of GNU tar.
#include "datasets/files/mapped_file.h"
#include "datasets/images/file_set.h"
#include "framework/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

namespace stride {
namespace {

constexpr std::size_t kBlock = 512;

struct Field {
  std::size_t at, size;
};
constexpr Field kName{0, 100}, kSize{124, 12}, kSum{148, 8}, kMagic{257, 6}, kPrefix{345, 155};
constexpr std::size_t kType = 156;

struct Entry {
  std::size_t at, size;
};

class TarReader final {
 public:
  TarReader(std::string_view bytes, std::string path) : bytes_(bytes), path_(std::move(path)) {}

  [[nodiscard]] std::map<std::string, Entry> entries() {
    while (true) {
      const std::string_view header = take(kBlock, "the end of the archive is missing");
      if (std::all_of(header.begin(), header.end(), [](char c) { return c == '\0'; })) return std::move(entries_);
      check_sum(header);
      member(header);
    }
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw InputError(fmt::format("{}: {} at byte {} (after \"{}\"); get or pack the tar again", path_, what, at_,
                                 entries_.empty() ? "its start" : last_));
  }

  std::string_view take(std::size_t size, const char* otherwise) {
    if (size > bytes_.size() - at_) fail(std::string("is truncated: ") + otherwise);
    const std::string_view out = bytes_.substr(at_, size);
    at_ += size;
    return out;
  }

  // The sizes of all members are rounded up to whole blocks.
  std::string_view take_data(std::size_t size) {
    const std::string_view out = take(size, "a file in it ends early");
    at_ += std::min((kBlock - size % kBlock) % kBlock, bytes_.size() - at_);
    return out;
  }

  static std::string text(std::string_view header, Field field) {
    const std::string_view all = header.substr(field.at, field.size);
    return std::string(all.substr(0, all.find('\0')));
  }

  // Octal text, or binary with the top bit set for what octal cannot hold (GNU).
  uint64_t number(std::string_view header, Field field) const {
    const std::string_view all = header.substr(field.at, field.size);
    uint64_t value = 0;
    if ((static_cast<uint8_t>(all[0]) & 0x80U) != 0) {
      for (const char c : all.substr(all.size() - 8)) value = value << 8 | static_cast<uint8_t>(c);
      return value;
    }
    const std::size_t first = all.find_first_not_of(' ');
    if (first == std::string_view::npos) return 0;
    const std::string_view digits = all.substr(first, all.find_first_of(std::string_view(" \0", 2), first) - first);
    if (digits.empty()) return 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 8);
    if (error != std::errc() || end != digits.data() + digits.size()) fail("has a header that is damaged");
    return value;
  }

  void check_sum(std::string_view header) const {
    uint64_t sum = 0;
    for (std::size_t i = 0; i < kBlock; ++i)
      sum += i >= kSum.at && i < kSum.at + kSum.size ? ' ' : static_cast<uint8_t>(header[i]);
    if (sum != number(header, kSum)) fail("has a header whose checksum is wrong");
  }

  // pax: "<length> <key>=<value>\n", again and again.
  void extended(std::string_view records) {
    while (!records.empty()) {
      std::size_t length = 0;
      const auto [end, error] = std::from_chars(records.data(), records.data() + records.size(), length);
      const auto digits = static_cast<std::size_t>(end - records.data());
      if (error != std::errc() || length > records.size() || length < digits + 3 || records[length - 1] != '\n')
        fail("has an extended header that is damaged");
      const std::string_view record = records.substr(digits + 1, length - digits - 2);
      const std::size_t equals = record.find('=');
      const std::string_view key = record.substr(0, equals);
      const std::string_view value = equals == std::string_view::npos ? "" : record.substr(equals + 1);
      if (key == "path") name_ = value;
      if (key == "size") {
        uint64_t size = 0;
        if (std::from_chars(value.data(), value.data() + value.size(), size).ec != std::errc())
          fail("has an extended header that is damaged");
        size_ = size;
        has_size_ = true;
      }
      if (key.starts_with("GNU.sparse")) fail("holds a sparse file, which is not read");
      records.remove_prefix(length);
    }
  }

  void member(std::string_view header) {
    const char type = header[kType];
    std::string name = text(header, kName);
    if (text(header, kMagic) == "ustar" && !text(header, kPrefix).empty()) name = text(header, kPrefix) + "/" + name;
    const std::size_t size = has_size_ ? size_ : number(header, kSize);
    switch (type) {
      case 'x':
        return extended(take_data(size));
      case 'L': {
        const std::string_view long_name = take_data(size);
        name_ = long_name.substr(0, long_name.find('\0'));
        return;
      }
      case 'g':
      case 'K':
        (void)take_data(size);
        return;
      default:
        break;
    }
    if (!name_.empty()) name = std::move(name_);
    name_.clear();
    has_size_ = false;
    while (name.starts_with("./")) name.erase(0, 2);
    last_ = name;
    if (type == '5' || name.ends_with('/')) {
      (void)take_data(type == '5' ? 0 : size);
      return;
    }
    if (type != '0' && type != '\0' && type != '7') {
      if (is_hidden(name)) return;
      fail(fmt::format("holds \"{}\", a link or device (type '{}'), which is not read: pack with --dereference", name,
                       type));
    }
    const std::size_t at = at_;
    (void)take_data(size);
    if (is_hidden(name)) return;
    entries_[name] = {at, size};
  }

  std::string_view bytes_;
  std::string path_, last_;
  std::size_t at_ = 0;
  std::map<std::string, Entry> entries_;
  // From extended headers, for the member that follows.
  std::string name_;
  std::size_t size_ = 0;
  bool has_size_ = false;
};

class TarFiles final : public FileSet {
 public:
  TarFiles(MappedFile file, std::string where, std::vector<std::string> names, std::vector<Entry> entries)
      : FileSet(std::move(where), std::move(names)), file_(std::move(file)), entries_(std::move(entries)) {}
  [[nodiscard]] std::string kind() const override { return "tar"; }
  [[nodiscard]] std::string read(std::size_t i) const override {
    return std::string(file_.bytes().substr(entries_[i].at, entries_[i].size));
  }

 private:
  MappedFile file_;
  std::vector<Entry> entries_;
};

}  // namespace

std::unique_ptr<const FileSet> open_tar_files(const std::string& path, const std::string& within) {
  MappedFile file(path);
  std::vector<std::string> names;
  std::vector<Entry> entries;
  for (const auto& [full, entry] : TarReader(file.bytes(), path).entries()) {
    std::string name = full;
    if (!relative_to(within, name)) continue;
    names.push_back(name);
    entries.push_back(entry);
  }
  return std::make_unique<TarFiles>(std::move(file), within.empty() ? path : path + "/" + within, std::move(names),
                                    std::move(entries));
}

}  // namespace stride
