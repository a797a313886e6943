// Pictures as samples: PNG, JPEG and WebP files to start from, and masks.
#pragma once

#include "framework/denoiser.h"
#include "framework/tensor.h"

#include <cstdint>
#include <string>
#include <vector>

namespace stride {

/// What a file or a folder gives, and which it was.
struct ReadInput {
  Tensor values;
  std::string sha256;  ///< of the file; of a folder's images as docs/images.md says
};

/// Whether `path` is a folder, or a file that begins as PNG, JPEG or WebP.
[[nodiscard]] bool is_picture_input(const std::string& path);

/// Who asks for pictures, and what they must fit.
struct PictureRequest {
  std::string option;          ///< "start": names it in messages
  std::string path;            ///< one image for all seeds, or a folder with {seed:06d}.png for each
  std::vector<int64_t> seeds;  ///< whose images the folder holds
};

/// float64 in [−1, 1], `[N, C, H, W]` from a folder and `[1, C, H, W]` from one image, grey or RGB as the model has it.
/// Throws InputError, naming the file, when one is
/// missing, damaged or of another size, and for a model whose samples are no images.
[[nodiscard]] ReadInput read_pictures(const PictureRequest& request, const ModelInfo& model);

/// The same for masks, float64 in [0, 1] with one channel: black is 0, white 1. Throws as read_pictures.
[[nodiscard]] ReadInput read_mask_pictures(const PictureRequest& request, const ModelInfo& model);

}  // namespace stride
