// libhdf5 crashes on damaged files: a child process says where the pixels lie, which are then read from a map of our
// own; those that are chunked or packed it hands over.
#include "datasets/files/guarded.h"
#include "datasets/files/hdf5.h"
#include "datasets/files/hdf5_handle.h"
#include "datasets/files/mapped_file.h"
#include "datasets/images/image_codec.h"
#include "datasets/images/image_sources.h"
#include "framework/error.h"
#include "framework/files/hash.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>

namespace stride {
namespace {

constexpr int64_t kMaxClasses = 1'000'000;

struct Dataset {
  at::ScalarType type = at::kByte;
  std::vector<int64_t> shape;
  std::optional<uint64_t> offset;  ///< in the file, or
  std::string bytes;               ///< the values themselves
};

void put(std::string& out, int64_t value) { out.append(reinterpret_cast<const char*>(&value), sizeof value); }

int64_t get(std::string_view& in) {
  int64_t value = 0;
  std::memcpy(&value, in.data(), sizeof value);
  in.remove_prefix(sizeof value);
  return value;
}

// In the child: type, offset or −1, rank, extents, and the values where there is no offset.
std::string describe(const hdf5::ImageReader& reader, const std::string& name) {
  const hdf5::DatasetInfo info = reader.info(name);
  std::string out;
  put(out, static_cast<int64_t>(info.type));
  put(out, info.offset ? static_cast<int64_t>(*info.offset) : -1);
  put(out, static_cast<int64_t>(info.shape.size()));
  for (const int64_t extent : info.shape) put(out, extent);
  if (info.offset) return out;
  const Tensor values = reader.read(name);
  return out.append(static_cast<const char*>(values.const_data_ptr()), values.nbytes());
}

Dataset parse(std::string_view text) {
  Dataset out;
  out.type = static_cast<at::ScalarType>(get(text));
  if (const int64_t offset = get(text); offset >= 0) out.offset = static_cast<uint64_t>(offset);
  for (int64_t rank = get(text); rank > 0; --rank) out.shape.push_back(get(text));
  out.bytes = text;
  return out;
}

std::string images_name(const hdf5::ImageReader& reader, const std::string& path) {
  for (const char* name : {"images", "x"})
    if (reader.has(name)) return name;
  throw InputError(
      fmt::format("{}: an HDF5 file without the dataset \"images\" or \"x\" (it has: {}); docs/images.md "
                  "describes one",
                  path, fmt::join(reader.names(), ", ")));
}

void set_shape(const Dataset& images, const std::string& path, PixelArray& array) {
  const std::vector<int64_t>& shape = images.shape;
  const auto is_channels = [](int64_t extent) { return extent == 1 || extent == 3; };
  const bool last = shape.size() == 3 || (shape.size() == 4 && is_channels(shape[3]));
  array.planar = !last && shape.size() == 4 && is_channels(shape[1]);
  if (images.type != at::kByte || shape.empty() || shape[0] < 1 || (!last && !array.planar))
    throw InputError(fmt::format(
        "{}: its images are {} [{}]; uint8 [N, H, W, C], [N, C, H, W] or [N, H, W] with 1 or 3 channels and "
        "at least one image are read",
        path, at::toString(images.type), fmt::join(shape, ", ")));
  array.height = shape[array.planar ? 2 : 1];
  array.width = shape[array.planar ? 3 : 2];
  array.channels = shape.size() == 3 ? 1 : shape[array.planar ? 1 : 3];
  check_image_size(array.width, array.height, path);
}

void set_labels(const Dataset& labels, std::string_view file, const std::string& path, PixelArray& array) {
  const int64_t count = array.pieces[0].count;
  const auto size = static_cast<std::size_t>(count) * c10::elementSize(labels.type);
  const std::string_view bytes =
      labels.offset ? file.substr(std::min<std::size_t>(*labels.offset, file.size()), size) : labels.bytes;
  if (labels.shape != std::vector<int64_t>{count} || !at::isIntegralType(labels.type, false) || bytes.size() != size)
    throw InputError(fmt::format("{}: its labels are {} [{}]; whole numbers [{}] are needed", path,
                                 at::toString(labels.type), fmt::join(labels.shape, ", "), count));
  Tensor values = at::empty({count}, at::TensorOptions().dtype(labels.type));
  std::memcpy(values.mutable_data_ptr(), bytes.data(), size);
  values = values.to(at::kLong);
  array.labels.assign(values.const_data_ptr<int64_t>(), values.const_data_ptr<int64_t>() + count);
  const auto [low, high] = std::minmax_element(array.labels.begin(), array.labels.end());
  if (*low < 0 || *high >= kMaxClasses) {
    const auto wrong = *low < 0 ? low : high;
    throw InputError(fmt::format("{}: image {}: its label is {}; labels are whole numbers from 0", path,
                                 wrong - array.labels.begin(), *wrong));
  }
  array.classes = *high + 1;
}

struct Memory {
  MappedFile file;
  Dataset images;
};

}  // namespace

std::unique_ptr<const ImageSource> open_hdf5_images(const std::string& path, const ImageSetOptions& options) {
  auto memory = std::make_shared<Memory>(Memory{MappedFile(path), {}});
  const std::string_view file = memory->file.bytes();
  const std::string damaged = fmt::format("{}: is a truncated or damaged HDF5 file; get it again", path);
  const GuardOptions guard{.file_size = file.size(), .damaged = damaged, .library = &hdf5::library_lock()};
  memory->images = parse(guarded(
      [&] {
        const hdf5::ImageReader reader(file, path);
        return describe(reader, images_name(reader, path));
      },
      guard));
  const Dataset& images = memory->images;

  PixelArray array;
  array.kind = "HDF5";
  set_shape(images, path, array);
  const int64_t stride = array.height * array.width * array.channels;
  const std::string_view bytes =
      images.offset ? file.substr(std::min<std::size_t>(*images.offset, file.size())) : images.bytes;
  if (images.shape[0] > static_cast<int64_t>(bytes.size()) / stride) throw InputError(damaged);
  array.pieces.push_back({path, reinterpret_cast<const uint8_t*>(bytes.data()), images.shape[0], stride});
  if (options.labels) {
    const std::string labels = guarded(
        [&] {
          const hdf5::ImageReader reader(file, path);
          return reader.has("labels") ? describe(reader, "labels") : std::string();
        },
        guard);
    if (!labels.empty()) set_labels(parse(labels), file, path, array);
  }
  array.sha256 = [path] { return sha256_file(path); };
  array.memory = memory;
  return array_images(std::move(array));
}

}  // namespace stride
