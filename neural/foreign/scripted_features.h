// Feature networks of other projects, as TorchScript.
#pragma once

#include "framework/tensor.h"

#include <memory>
#include <string>
#include <vector>

namespace stride {

/// What is done to images in [−1, 1] before a scripted network sees them.
struct ScriptedInput {
  std::vector<int64_t> resize = {};  ///< [H, W]: bilinear, align_corners false, no antialiasing; empty: none
  std::string range = "signed";      ///< "signed" [−1, 1], "unit" [0, 1], or "byte" uint8 0 to 255
  bool return_features = false;  ///< the network is called with return_features=True, as StyleGAN's detectors need it
};

/// images `[N, C, H, W]` in [−1, 1] → what the network is given. Resizing comes first, as pytorch-fid does it (on [0,
/// 1] there, which is the same up to rounding); "byte" rounds half-way cases to the even number. Throws UsageError on
/// an unknown range and on what is no image.
[[nodiscard]] Tensor scripted_input(const Tensor& images, const ScriptedInput& input);

/// A network from a TorchScript file. Such a file is a program: load only files that the user has vouched for.
class ScriptedFeatures final {
 public:
  /// Throws InputError, naming `where`, when the bytes are no TorchScript module.
  ScriptedFeatures(const std::string& bytes, const std::string& where, ScriptedInput input, at::Device device);
  ~ScriptedFeatures();
  ScriptedFeatures(const ScriptedFeatures&) = delete;
  ScriptedFeatures& operator=(const ScriptedFeatures&) = delete;

  /// float64 `[N, F]` on the CPU of images `[N, C, H, W]` in [−1, 1], computed in float32 in chunks of 64. The network
  /// may return `[N, F]`, `[N, F, 1, 1]` or a tuple that begins with one of them. Throws InputError where it fails or
  /// returns something else.
  [[nodiscard]] Tensor features(const Tensor& images) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stride
