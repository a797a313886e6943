#include "datasets/images/pixels.h"

#include <fmt/format.h>

#include <algorithm>

namespace stride {

std::string shape_text(const Pixels& pixels) {
  return fmt::format("{} × {} × {}", pixels.width, pixels.height, pixels.channels);
}

Pixels cropped(const Pixels& pixels, int64_t top, int64_t left, int64_t height, int64_t width) {
  Pixels out(height, width, pixels.channels);
  const int64_t row = width * pixels.channels;
  for (int64_t y = 0; y < height; ++y)
    std::copy_n(pixels.values.begin() + ((top + y) * pixels.width + left) * pixels.channels, row,
                out.values.begin() + y * row);
  return out;
}

Pixels centre_square(const Pixels& pixels) {
  const int64_t side = std::min(pixels.height, pixels.width);
  return cropped(pixels, (pixels.height - side) / 2, (pixels.width - side) / 2, side, side);
}

Pixels mirrored(const Pixels& pixels) {
  Pixels out(pixels.height, pixels.width, pixels.channels);
  const int64_t c = pixels.channels;
  for (int64_t y = 0; y < pixels.height; ++y)
    for (int64_t x = 0; x < pixels.width; ++x)
      std::copy_n(pixels.values.begin() + (y * pixels.width + x) * c, c,
                  out.values.begin() + (y * pixels.width + pixels.width - 1 - x) * c);
  return out;
}

Pixels coloured(Pixels pixels, Colour colour) {
  const int64_t channels = colour == Colour::grey ? 1 : 3;
  if (colour == Colour::as_is || pixels.channels == channels) return pixels;
  Pixels out(pixels.height, pixels.width, channels);
  const int64_t count = pixels.height * pixels.width;
  const uint8_t* from = pixels.values.data();
  uint8_t* to = out.values.data();
  for (int64_t i = 0; i < count; ++i) {
    if (channels == 3) {
      std::fill_n(to + 3 * i, 3, from[i]);
    } else {
      // 0.299, 0.587 and 0.114 in 16-bit fixed point
      to[i] =
          static_cast<uint8_t>((from[3 * i] * 19595 + from[3 * i + 1] * 38470 + from[3 * i + 2] * 7471 + 0x8000) >> 16);
    }
  }
  return out;
}

std::string ImageTransform::text() const {
  std::string out;
  const auto add = [&](const std::string& part) { out += (out.empty() ? "" : ", ") + part; };
  if (colour != Colour::as_is) add(colour == Colour::grey ? "grey" : "RGB");
  if (size > 0) add(fmt::format("size {}, crop {}", size, crop ? "centre" : "none"));
  if (mirror) add("mirrored");
  return out;
}

Pixels transformed(Pixels pixels, const ImageTransform& transform, int64_t maximum) {
  pixels = coloured(std::move(pixels), transform.colour);
  if (transform.size == 0) return pixels;
  if (transform.crop && pixels.height != pixels.width) pixels = centre_square(pixels);
  if (pixels.height == transform.size && pixels.width == transform.size) return pixels;
  pixels = resized(pixels, transform.size);
  if (maximum < 255)  // Lanczos overshoots at edges
    for (uint8_t& value : pixels.values) value = std::min(value, static_cast<uint8_t>(maximum));
  return pixels;
}

}  // namespace stride
