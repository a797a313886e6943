// One image in memory, and what is done to it before training.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace stride {

/// Pixels `[H, W, C]`, row by row; 1 channel is grey, 3 are RGB.
struct Pixels {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;
  std::vector<uint8_t> values;

  Pixels() = default;
  Pixels(int64_t h, int64_t w, int64_t c)
      : height(h), width(w), channels(c), values(static_cast<std::size_t>(h * w * c)) {}
  [[nodiscard]] bool same_shape(const Pixels& other) const noexcept {
    return height == other.height && width == other.width && channels == other.channels;
  }
};

/// "32 × 32 × 3": width, height, channels.
[[nodiscard]] std::string shape_text(const Pixels& pixels);

/// The part of `pixels` that begins at (`top`, `left`).
[[nodiscard]] Pixels cropped(const Pixels& pixels, int64_t top, int64_t left, int64_t height, int64_t width);

/// The square in the middle, as EDM's dataset_tool cuts it (`--transform=center-crop`): the longer side loses one
/// pixel more at its end where the difference is odd.
[[nodiscard]] Pixels centre_square(const Pixels& pixels);

/// `size` × `size` by antialiased Lanczos-3 in fixed point, bit for bit what `resize(…, LANCZOS)` of Pillow 13 gives
/// for 8-bit images (older ones: the same but for upright images, whose passes they exchange).
[[nodiscard]] Pixels resized(const Pixels& pixels, int64_t size);

/// Left and right exchanged.
[[nodiscard]] Pixels mirrored(const Pixels& pixels);

enum class Colour { as_is, grey, rgb };
/// Grey by ITU-R 601-2 luma, as Pillow's `convert("L")`; RGB from grey by repetition.
[[nodiscard]] Pixels coloured(Pixels pixels, Colour colour);

/// What every image of a set goes through, in this order: colour, crop, size.
struct ImageTransform {
  Colour colour = Colour::as_is;
  int64_t size = 0;     ///< height and width that images are resized to; 0: as they are
  bool crop = true;     ///< with `size`: cut out the square in the middle first, else both sides are scaled
  bool mirror = false;  ///< the set is followed by its mirrored twin, as EDM's `xflip`

  /// Empty when nothing is done, else options in words: "size 64, crop centre, mirrored".
  [[nodiscard]] std::string text() const;
};
/// All but the mirroring. `maximum`: the largest value that a pixel may have.
[[nodiscard]] Pixels transformed(Pixels pixels, const ImageTransform& transform, int64_t maximum);

}  // namespace stride
