// Named files, wherever they lie: in a folder, a tar, a zip archive or a database.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace stride {

/// Files in an order that does not change, read one at a time. All members may be called from several threads at once.
class FileSet {
 public:
  virtual ~FileSet() = default;
  FileSet(const FileSet&) = delete;
  FileSet& operator=(const FileSet&) = delete;

  /// "folder", "tar", …
  [[nodiscard]] virtual std::string kind() const = 0;
  /// Relative to the set, sorted by their bytes.
  [[nodiscard]] const std::vector<std::string>& names() const noexcept { return names_; }
  /// Of the whole set, as messages name it.
  [[nodiscard]] const std::string& where() const noexcept { return where_; }
  /// Of file `i`, as messages name it.
  [[nodiscard]] virtual std::string where(std::size_t i) const { return where_ + ": " + names_[i]; }
  /// The bytes of file `i`. Throws InputError.
  [[nodiscard]] virtual std::string read(std::size_t i) const = 0;
  /// SHA-256 of the lines that `sha256sum` prints for the files, in their order.
  [[nodiscard]] virtual std::string sha256() const;

 protected:
  FileSet(std::string where, std::vector<std::string> names) : where_(std::move(where)), names_(std::move(names)) {}

 private:
  std::string where_;
  std::vector<std::string> names_;
};

/// The largest file that is read from a set whole.
inline constexpr std::size_t kMaxItemBytes = std::size_t{1} << 28;

/// A folder with all below it; names that begin with a dot are left out. Throws InputError, as the others do.
[[nodiscard]] std::unique_ptr<const FileSet> open_folder_files(const std::string& path);
/// A tar archive (ustar, pax or GNU, not compressed), or its folder `within`. A later entry replaces an earlier one of
/// the same name, as when it is unpacked.
[[nodiscard]] std::unique_ptr<const FileSet> open_tar_files(const std::string& path, const std::string& within = "");
/// A zip archive, or its folder `within`. Checksums are compared as files are read; the sum of the set is the file's.
[[nodiscard]] std::unique_ptr<const FileSet> open_zip_files(const std::string& path, const std::string& within = "");
/// An LMDB environment: a folder with `data.mdb`, or such a file. Names are its keys, in hexadecimal where they are no
/// text; the sum of the set is that of `data.mdb`.
[[nodiscard]] std::unique_ptr<const FileSet> open_lmdb_files(const std::string& path);

/// SHA-256 of lines "<sum>  <name>\n".
class SumOfFiles final {
 public:
  void add(const std::string& sha256, const std::string& name) { lines_ += sha256 + "  " + name + "\n"; }
  [[nodiscard]] std::string sha256() const;

 private:
  std::string lines_;
};

/// Whether archives and folders leave `name` out: it, or a folder in it, begins with a dot.
[[nodiscard]] bool is_hidden(const std::string& name) noexcept;
/// `name` relative to the folder `within` (empty: the archive's root); false where it lies elsewhere.
[[nodiscard]] bool relative_to(const std::string& within, std::string& name);

}  // namespace stride
