#include "datasets/images/image_codec.h"

#include "framework/error.h"

#include <fmt/format.h>

namespace stride {

ImageFormat image_format(std::string_view bytes) noexcept {
  if (bytes.starts_with(std::string_view("\x89PNG\r\n\x1a\n", 8))) return ImageFormat::png;
  if (bytes.starts_with("\xff\xd8\xff")) return ImageFormat::jpeg;
  if (bytes.size() >= 12 && bytes.starts_with("RIFF") && bytes.substr(8, 4) == "WEBP") return ImageFormat::webp;
  return ImageFormat::none;
}

void check_image_size(int64_t width, int64_t height, const std::string& where) {
  if (width < 1 || height < 1 || width > kMaxImageSide || height > kMaxImageSide || width * height > kMaxImagePixels) {
    throw InputError(
        fmt::format("{}: claims to be {} × {} pixels; at most {} a side and {} in all are read, so resize "
                    "it or take it out",
                    where, width, height, kMaxImageSide, kMaxImagePixels));
  }
}

Pixels decode_image(std::string_view bytes, const std::string& where) {
  switch (image_format(bytes)) {
    case ImageFormat::png:
      return decode_png(bytes, where);
    case ImageFormat::jpeg:
      return decode_jpeg(bytes, where);
    case ImageFormat::webp:
      return decode_webp(bytes, where);
    case ImageFormat::none:
      break;
  }
  throw InputError(fmt::format("{}: is {}, neither PNG, JPEG nor WebP; convert it or take it out", where,
                               bytes.empty() ? "empty" : "of another kind"));
}

}  // namespace stride
