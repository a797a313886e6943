#include "datasets/images/png.h"

#include "framework/error.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <png.h>

namespace stride {
namespace {

png_uint_32 format_of(int64_t channels) {
  if (channels == 1) return PNG_FORMAT_GRAY;
  return channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_RGBA;
}

}  // namespace

std::string encode_png(const Tensor& pixels) {
  const bool fits = pixels.dim() == 3 && pixels.scalar_type() == at::kByte && pixels.numel() > 0 &&
                    pixels.device().is_cpu() && (pixels.size(2) == 1 || pixels.size(2) == 3 || pixels.size(2) == 4);
  if (!fits) {
    throw UsageError(fmt::format("encode_png needs uint8 pixels [H, W, 1, 3 or 4] on the CPU, not [{}]",
                                 fmt::join(pixels.sizes(), ", ")));
  }
  const Tensor bytes = pixels.contiguous();
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  image.height = static_cast<png_uint_32>(bytes.size(0));
  image.width = static_cast<png_uint_32>(bytes.size(1));
  image.format = format_of(bytes.size(2));
  const uint8_t* data = bytes.const_data_ptr<uint8_t>();
  std::string out(PNG_IMAGE_PNG_SIZE_MAX(image), '\0');
  png_alloc_size_t size = out.size();
  if (png_image_write_to_memory(&image, out.data(), &size, 0, data, 0, nullptr) == 0) {
    const std::string reason = image.message;
    png_image_free(&image);
    throw ResourceError(
        fmt::format("libpng could not encode an image of {} × {}: {}", bytes.size(1), bytes.size(0), reason));
  }
  out.resize(size);
  return out;
}

Tensor tile_images(const Tensor& images, int64_t columns, int64_t gap, int64_t gap_value) {
  if (images.dim() != 4 || columns < 1 || gap < 0) {
    throw UsageError("tile_images needs images [N, H, W, C], at least one column and a gap of at least 0");
  }
  const int64_t n = images.size(0), height = images.size(1), width = images.size(2);
  const int64_t across = std::min(columns, std::max<int64_t>(n, 1));
  const int64_t rows = (n + across - 1) / across;
  Tensor out = at::full({rows * (height + gap) - gap, across * (width + gap) - gap, images.size(3)}, gap_value,
                        images.options());
  for (int64_t i = 0; i < n; ++i) {
    out.narrow(0, i / across * (height + gap), height).narrow(1, i % across * (width + gap), width).copy_(images[i]);
  }
  return out;
}

}  // namespace stride
