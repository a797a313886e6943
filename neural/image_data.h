// Images to train on.
#pragma once

#include "framework/tensor.h"

#include <string>
#include <string_view>
#include <vector>

namespace stride {

/// A set of images in memory, in the scale that models see.
struct ImageData {
  std::string name;
  std::string sha256;   ///< of the file
  std::string source;   ///< where the images are from, and
  std::string licence;  ///< under which terms; empty where the file does not say
  Tensor images;        ///< float32 `[N, C, H, W]` in [−1, 1]
  Tensor labels;        ///< int64 `[N]`; undefined where the file has none
  int64_t classes = 0;  ///< 0 without labels

  [[nodiscard]] int64_t size() const { return images.size(0); }
  [[nodiscard]] std::vector<int64_t> shape() const { return images.sizes().slice(1).vec(); }
  /// Standard deviation of all pixels about their common mean: σ_data of the EDM preconditioning.
  [[nodiscard]] double std() const;
};

/// Reads a safetensors file with `images` U8 `[N, C, H, W]`, optional `labels` I64 `[N]`, and the metadata `format`
/// ("stride-images"), `version` ("1"), `name`, `maximum` (the pixel value that becomes 1; 0 becomes −1) and, with
/// labels, `classes`. scripts/make-digits writes one. Throws InputError, saying what is wrong.
[[nodiscard]] ImageData load_images(const std::string& path);
/// The same from bytes in memory; `path` names them in messages.
[[nodiscard]] ImageData parse_images(std::string_view bytes, const std::string& path);

}  // namespace stride
