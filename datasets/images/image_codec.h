// PNG, JPEG and WebP to pixels.
#pragma once

#include "datasets/images/pixels.h"

#include <string>
#include <string_view>

namespace stride {

enum class ImageFormat { none, png, jpeg, webp };
/// By the first bytes, not by a name; 12 are enough.
[[nodiscard]] ImageFormat image_format(std::string_view bytes) noexcept;

/// Larger images are refused before anything is allocated: a few bytes can claim to be gigabytes.
inline constexpr int64_t kMaxImageSide = 16'384;
inline constexpr int64_t kMaxImagePixels = int64_t{1} << 26;
/// Throws InputError when an image of this size is empty or too large.
void check_image_size(int64_t width, int64_t height, const std::string& where);

/// One whole file, as Pillow reads it: grey stays grey, palettes become RGB, alpha is dropped, of 16 bits the upper 8
/// are kept; neither gamma, colour profiles nor EXIF orientation are applied. `where` names the image in messages.
/// Throws InputError on anything that is damaged, truncated, animated, CMYK, too large or no image at all.
[[nodiscard]] Pixels decode_image(std::string_view bytes, const std::string& where);

/// The same for one format.
[[nodiscard]] Pixels decode_png(std::string_view bytes, const std::string& where);
[[nodiscard]] Pixels decode_jpeg(std::string_view bytes, const std::string& where);
[[nodiscard]] Pixels decode_webp(std::string_view bytes, const std::string& where);

}  // namespace stride
