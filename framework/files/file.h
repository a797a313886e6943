// Reading files whole, and replacing them so that nobody ever sees half of one.
#pragma once

#include "framework/files/file_system.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace stride {

/// The whole file. Throws InputError when it is missing or unreadable, ResourceError when memory or
/// descriptors run out.
[[nodiscard]] std::string read_file(const std::string& path, FileSystem& files = posix_file_system());

/// Calls `take` with one piece of the file after the other (up to 1 MiB each). Throws as read_file.
void read_in_pieces(const std::string& path, const std::function<void(std::string_view)>& take,
                    FileSystem& files = posix_file_system());

/// Replaces `path` by `bytes`: temporary file in the same folder, write, sync, rename, sync of the folder.
/// Whatever goes wrong, and whenever the process dies, `path` holds its old content or the new one, whole.
/// Throws ResourceError when disk, quota or file size limit is met or the device fails (the temporary
/// is removed), UsageError when the folder is missing or not writable.
void write_file_atomic(const std::string& path, std::string_view bytes, FileSystem& files = posix_file_system());

/// The same for what is written piece by piece: nobody sees the file before `commit`, and without it nobody ever does.
class AtomicFile final {
 public:
  /// Opens a temporary file beside `path`. Throws, as every member does, as write_file_atomic.
  explicit AtomicFile(std::string path, FileSystem& files = posix_file_system());
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  /// What was written before a write that fails stays where it is.
  void write(std::string_view bytes);
  void commit();
  /// Takes the temporary file away; there will be no file.
  void discard() noexcept;
  /// Where what was written lies until then.
  [[nodiscard]] const std::string& temporary() const { return temporary_; }

 private:
  [[noreturn]] void fail(int64_t code);

  std::string path_, temporary_;
  FileSystem& files_;
  int descriptor_;
  bool there_ = false;  // the temporary
};

/// Makes names in `folder` durable. Throws as write_file_atomic.
void sync_folder(const std::string& folder, FileSystem& files = posix_file_system());

/// Makes one folder whose parent exists; false when the name is taken already. Throws as write_file_atomic.
[[nodiscard]] bool make_folder_exclusive(const std::string& path, FileSystem& files = posix_file_system());

/// Makes a folder and the missing ones above it. Throws as write_file_atomic.
void make_folders(const std::string& path, FileSystem& files = posix_file_system());

/// The names in a folder, sorted, without "." and "..". Throws InputError.
[[nodiscard]] std::vector<std::string> list_folder(const std::string& path, FileSystem& files = posix_file_system());

[[nodiscard]] bool file_exists(const std::string& path, FileSystem& files = posix_file_system());

/// Removes a file; one that is not there is no error. Throws as write_file_atomic.
void remove_file(const std::string& path, FileSystem& files = posix_file_system());

/// Whether `name` (without folder) is one of write_file_atomic's temporaries.
[[nodiscard]] bool is_temporary(std::string_view name) noexcept;

/// Removes the temporaries that killed processes left in `folder` and returns their names. Only for
/// folders whose lock the caller holds: another process's may be in use.
std::vector<std::string> remove_stale_temporaries(const std::string& folder, FileSystem& files = posix_file_system());

/// A file that only grows, for logs (`metrics.jsonl`): each call appends whole. Readers may see a cut last line
/// after a kill.
class AppendFile final {
 public:
  /// Creates the file when it is missing. Throws as write_file_atomic.
  explicit AppendFile(std::string path, FileSystem& files = posix_file_system());
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;

  void append(std::string_view bytes);
  /// Returns when everything appended is on the disk.
  void sync();

 private:
  std::string path_;
  FileSystem& files_;
  int descriptor_;
};

}  // namespace stride
