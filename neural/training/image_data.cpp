#include "neural/training/image_data.h"

#include "datasets/images/image_loader.h"
#include "datasets/images/stride_images.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <array>
#include <cmath>

namespace stride {
namespace {

void finish(ImageData& data, const std::string& sum, const ImageDataOptions& options) {
  const std::string done = options.transform.text();
  data.sha256 = done.empty() ? sum : sha256(sum + " " + done);
  if (options.floats) data.images = data.scaled(data.pixels);
}

ImageData read(std::shared_ptr<const ImageSource> source, const ImageDataOptions& options, const ProgressFn& progress) {
  ImageData data;
  DecodedImages decoded = read_all(source, options.transform, progress, options.threads);
  data.kind = source->kind();
  data.pixels = std::move(decoded.images);
  data.labels = std::move(decoded.labels);
  data.maximum = source->maximum();
  data.classes = source->classes();
  data.stopped = decoded.stopped;
  return data;
}

}  // namespace

Tensor ImageData::scaled(const Tensor& values) const {
  if (values.scalar_type() == at::kFloat) return values;
  return values.to(at::kFloat).mul_(2.0 / static_cast<double>(maximum)).sub_(1.0);
}

double ImageData::std() const {
  if (!pixels.defined()) return images.to(at::kDouble).std(/*unbiased=*/false).item<double>();
  const Tensor bytes = pixels.cpu().contiguous();
  const auto* values = bytes.const_data_ptr<uint8_t>();
  std::array<int64_t, 256> counts{};
  for (int64_t i = 0; i < bytes.numel(); ++i) ++counts[values[i]];
  const auto n = static_cast<double>(bytes.numel());
  double mean = 0.0, variance = 0.0;
  for (std::size_t v = 0; v < counts.size(); ++v) mean += static_cast<double>(v) * static_cast<double>(counts[v]) / n;
  for (std::size_t v = 0; v < counts.size(); ++v) {
    const double off = static_cast<double>(v) - mean;
    variance += off * off * static_cast<double>(counts[v]) / n;
  }
  return 2.0 / static_cast<double>(maximum) * std::sqrt(variance);
}

ImageData load_images(const std::string& path, const ImageDataOptions& options, const ProgressFn& progress) {
  const std::shared_ptr<const ImageSource> source = open_images(path, {.labels = options.labels});
  if (source->kind() == "safetensors") return parse_images(read_file(path), path, options);
  ImageData data = read(source, options, progress);
  if (data.stopped) return data;
  const std::string whole = path.substr(0, path.find_last_not_of('/') + 1);
  data.name = whole.substr(whole.find_last_of('/') + 1);
  finish(data, source->sha256(), options);
  return data;
}

ImageData parse_images(std::string_view bytes, const std::string& path, const ImageDataOptions& options) {
  StrideImages file = parse_stride_images(bytes, path);
  ImageData data;
  if (!options.transform.text().empty()) {
    data = read(open_stride_images(bytes, path, {.labels = options.labels}), options, {});
  } else {
    data.kind = "safetensors";
    data.pixels = std::move(file.images);
    data.maximum = file.maximum;
    if (options.labels) data.labels = std::move(file.labels);
    if (options.labels) data.classes = file.classes;
  }
  data.name = std::move(file.name);
  data.source = std::move(file.source);
  data.licence = std::move(file.licence);
  finish(data, sha256(bytes), options);
  return data;
}

}  // namespace stride
