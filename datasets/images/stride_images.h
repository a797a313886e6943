// Stride's own image file: safetensors with `images` U8 [N, C, H, W] (docs/training.md).
#pragma once

#include "datasets/images/image_source.h"
#include "framework/tensor.h"

#include <string>
#include <string_view>

namespace stride {

struct StrideImages {
  std::string name, source, licence;
  int64_t maximum = 255;  ///< the pixel value that becomes 1
  Tensor images;          ///< uint8 [N, C, H, W]
  Tensor labels;          ///< int64 [N]; undefined without labels
  int64_t classes = 0;
};

/// Throws InputError, saying what is wrong; `path` names the bytes in messages.
[[nodiscard]] StrideImages parse_stride_images(std::string_view bytes, const std::string& path);

/// The same behind the common interface.
[[nodiscard]] std::unique_ptr<const ImageSource> open_stride_images(std::string_view bytes, const std::string& path,
                                                                    const ImageSetOptions& options);

}  // namespace stride
