#include "framework/files/file.h"

#include "framework/error.h"
#include "framework/files/orphans.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <random>
#include <utility>

namespace stride {
namespace {

constexpr std::string_view kTemporaryPrefix = ".stride-tmp-";
constexpr std::size_t kPiece = std::size_t{1} << 20;

/// Again and again while interrupted.
template <typename Call>
auto persist(const Call& call) {
  auto result = call();
  while (result == -EINTR) result = call();
  return result;
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

[[noreturn]] void throw_read_error(const std::string& path, int64_t code) {
  const std::string reason = std::strerror(static_cast<int>(-code));
  if (code == -ENOMEM || code == -EMFILE || code == -ENFILE) {
    throw ResourceError(fmt::format("cannot read {}: {}", path, reason));
  }
  if (code == -ESPIPE) throw InputError(fmt::format("cannot read {}: it is a pipe; write it to a file first", path));
  throw InputError(fmt::format("cannot read {}: {}", path, reason));
}

[[noreturn]] void throw_write_error(const std::string& path, int64_t code) {
  const std::string reason = std::strerror(static_cast<int>(-code));
  switch (-code) {
    case EACCES:
    case EPERM:
    case EROFS:
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case ENOTEMPTY:
    case EEXIST:
    case ELOOP:
    case EINVAL:
    case ENAMETOOLONG:
      throw UsageError(
          fmt::format("cannot write {}: {}; name a folder that exists and that you may write to", path, reason));
    case ENOSPC:
    case EDQUOT:
      throw ResourceError(
          fmt::format("cannot write {}: {}; free some space and start again with `resume`", path, reason));
    case EFBIG:
      throw ResourceError(fmt::format("cannot write {}: {}; raise the file size limit (ulimit -f)", path, reason));
    default:
      throw ResourceError(fmt::format("cannot write {}: {}", path, reason));
  }
}

/// Closes on the way out.
class Descriptor final {
 public:
  Descriptor(FileSystem& files, int descriptor) : files_(files), descriptor_(descriptor) {}
  ~Descriptor() { (void)files_.close(descriptor_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  [[nodiscard]] int get() const { return descriptor_; }

 private:
  FileSystem& files_;
  int descriptor_;
};

[[nodiscard]] int64_t write_all(FileSystem& files, int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const int64_t done = persist([&] { return files.write(descriptor, bytes.data(), bytes.size()); });
    if (done < 0) return done;
    if (done == 0) return -EIO;
    bytes.remove_prefix(static_cast<std::size_t>(done));
  }
  return 0;
}

/// Makes names in `folder` durable. File systems without this call say EINVAL, and have nothing to make.
[[nodiscard]] int try_sync_folder(FileSystem& files, const std::string& folder) {
  const int opened = persist([&] { return files.open(folder, O_RDONLY | O_DIRECTORY, 0); });
  if (opened < 0) return opened;
  const Descriptor descriptor(files, opened);
  const int result = persist([&] { return files.sync(descriptor.get()); });
  return result == -EINVAL ? 0 : result;
}

// PREFIX PROCESS "-" MACHINE "-" RANDOM
std::string temporary_name() {
  std::random_device random;
  return fmt::format("{}{}-{}-{:08x}{:08x}", kTemporaryPrefix, ::getpid(), machine_name(), random(), random());
}

}  // namespace

void read_in_pieces(const std::string& path, const std::function<void(std::string_view)>& take, FileSystem& files) {
  const int opened = persist([&] { return files.open(path, O_RDONLY, 0); });
  if (opened < 0) throw_read_error(path, opened);
  const Descriptor descriptor(files, opened);
  std::string piece(kPiece, '\0');
  while (true) {
    const int64_t size = persist([&] { return files.read(descriptor.get(), piece.data(), piece.size()); });
    if (size < 0) throw_read_error(path, size);
    if (size == 0) return;
    take(std::string_view(piece).substr(0, static_cast<std::size_t>(size)));
  }
}

std::string read_file(const std::string& path, FileSystem& files) {
  std::string bytes;
  read_in_pieces(
      path, [&](std::string_view piece) { bytes += piece; }, files);
  return bytes;
}

AtomicFile::AtomicFile(std::string path, FileSystem& files)
    : path_(std::move(path)),
      temporary_(folder_of(path_) + "/" + temporary_name()),
      files_(files),
      descriptor_(persist([&] { return files_.open(temporary_, O_WRONLY | O_CREAT | O_EXCL, 0666); })) {
  there_ = true;  // also where an error came after it was made
  if (descriptor_ < 0) fail(descriptor_);
}

AtomicFile::~AtomicFile() { discard(); }

void AtomicFile::write(std::string_view bytes) {
  if (const int64_t result = write_all(files_, descriptor_, bytes); result < 0) throw_write_error(path_, result);
}

void AtomicFile::commit() {
  if (const int result = persist([&] { return files_.sync(descriptor_); }); result < 0) fail(result);
  // Linux has closed the descriptor when close(2) is interrupted: calling it again would hit another's.
  if (const int result = files_.close(std::exchange(descriptor_, -1)); result < 0 && result != -EINTR) fail(result);
  if (const int result = persist([&] { return files_.rename(temporary_, path_); }); result < 0) fail(result);
  there_ = false;
  if (const int result = try_sync_folder(files_, folder_of(path_)); result < 0) throw_write_error(path_, result);
}

void AtomicFile::fail(int64_t code) {
  discard();
  throw_write_error(path_, code);
}

void AtomicFile::discard() noexcept {
  if (descriptor_ >= 0) (void)files_.close(std::exchange(descriptor_, -1));
  if (std::exchange(there_, false)) (void)persist([&] { return files_.remove(temporary_); });
}

void write_file_atomic(const std::string& path, std::string_view bytes, FileSystem& files) {
  AtomicFile file(path, files);
  file.write(bytes);
  file.commit();
}

void sync_folder(const std::string& folder, FileSystem& files) {
  if (const int result = try_sync_folder(files, folder); result < 0) throw_write_error(folder, result);
}

bool make_folder_exclusive(const std::string& path, FileSystem& files) {
  const int made = persist([&] { return files.make_folder(path); });
  if (made == -EEXIST) return false;
  if (made < 0) throw_write_error(path, made);
  if (const int synced = try_sync_folder(files, folder_of(path)); synced < 0) throw_write_error(path, synced);
  return true;
}

void make_folders(const std::string& path, FileSystem& files) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string prefix = path.substr(0, end);
    if (!prefix.empty() && prefix.back() != '/' && !file_exists(prefix, files)) {
      (void)make_folder_exclusive(prefix, files);
    }
    if (end == std::string::npos) break;
  }
}

std::vector<std::string> list_folder(const std::string& path, FileSystem& files) {
  std::vector<std::string> names;
  const int result = persist([&] {
    names.clear();
    return files.list(path, names);
  });
  if (result < 0) throw_read_error(path, result);
  std::sort(names.begin(), names.end());
  return names;
}

bool file_exists(const std::string& path, FileSystem& files) {
  const int opened = persist([&] { return files.open(path, O_PATH, 0); });
  if (opened == -ENOENT || opened == -ENOTDIR) return false;
  if (opened < 0) throw_read_error(path, opened);
  const Descriptor descriptor(files, opened);
  return true;
}

void remove_file(const std::string& path, FileSystem& files) {
  const int result = persist([&] { return files.remove(path); });
  if (result < 0 && result != -ENOENT) throw_write_error(path, result);
}

bool is_temporary(std::string_view name) noexcept { return name.starts_with(kTemporaryPrefix); }

std::vector<std::string> remove_stale_temporaries(const std::string& folder, FileSystem& files) {
  std::vector<std::string> removed;
  for (const std::string& name : list_folder(folder, files)) {
    if (!is_temporary(name)) continue;
    remove_file(folder + "/" + name, files);
    removed.push_back(name);
  }
  return removed;
}

AppendFile::AppendFile(std::string path, FileSystem& files)
    : path_(std::move(path)),
      files_(files),
      descriptor_(persist([&] { return files_.open(path_, O_WRONLY | O_CREAT | O_APPEND, 0666); })) {
  if (descriptor_ < 0) throw_write_error(path_, descriptor_);
}

AppendFile::~AppendFile() { (void)files_.close(descriptor_); }

void AppendFile::append(std::string_view bytes) {
  if (const int64_t result = write_all(files_, descriptor_, bytes); result < 0) throw_write_error(path_, result);
}

void AppendFile::sync() {
  if (const int result = persist([&] { return files_.sync(descriptor_); }); result < 0)
    throw_write_error(path_, result);
}

}  // namespace stride
