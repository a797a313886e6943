// IDX, the files of MNIST: two zero bytes, the type, the rank, big-endian extents, values.
// Format: http://yann.lecun.com/exdb/mnist
#include "datasets/files/mapped_file.h"
#include "datasets/images/image_codec.h"
#include "datasets/images/image_sources.h"
#include "framework/error.h"
#include "framework/files/file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

namespace stride {
namespace {

constexpr std::size_t kWord = 4;
constexpr char kBytes = 0x08;  // the type: unsigned bytes

struct Idx {
  std::vector<int64_t> shape;
  const uint8_t* values;
};

Idx read_idx(std::string_view bytes, const std::string& path) {
  if (bytes.size() < kWord || bytes[0] != 0 || bytes[1] != 0)
    throw InputError(fmt::format("{}: is not an IDX file: it does not begin with two zero bytes", path));
  if (bytes[2] != kBytes)
    throw InputError(fmt::format("{}: an IDX file of type 0x{:02x}; unsigned bytes (0x08) are read", path,
                                 static_cast<uint8_t>(bytes[2])));
  const auto rank = static_cast<std::size_t>(static_cast<uint8_t>(bytes[3]));
  const std::size_t header = kWord * (rank + 1);
  if (rank < 1 || rank > 4 || bytes.size() < header)
    throw InputError(fmt::format("{}: an IDX file of rank {} with {} bytes: truncated or damaged; get it again", path,
                                 rank, bytes.size()));
  Idx out;
  std::size_t need = 1;
  for (std::size_t d = 1; d <= rank; ++d) {
    std::size_t extent = 0;
    for (std::size_t b = 0; b < kWord; ++b) extent = extent << 8 | static_cast<uint8_t>(bytes[d * kWord + b]);
    out.shape.push_back(static_cast<int64_t>(extent));
    need = extent == 0 || need <= bytes.size() / extent ? need * extent : bytes.size() + 1;
  }
  if (need != bytes.size() - header)
    throw InputError(
        fmt::format("{}: its header promises [{}] values, and {} follow it: truncated or damaged; get it "
                    "again",
                    path, fmt::join(out.shape, ", "), bytes.size() - header));
  out.values = reinterpret_cast<const uint8_t*>(bytes.data()) + header;
  return out;
}

bool replace(std::string& text, const std::string& from, const std::string& to) {
  const std::size_t at = text.rfind(from);
  if (at == std::string::npos) return false;
  text.replace(at, from.size(), to);
  return true;
}

// "train-images-idx3-ubyte" has "train-labels-idx1-ubyte" beside it; some copies write ".idx3-ubyte".
std::string labels_beside(const std::string& images) {
  const std::size_t slash = images.find_last_of('/');
  const std::string folder = slash == std::string::npos ? "" : images.substr(0, slash + 1);
  std::string name = images.substr(folder.size());
  if (!replace(name, "images", "labels")) return "";
  (void)replace(name, "idx3", "idx1");
  return folder + name;
}

std::string training_images_of(const std::string& folder) {
  std::vector<std::string> found;
  for (const std::string& name : list_folder(folder)) {
    if (name.starts_with('.') || name.find("train") == std::string::npos) continue;
    if (name.ends_with("images-idx3-ubyte") || name.ends_with("images.idx3-ubyte")) found.push_back(name);
    if (name.ends_with("images-idx3-ubyte.gz"))
      throw InputError(fmt::format("{}/{}: is compressed; unpack it: gunzip {}/*.gz", folder, name, folder));
  }
  if (found.size() != 1)
    throw InputError(fmt::format("{}: holds {} IDX files of training images{}; name one of them", folder, found.size(),
                                 found.empty() ? "" : fmt::format(" ({})", fmt::join(found, ", "))));
  return folder + "/" + found[0];
}

void read_labels(const std::string& path, const std::string& images, PixelArray& array) {
  if (path.empty() || !file_exists(path))
    throw InputError(
        fmt::format("{}: its labels are missing: {}. Put them there, or leave out all labels "
                    "(`unconditional`)",
                    images, path.empty() ? "no name with \"images\" says where they are" : path));
  const MappedFile file(path);
  const Idx idx = read_idx(file.bytes(), path);
  const int64_t count = array.pieces[0].count;
  if (idx.shape.size() != 1 || idx.shape[0] != count)
    throw InputError(
        fmt::format("{}: holds [{}] labels for the {} images of {}", path, fmt::join(idx.shape, ", "), count, images));
  array.labels.assign(idx.values, idx.values + count);
  array.classes = *std::max_element(array.labels.begin(), array.labels.end()) + 1;
}

}  // namespace

bool is_idx_folder(const std::string& path) {
  const std::vector<std::string> names = list_folder(path);
  return std::any_of(names.begin(), names.end(), [](const std::string& name) {
    return name.ends_with("images-idx3-ubyte") || name.ends_with("images.idx3-ubyte") ||
           name.ends_with("images-idx3-ubyte.gz");
  });
}

std::unique_ptr<const ImageSource> open_idx(const std::string& path, const ImageSetOptions& options) {
  const std::string images = std::filesystem::is_directory(path) ? training_images_of(path) : path;
  auto file = std::make_shared<MappedFile>(images);
  const Idx idx = read_idx(file->bytes(), images);
  if (idx.shape.size() < 3)
    throw InputError(fmt::format("{}: an IDX file of [{}]{}; name the file with the images, [N, H, W]", images,
                                 fmt::join(idx.shape, ", "), idx.shape.size() == 1 ? ", labels" : ""));
  PixelArray array;
  array.kind = "IDX";
  array.height = idx.shape[1];
  array.width = idx.shape[2];
  array.channels = idx.shape.size() == 4 ? idx.shape[3] : 1;
  if (idx.shape[0] < 1 || (array.channels != 1 && array.channels != 3))
    throw InputError(fmt::format("{}: holds [{}]; at least one image of 1 or 3 channels is needed", images,
                                 fmt::join(idx.shape, ", ")));
  check_image_size(array.width, array.height, images);
  array.pieces.push_back({images, idx.values, idx.shape[0], array.height * array.width * array.channels});
  std::vector<std::string> paths = {images};
  if (options.labels) {
    paths.push_back(labels_beside(images));
    read_labels(paths.back(), images, array);
  }
  array.sha256 = [paths] { return sha256_of_files(paths); };
  array.memory = file;
  return array_images(std::move(array));
}

}  // namespace stride
