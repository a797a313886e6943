// Samples and images from anywhere, as what metrics compare.
#pragma once

#include "framework/tensor.h"

#include <string>

namespace stride {

/// A set of samples in the scale that models see.
struct SampleSource {
  Tensor x;                  ///< `[N, …]`, floating point; images `[N, C, H, W]` in [−1, 1]
  Tensor seeds;              ///< int64 `[N]`; undefined where the file has none
  std::string name, sha256;  ///< of the file
};

/// samples.h5 in `path` where that is a folder with one, such as a run's; else `path`.
[[nodiscard]] std::string samples_of_run(const std::string& path);

/// `samples.h5`, a folder with one, any HDF5 file with `/x`, an .npz with `arr_0` uint8 `[N, H, W, C]`, or what
/// load_images reads: image files, folders and archives. `option` ("`samples`") begins messages about the name. Throws
/// InputError.
[[nodiscard]] SampleSource load_samples(const std::string& option, const std::string& path);

/// uint8 images `[N, H, W, C]` as float32 `[N, C, H, W]` in [−1, 1]: x/127.5 − 1.
[[nodiscard]] Tensor from_pixels(const Tensor& pixels);

/// Bytes of a file, or of the embedded one of that name: the safetensors of `digits` (`features` false) or of
/// `features-digits` (true). Throws InputError naming the embedded ones.
struct NamedBytes {
  std::string bytes, where;
};
[[nodiscard]] NamedBytes find_bytes(const std::string& option, const std::string& name, bool features);

}  // namespace stride
