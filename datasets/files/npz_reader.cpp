#include "datasets/files/npz_reader.h"

#include "datasets/files/npy.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/limits.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <zip.h>

#include <algorithm>
#include <cstring>
#include <set>

namespace stride {
namespace {

struct CloseEntry {
  void operator()(zip_file_t* file) const noexcept { zip_fclose(file); }
};
struct DiscardArchive {
  void operator()(zip_t* archive) const noexcept { zip_discard(archive); }
};
struct FreeSource {
  void operator()(zip_source_t* source) const noexcept { zip_source_free(source); }
};

class ZipError final {
 public:
  ZipError() { zip_error_init(&error_); }
  ~ZipError() { zip_error_fini(&error_); }
  ZipError(const ZipError&) = delete;
  ZipError& operator=(const ZipError&) = delete;
  [[nodiscard]] zip_error_t* get() noexcept { return &error_; }
  [[nodiscard]] std::string text() { return zip_error_strerror(&error_); }

 private:
  zip_error_t error_{};
};

}  // namespace

struct NpzReader::Impl {
  std::string bytes, where;
  std::unique_ptr<zip_t, DiscardArchive> archive;  // after bytes, which it reads
  std::vector<std::string> names;

  Impl(std::string content, std::string name) : bytes(std::move(content)), where(std::move(name)) {
    ZipError error;
    std::unique_ptr<zip_source_t, FreeSource> source(
        zip_source_buffer_create(bytes.data(), bytes.size(), 0, error.get()));
    if (!source) throw ResourceError(fmt::format("{}: {}", where, error.text()));
    archive.reset(zip_open_from_source(source.get(), ZIP_RDONLY | ZIP_CHECKCONS, error.get()));
    if (!archive) throw InputError(fmt::format("{}: not an .npz file: {}", where, error.text()));
    (void)source.release();  // the archive's now
    std::set<std::string> seen;
    for (zip_int64_t i = 0; i < zip_get_num_entries(archive.get(), 0); ++i) {
      const char* entry = zip_get_name(archive.get(), static_cast<zip_uint64_t>(i), ZIP_FL_ENC_RAW);
      std::string text = entry == nullptr ? "" : entry;
      if (text.size() > kMaxNameBytes)
        throw InputError(fmt::format("{}: holds a name of {} bytes", where, text.size()));
      if (!text.ends_with(".npy"))
        throw InputError(fmt::format("{}: not an .npz file: it holds '{}', which is no .npy", where, text));
      text.resize(text.size() - 4);
      if (!seen.insert(text).second) throw InputError(fmt::format("{}: holds two arrays '{}'", where, text));
      names.push_back(std::move(text));
    }
    if (names.empty()) throw InputError(fmt::format("{}: not an .npz file: it holds no arrays", where));
  }

  [[noreturn]] void fail(const std::string& name, const std::string& what) const {
    throw InputError(fmt::format("{}: the array '{}' {}", where, name, what));
  }

  // Exactly `size` bytes, or what there is of them.
  static std::size_t fill(zip_file_t* file, char* to, std::size_t size) {
    std::size_t have = 0;
    while (have < size) {
      const zip_int64_t got = zip_fread(file, to + have, size - have);
      if (got <= 0) break;
      have += static_cast<std::size_t>(got);
    }
    return have;
  }

  [[nodiscard]] Tensor read(const std::string& name) const {
    const auto found = std::find(names.begin(), names.end(), name);
    if (found == names.end())
      throw InputError(fmt::format("{}: holds no array '{}', only {}", where, name, fmt::join(names, ", ")));
    const auto index = static_cast<zip_uint64_t>(found - names.begin());
    zip_stat_t stat{};
    constexpr zip_uint64_t kNeeded = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;
    if (zip_stat_index(archive.get(), index, 0, &stat) != 0 || (stat.valid & kNeeded) != kNeeded)
      fail(name, "has no entry that can be read");
    if (stat.comp_method != ZIP_CM_STORE && stat.comp_method != ZIP_CM_DEFLATE)
      fail(name, "is compressed by a method that NumPy does not use");
    if (stat.comp_size > bytes.size() || (stat.comp_method == ZIP_CM_STORE && stat.size > bytes.size()))
      fail(name, "says it is larger than the file can hold");
    if (stat.size > most_unpacked(stat.comp_size))
      fail(name, fmt::format("would unpack to {} bytes from {}: save it without compression (numpy.savez) if that is "
                             "meant",
                             stat.size, stat.comp_size));
    const std::unique_ptr<zip_file_t, CloseEntry> file(zip_fopen_index(archive.get(), index, 0));
    if (!file) fail(name, fmt::format("cannot be read: {}", zip_strerror(archive.get())));
    std::string content(std::min<std::size_t>(stat.size, kLargestNpyHeader), '\0');
    content.resize(fill(file.get(), content.data(), content.size()));
    // The sizes must agree before memory is taken for the values.
    const std::string entry = fmt::format("{}: {}", where, name);
    const NpyHeader header = parse_npy_header(content, entry);
    if (header.size + header.data_bytes != stat.size)
      fail(name, fmt::format("is {} bytes, but its header promises {}", stat.size, header.size + header.data_bytes));
    // Straight into the array: large ones are not held twice.
    const std::size_t begun = content.size() - std::min(content.size(), header.size);
    Tensor values = npy_array(header);
    auto* to = static_cast<char*>(values.mutable_data_ptr());
    std::copy_n(content.data() + (content.size() - begun), begun, to);
    if (begun + fill(file.get(), to + begun, header.data_bytes - begun) != header.data_bytes)
      fail(name, "is damaged or cut short");
    // The checksum is compared when the end is met.
    char more = 0;
    if (zip_fread(file.get(), &more, 1) != 0) fail(name, "does not match its checksum: it is damaged");
    return npy_ordered(std::move(values), header, entry);
  }
};

NpzReader::NpzReader(std::string bytes, std::string where)
    : impl_(std::make_unique<Impl>(std::move(bytes), std::move(where))) {}
NpzReader NpzReader::open(const std::string& path) { return {read_file(path), path}; }
NpzReader::~NpzReader() = default;
NpzReader::NpzReader(NpzReader&&) noexcept = default;
NpzReader& NpzReader::operator=(NpzReader&&) noexcept = default;

const std::vector<std::string>& NpzReader::names() const noexcept { return impl_->names; }
bool NpzReader::has(const std::string& name) const noexcept {
  return std::find(names().begin(), names().end(), name) != names().end();
}
Tensor NpzReader::read(const std::string& name) const { return impl_->read(name); }

}  // namespace stride
