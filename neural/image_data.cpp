#include "neural/image_data.h"

#include "framework/error.h"
#include "framework/file.h"
#include "framework/hash.h"
#include "framework/safetensors.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <charconv>

namespace stride {
namespace {

constexpr const char* kHint = "docs/training.md describes the file; scripts/make-digits writes one";

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

double ImageData::std() const { return images.to(at::kDouble).std(/*unbiased=*/false).item<double>(); }

ImageData load_images(const std::string& path) { return parse_images(read_file(path), path); }

ImageData parse_images(std::string_view bytes, const std::string& path) {
  const Safetensors file = parse_safetensors(bytes, path);
  const auto format = file.metadata.find("format");
  if (format == file.metadata.end() || format->second != "stride-images")
    throw InputError(fmt::format("{}: is not an image file ({})", path, kHint));
  if (whole_number(file, "version", path) != 1)
    throw InputError(fmt::format("{}: is an image file of a version that this program does not know", path));

  ImageData data;
  data.sha256 = sha256(bytes);
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
  const int64_t maximum = whole_number(file, "maximum", path);
  if (images->second.max().item<int64_t>() > maximum)
    throw InputError(fmt::format("{}: a pixel lies above the file's maximum of {}", path, maximum));
  data.images = images->second.to(at::kFloat).mul(2.0 / static_cast<double>(maximum)).sub(1.0);

  const auto labels = file.tensors.find("labels");
  if (labels != file.tensors.end()) {
    data.classes = whole_number(file, "classes", path);
    data.labels = labels->second;
    if (data.labels.scalar_type() != at::kLong || data.labels.dim() != 1 || data.labels.size(0) != data.size() ||
        data.labels.min().item<int64_t>() < 0 || data.labels.max().item<int64_t>() >= data.classes)
      throw InputError(
          fmt::format("{}: 'labels' must be I64 [{}] between 0 and {}", path, data.size(), data.classes - 1));
  }
  return data;
}

}  // namespace stride
