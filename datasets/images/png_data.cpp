#include "datasets/images/png_data.h"

#include "datasets/images/png.h"
#include "framework/error.h"

#include <ATen/ATen.h>

#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace stride {
bool is_image_shape(const std::vector<int64_t>& shape) {
  return shape.size() == 3 && (shape[0] == 1 || shape[0] == 3) && shape[1] > 1 && shape[2] > 1;
}

Tensor to_pixels(const Tensor& images) {
  const Tensor x = images.to(at::kCPU, at::kDouble);
  return at::nan_to_num((x + 1.0) * 127.5, 0.0, 0.0, 0.0)
      .round()
      .clamp(0, 255)
      .permute({0, 2, 3, 1})
      .to(at::kByte)
      .contiguous();
}

std::string png_strip(const Tensor& images, int64_t count, int64_t gap) {
  if (images.dim() != 4 || !is_image_shape(images.sizes().slice(1).vec()) || count < 1 || images.size(0) < count) {
    throw UsageError(fmt::format("a strip of {} images needs that many of shape [1 or 3, H, W]; got {}", count,
                                 fmt::join(images.sizes(), "×")));
  }
  const Tensor pixels = to_pixels(images.narrow(0, 0, count)).expand({count, images.size(2), images.size(3), 3});
  const int64_t height = pixels.size(1);
  const int64_t width = pixels.size(2);
  Tensor canvas = at::zeros({height, count * (width + gap) - gap, 4}, at::kByte);
  for (int64_t i = 0; i < count; ++i) {
    Tensor cell = canvas.narrow(1, i * (width + gap), width);
    cell.narrow(2, 0, 3).copy_(pixels[i]);
    cell.narrow(2, 3, 1).fill_(255);
  }
  return encode_png(canvas);
}

}  // namespace stride
