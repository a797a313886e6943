// Samples as PNG bytes in memory.
#pragma once

#include "framework/tensor.h"

#include <string>
#include <vector>

namespace stride {

/// True for samples of shape `[C, H, W]` with one or three channels: something to look at.
[[nodiscard]] bool is_image_shape(const std::vector<int64_t>& shape);

/// Samples `[N, C, H, W]` in [−1, 1] as uint8 `[N, H, W, C]` on the CPU: round(127.5·(x + 1)), clipped; not finite: 0.
[[nodiscard]] Tensor to_pixels(const Tensor& images);

/// `count` samples side by side, `gap` transparent columns apart, as a PNG file. Each is `[C, H, W]`, C 1 or 3, values
/// in [−1, 1]. Throws UsageError on other shapes or fewer samples.
[[nodiscard]] std::string png_strip(const Tensor& images, int64_t count, int64_t gap = 1);

}  // namespace stride
