// A file's bytes without reading them.
#pragma once

#include <string>
#include <string_view>

namespace stride {

/// Maps a whole file read-only while it lives. For sealed files: nobody changes one that lies under its
/// name.
class MappedFile final {
 public:
  /// Throws InputError when missing or unreadable.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  /// Says that all of it is about to be read, in order: the disk starts at once.
  void will_read() const noexcept;
  [[nodiscard]] std::string_view bytes() const noexcept { return bytes_; }

 private:
  std::string_view bytes_;
};

}  // namespace stride
