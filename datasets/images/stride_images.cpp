#include "datasets/images/stride_images.h"

#include "datasets/images/image_sources.h"
#include "framework/error.h"
#include "framework/files/hash.h"
#include "framework/files/safetensors.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <charconv>

namespace stride {
namespace {

constexpr const char* kHint = "docs/images.md describes the file; scripts/make-digits writes one";

int64_t whole_number(const Safetensors& file, const std::string& key, const std::string& where) {
  const auto found = file.metadata.find(key);
  const std::string text = found == file.metadata.end() ? "" : found->second;
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 1)
    throw InputError(fmt::format("{}: its metadata needs '{}', a positive whole number ({})", where, key, kHint));
  return value;
}

}  // namespace

StrideImages parse_stride_images(std::string_view bytes, const std::string& path) {
  const Safetensors file = parse_safetensors(bytes, path);
  const auto format = file.metadata.find("format");
  if (format == file.metadata.end() || format->second != "stride-images")
    throw InputError(fmt::format("{}: is not an image file ({})", path, kHint));
  if (whole_number(file, "version", path) != 1)
    throw InputError(fmt::format("{}: is an image file of a version that this program does not know", path));

  StrideImages data;
  const auto text = [&](const std::string& key, const std::string& otherwise) {
    const auto found = file.metadata.find(key);
    return found == file.metadata.end() ? otherwise : found->second;
  };
  data.name = text("name", path);
  data.source = text("source", "");
  data.licence = text("licence", "");
  const auto images = file.tensors.find("images");
  if (images == file.tensors.end() || images->second.scalar_type() != at::kByte || images->second.dim() != 4 ||
      images->second.numel() == 0)
    throw InputError(fmt::format("{}: needs 'images', U8 [N, C, H, W] with at least one image ({})", path, kHint));
  data.images = images->second;
  data.maximum = whole_number(file, "maximum", path);
  if (data.images.max().item<int64_t>() > data.maximum)
    throw InputError(fmt::format("{}: a pixel lies above the file's maximum of {}", path, data.maximum));

  const auto labels = file.tensors.find("labels");
  if (labels != file.tensors.end()) {
    data.classes = whole_number(file, "classes", path);
    data.labels = labels->second;
    if (data.labels.scalar_type() != at::kLong || data.labels.dim() != 1 ||
        data.labels.size(0) != data.images.size(0) || data.labels.min().item<int64_t>() < 0 ||
        data.labels.max().item<int64_t>() >= data.classes)
      throw InputError(
          fmt::format("{}: 'labels' must be I64 [{}] between 0 and {}", path, data.images.size(0), data.classes - 1));
  }
  return data;
}

std::unique_ptr<const ImageSource> open_stride_images(std::string_view bytes, const std::string& path,
                                                      const ImageSetOptions& options) {
  const auto data = std::make_shared<StrideImages>(parse_stride_images(bytes, path));
  PixelArray array;
  array.kind = "safetensors";
  array.channels = data->images.size(1);
  array.height = data->images.size(2);
  array.width = data->images.size(3);
  array.planar = true;
  array.maximum = data->maximum;
  array.pieces.push_back({path, data->images.const_data_ptr<uint8_t>(), data->images.size(0), data->images[0].numel()});
  if (options.labels && data->labels.defined()) {
    const auto* labels = data->labels.const_data_ptr<int64_t>();
    array.labels.assign(labels, labels + data->labels.size(0));
    array.classes = data->classes;
  }
  array.sha256 = [sum = sha256(bytes)] { return sum; };
  array.memory = data;
  return array_images(std::move(array));
}

}  // namespace stride
