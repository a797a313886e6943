// Images to train on.
#pragma once

#include "datasets/images/pixels.h"
#include "framework/progress.h"
#include "framework/tensor.h"

#include <string>
#include <string_view>
#include <vector>

namespace stride {

/// A set of images in memory, in the scale that models see.
struct ImageData {
  std::string name;
  /// Which images these are: the set's own sum (ImageSource::sha256) or, where they were transformed, that of the text
  /// "<the set's sum> <ImageTransform::text>".
  std::string sha256;
  std::string source;     ///< where the images are from, and
  std::string licence;    ///< under which terms; empty where the file does not say
  Tensor images;          ///< float32 `[N, C, H, W]` in [−1, 1]; undefined where only `pixels` were asked for
  Tensor pixels;          ///< the same as uint8, 0 to `maximum`, a quarter of the size; undefined for sets made in code
  int64_t maximum = 255;  ///< the value in `pixels` that is 1 in `images`; 0 is −1
  Tensor labels;          ///< int64 `[N]`; undefined where the file has none
  int64_t classes = 0;    ///< 0 without labels
  std::string kind;       ///< "folder", "CIFAR-10", …; empty for sets made in code
  bool stopped = false;   ///< reading was stopped: not all images are there

  [[nodiscard]] int64_t size() const { return stored().size(0); }
  [[nodiscard]] std::vector<int64_t> shape() const { return stored().sizes().slice(1).vec(); }
  /// Standard deviation of all pixels about their common mean: σ_data of the EDM preconditioning.
  [[nodiscard]] double std() const;
  /// The smaller of the two that there is: `pixels`, else `images`.
  [[nodiscard]] const Tensor& stored() const { return pixels.defined() ? pixels : images; }
  /// Values of `stored()` as `images` has them: float32 in [−1, 1], on the device of `values`.
  [[nodiscard]] Tensor scaled(const Tensor& values) const;
};

struct ImageDataOptions {
  ImageTransform transform;
  bool labels = true;  ///< false: labels are neither needed nor looked at
  bool floats = true;  ///< false: `images` stays undefined, for sets whose floats do not fit into memory
  int threads = 0;     ///< that decode; 0: one a core
};

/// Reads any image set that open_images knows (docs/images.md). Stride's own safetensors file also says `name`,
/// `source` and `licence`. Throws InputError, saying what is wrong, and ResourceError when memory runs out.
[[nodiscard]] ImageData load_images(const std::string& path, const ImageDataOptions& options = {},
                                    const ProgressFn& progress = {});
/// The same for the bytes of a safetensors file in memory; `path` names them in messages.
[[nodiscard]] ImageData parse_images(std::string_view bytes, const std::string& path,
                                     const ImageDataOptions& options = {});

}  // namespace stride
