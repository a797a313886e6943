// What a path holds is told by its content; names only choose between files that begin alike.
#include "datasets/files/mapped_file.h"
#include "datasets/images/image_codec.h"
#include "datasets/images/image_sources.h"
#include "datasets/images/stride_images.h"
#include "framework/error.h"
#include "framework/files/file.h"

#include <fmt/format.h>

#include <filesystem>

namespace stride {
namespace {

using Opened = std::unique_ptr<const ImageSource>;

Opened open_folder(const std::string& path, const ImageSetOptions& options) {
  if (file_exists(path + "/data.mdb")) return encoded_images(open_lmdb_files(path), false, options);
  if (is_cifar_folder(path)) return open_cifar(path, options);
  if (is_idx_folder(path)) return open_idx(path, options);
  return encoded_images(open_folder_files(path), true, options);
}

std::string compression(std::string_view bytes) {
  if (bytes.starts_with("\x1f\x8b")) return "gzip";
  if (bytes.starts_with(std::string_view("\xfd"
                                         "7zXZ\0",
                                         6)))
    return "xz";
  if (bytes.starts_with("BZh")) return "bzip2";
  if (bytes.starts_with("\x28\xb5\x2f\xfd")) return "zstd";
  return "";
}

bool is_tar(std::string_view bytes) {
  constexpr std::size_t kMagic = 257, kBlock = 512;
  return bytes.size() >= kBlock && bytes.substr(kMagic, 5) == "ustar";
}

bool is_lmdb(std::string_view bytes) {
  constexpr std::size_t kMagic = 16;  // behind the page's header
  return bytes.size() > kMagic + 4 && bytes.substr(kMagic, 4) == "\xde\xc0\xef\xbe";
}

bool is_hdf5(std::string_view bytes) { return bytes.starts_with("\x89HDF\r\n\x1a\n"); }

[[noreturn]] void refuse(const std::string& path, std::string_view bytes) {
  if (const std::string kind = compression(bytes); !kind.empty()) {
    const bool idx = path.ends_with("ubyte.gz");
    throw InputError(fmt::format("{}: is compressed ({}), which cannot be read image by image. Unpack it: {}", path,
                                 kind,
                                 idx ? fmt::format("gunzip {}", path)
                                     : fmt::format("mkdir FOLDER && tar -xf {} -C FOLDER, and name the folder", path)));
  }
  if (image_format(bytes) != ImageFormat::none)
    throw InputError(fmt::format("{}: is one image; name the folder, tar or archive that holds the set", path));
  if (bytes.starts_with("\x80"))
    throw InputError(
        fmt::format("{}: seems to be a Python pickle, which is code and not read; use the binary version of "
                    "the set",
                    path));
  throw InputError(
      fmt::format("{}: is {}no image set that is read: CIFAR (binary), IDX, a folder or tar of PNG, JPEG or "
                  "WebP, LMDB, dataset.zip, HDF5 or safetensors; docs/images.md describes them",
                  path, bytes.empty() ? "empty, " : ""));
}

Opened open_file(const std::string& path, const std::string& within, const ImageSetOptions& options) {
  const MappedFile file(path);
  const std::string_view bytes = file.bytes();
  const bool zip = bytes.starts_with("PK\x03\x04") || bytes.starts_with("PK\x05\x06");
  if (zip) return encoded_images(open_zip_files(path, within), false, options);
  if (is_tar(bytes)) return encoded_images(open_tar_files(path, within), true, options);
  if (!within.empty()) throw InputError(fmt::format("{}: is no tar or zip archive with a folder {}", path, within));
  // Records without a header: they may begin like anything that follows.
  if (path.ends_with(".bin")) return open_cifar(path, options);
  if (is_hdf5(bytes)) return open_hdf5_images(path, options);
  if (is_lmdb(bytes)) return encoded_images(open_lmdb_files(path), false, options);
  constexpr std::size_t kHeader = 8;  // the length of the JSON that follows
  if (bytes.size() > kHeader && bytes[kHeader] == '{') return open_stride_images(bytes, path, options);
  if (bytes.starts_with(std::string_view("\0\0\x08", 3))) return open_idx(path, options);
  if (looks_like_cifar(bytes)) return open_cifar(path, options);
  if (path.ends_with("-ubyte")) return open_idx(path, options);  // whose magic is wrong: it says so
  refuse(path, bytes);
}

}  // namespace

std::unique_ptr<const ImageSource> open_images(const std::string& path, const ImageSetOptions& options) {
  std::string whole = path;
  while (whole.size() > 1 && whole.back() == '/') whole.pop_back();
  // FILE.tar/FOLDER: the part of the path that is a file, and the rest.
  for (std::size_t end = whole.size(); end != std::string::npos && end > 0; end = whole.rfind('/', end - 1)) {
    const std::string head = whole.substr(0, end);
    std::error_code failed;
    const auto status = std::filesystem::status(head, failed);
    if (std::filesystem::is_directory(status)) {
      if (end == whole.size()) return open_folder(whole, options);
      break;
    }
    if (std::filesystem::exists(status))
      return open_file(head, end == whole.size() ? "" : whole.substr(end + 1), options);
  }
  throw InputError(fmt::format("{}: there is no such file or folder", path));
}

}  // namespace stride
