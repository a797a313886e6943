// PNG files from pixels.
#pragma once

#include "framework/tensor.h"

#include <string>

namespace stride {

/// A PNG file of `pixels` uint8 `[H, W, C]` on the CPU: C = 1 grey, 3 RGB, 4 RGBA (not premultiplied). Throws
/// UsageError on another type or shape, ResourceError when libpng runs out of memory.
[[nodiscard]] std::string encode_png(const Tensor& pixels);

/// `images` uint8 `[N, H, W, C]` in rows of `columns`, `gap` pixels of `gap_value` between them: `[H', W', C]`. Places
/// without an image hold `gap_value` too.
[[nodiscard]] Tensor tile_images(const Tensor& images, int64_t columns, int64_t gap = 2, int64_t gap_value = 128);

}  // namespace stride
