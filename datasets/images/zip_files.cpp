#include "datasets/images/file_set.h"
#include "framework/error.h"
#include "framework/files/hash.h"

#include <fmt/format.h>
#include <zip.h>

#include <algorithm>
#include <map>
#include <mutex>

namespace stride {
namespace {

using Archive = std::unique_ptr<zip_t, void (*)(zip_t*)>;
using OpenFile = std::unique_ptr<zip_file_t, int (*)(zip_file_t*)>;

Archive open_archive(const std::string& path) {
  int code = 0;
  zip_t* archive = zip_open(path.c_str(), ZIP_RDONLY, &code);
  if (archive == nullptr) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const std::string reason = zip_error_strerror(&error);
    zip_error_fini(&error);
    throw InputError(fmt::format("{}: is a truncated or damaged zip archive ({}); get it again", path, reason));
  }
  return {archive, zip_discard};
}

class ZipFiles final : public FileSet {
 public:
  ZipFiles(const std::string& path, std::string where, Archive archive, std::vector<std::string> names,
           std::vector<zip_uint64_t> indices)
      : FileSet(std::move(where), std::move(names)),
        path_(path),
        archive_(std::move(archive)),
        indices_(std::move(indices)) {}

  [[nodiscard]] std::string kind() const override { return "zip"; }

  [[nodiscard]] std::string read(std::size_t i) const override {
    const std::lock_guard lock(mutex_);  // a zip_t is one thread's at a time; decoding goes on beside it
    const auto fail = [&](const std::string& reason) {
      throw InputError(fmt::format("{}: is damaged in the archive ({}); get the archive again", where(i), reason));
    };
    zip_stat_t about;
    if (zip_stat_index(archive_.get(), indices_[i], 0, &about) != 0 || (about.valid & ZIP_STAT_SIZE) == 0)
      fail(zip_strerror(archive_.get()));
    if (about.size > kMaxItemBytes) fail(fmt::format("it claims to have {} bytes", about.size));
    const OpenFile file(zip_fopen_index(archive_.get(), indices_[i], 0), zip_fclose);
    if (file == nullptr) fail(zip_strerror(archive_.get()));
    // One byte more than it should have: the checksum is compared at the end of the data.
    std::string bytes(about.size + 1, '\0');
    std::size_t done = 0;
    while (done < bytes.size()) {
      const zip_int64_t size = zip_fread(file.get(), bytes.data() + done, bytes.size() - done);
      if (size < 0) fail(zip_error_strerror(zip_file_get_error(file.get())));
      if (size == 0) break;
      done += static_cast<std::size_t>(size);
    }
    if (done != about.size) fail(fmt::format("{} bytes in place of {}", done, about.size));
    bytes.resize(done);
    return bytes;
  }

  [[nodiscard]] std::string sha256() const override { return sha256_file(path_); }

 private:
  std::string path_;
  mutable std::mutex mutex_;
  Archive archive_;
  std::vector<zip_uint64_t> indices_;
};

}  // namespace

std::unique_ptr<const FileSet> open_zip_files(const std::string& path, const std::string& within) {
  Archive archive = open_archive(path);
  std::map<std::string, zip_uint64_t> found;
  const zip_int64_t count = zip_get_num_entries(archive.get(), 0);
  for (zip_uint64_t i = 0; i < static_cast<zip_uint64_t>(std::max<zip_int64_t>(count, 0)); ++i) {
    const char* text = zip_get_name(archive.get(), i, ZIP_FL_ENC_RAW);
    if (text == nullptr) throw InputError(fmt::format("{}: entry {} has no name; get the archive again", path, i));
    std::string name = text;
    if (name.ends_with('/') || is_hidden(name) || !relative_to(within, name)) continue;
    if (!found.emplace(name, i).second)
      throw InputError(fmt::format("{}: holds \"{}\" twice; pack it again", path, name));
  }
  std::vector<std::string> names;
  std::vector<zip_uint64_t> indices;
  for (const auto& [name, index] : found) {
    names.push_back(name);
    indices.push_back(index);
  }
  return std::make_unique<ZipFiles>(path, within.empty() ? path : path + "/" + within, std::move(archive),
                                    std::move(names), std::move(indices));
}

}  // namespace stride
