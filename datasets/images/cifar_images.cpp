// The binary version of CIFAR: records of one label (CIFAR-100: two, coarse and fine) and 3 × 32 × 32 bytes, without
// any header. Format: https://www.cs.toronto.edu/~kriz/cifar.html
#include "datasets/files/mapped_file.h"
#include "datasets/images/image_sources.h"
#include "framework/error.h"
#include "framework/files/file.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

namespace stride {
namespace {

constexpr int64_t kSide = 32, kChannels = 3, kPixels = kSide * kSide * kChannels;

struct Variant {
  const char* kind;
  int64_t label_bytes;
  int64_t classes;
  const char* names;  ///< the file with the names of the classes
  [[nodiscard]] int64_t record() const { return label_bytes + kPixels; }
  [[nodiscard]] bool fits(std::string_view bytes) const noexcept {
    const auto size = static_cast<int64_t>(bytes.size());
    if (size == 0 || size % record() != 0) return false;
    for (int64_t at = label_bytes - 1; at < size; at += record())
      if (static_cast<uint8_t>(bytes[static_cast<std::size_t>(at)]) >= classes) return false;
    return true;
  }
};
constexpr Variant kTen{"CIFAR-10", 1, 10, "batches.meta.txt"};
constexpr Variant kHundred{"CIFAR-100", 2, 100, "fine_label_names.txt"};

std::string batch_name(int i) { return fmt::format("data_batch_{}.bin", i); }

std::vector<std::string> training_files(const std::string& folder) {
  if (file_exists(folder + "/train.bin")) return {folder + "/train.bin"};
  if (!file_exists(folder + "/data_batch_1.bin") && file_exists(folder + "/data_batch_1"))
    throw InputError(
        fmt::format("{}: is the Python version of CIFAR-10, whose files are code (pickle). Get the binary "
                    "version, cifar-10-binary.tar.gz, and unpack it",
                    folder));
  std::vector<std::string> out;
  for (int i = 1; i <= 5; ++i) {
    out.push_back(folder + "/" + batch_name(i));
    if (!file_exists(out.back()))
      throw InputError(fmt::format("{}: lacks {}; unpack cifar-10-binary.tar.gz again", folder, batch_name(i)));
  }
  return out;
}

Variant variant_of(std::string_view bytes, const std::string& path) {
  if (kTen.fits(bytes)) return kTen;
  if (kHundred.fits(bytes)) return kHundred;
  const auto size = static_cast<int64_t>(bytes.size());
  for (const Variant& variant : {kTen, kHundred}) {
    if (size == 0 || size % variant.record() != 0) continue;
    for (int64_t i = 0; i < size / variant.record(); ++i) {
      const int label = static_cast<uint8_t>(bytes[static_cast<std::size_t>((i + 1) * variant.record() - kPixels - 1)]);
      if (label >= variant.classes)
        throw InputError(fmt::format("{}: image {}: its label {} is none of the {} classes of {}; get the file again",
                                     path, i, label, variant.classes, variant.kind));
    }
  }
  throw InputError(
      fmt::format("{}: has {} bytes, which is no whole number of CIFAR-10's records of {} bytes ({} of them and {} "
                  "bytes more) nor of CIFAR-100's of {}; it is truncated or another file: get it again",
                  path, size, kTen.record(), size / kTen.record(), size % kTen.record(), kHundred.record()));
}

std::vector<std::string> names_beside(const std::string& path, const Variant& variant) {
  const std::size_t slash = path.find_last_of('/');
  const std::string file = (slash == std::string::npos ? "" : path.substr(0, slash + 1)) + variant.names;
  std::vector<std::string> names;
  if (!file_exists(file)) return names;
  std::istringstream lines(read_file(file));
  for (std::string line; std::getline(lines, line);) {
    while (!line.empty() && line.back() == '\r') line.pop_back();
    if (!line.empty()) names.push_back(line);
  }
  return static_cast<int64_t>(names.size()) == variant.classes ? names : std::vector<std::string>();
}

}  // namespace

bool is_cifar_folder(const std::string& path) {
  return file_exists(path + "/data_batch_1.bin") || file_exists(path + "/data_batch_2.bin") ||
         file_exists(path + "/data_batch_1") ||
         (file_exists(path + "/train.bin") && file_exists(path + "/fine_label_names.txt"));
}

bool looks_like_cifar(std::string_view bytes) noexcept { return kTen.fits(bytes) || kHundred.fits(bytes); }

std::unique_ptr<const ImageSource> open_cifar(const std::string& path, const ImageSetOptions& options) {
  const bool folder = std::filesystem::is_directory(path);
  const std::vector<std::string> paths = folder ? training_files(path) : std::vector<std::string>{path};
  auto files = std::make_shared<std::vector<MappedFile>>();
  for (const std::string& file : paths) files->emplace_back(file);

  PixelArray array;
  const Variant variant = variant_of(files->front().bytes(), paths.front());
  for (std::size_t f = 0; f < paths.size(); ++f) {
    const std::string_view bytes = (*files)[f].bytes();
    if (variant_of(bytes, paths[f]).record() != variant.record() || bytes.size() != files->front().bytes().size())
      throw InputError(
          fmt::format("{}: has {} bytes, {} has {}; all batches are of one size, so one of them is "
                      "truncated: unpack the archive again",
                      paths[f], bytes.size(), paths.front(), files->front().bytes().size()));
    const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
    const int64_t count = static_cast<int64_t>(bytes.size()) / variant.record();
    array.pieces.push_back({paths[f], data + variant.label_bytes, count, variant.record()});
    for (int64_t i = 0; i < count; ++i) array.labels.push_back(data[i * variant.record() + variant.label_bytes - 1]);
  }
  array.kind = variant.kind;
  array.height = array.width = kSide;
  array.channels = kChannels;
  array.planar = true;
  array.classes = options.labels ? variant.classes : 0;
  if (options.labels) array.class_names = names_beside(paths.front(), variant);
  array.sha256 = [paths] { return sha256_of_files(paths); };
  array.memory = files;
  return array_images(std::move(array));
}

}  // namespace stride
