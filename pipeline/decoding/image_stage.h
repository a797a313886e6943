// From samples to pictures: decoders of latents, and what is done to pictures after them.
#pragma once

#include "framework/models/tiled_map.h"
#include "framework/tensor.h"
#include "neural/networks/scripted_images.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace stride {

/// One such network, by its card.
struct ImageStage {
  std::string name, where, sha256;
  std::vector<int64_t> in_shape, out_shape;  ///< [C, H, W] of a sample and of its picture
  double scale = 1.0, shift = 0.0;           ///< the network sees x/scale + shift
  std::vector<int64_t> batches = {};         ///< rows that a pass takes; empty: any number
  MapTiles tiles = {};
  ImageMap map = {};
};

/// Reads a card with the table [decoder] or [post] (`table`):
///
///   kind = "torchscript"          # or "aoti", with `device`; a file of code, run only with `trust`
///   name = "sd-vae"
///   file = "decoder.pt"           # relative to the card
///   sha256 = "…"                  # of that file; required: code is never opened without it
///   dtype = "float32"             # of the network: float32, float16 or bfloat16
///   probe = "probe.safetensors"   # `input` and `output` as its exporter saw them; loading runs it
///   probe_sha256 = "…"            # of that file, where the card says it
///   in_shape = [4, 64, 64]
///   out_shape = [3, 512, 512]     # in [−1, 1]
///   scale = 0.18215               # [decoder] alone: the network sees z/scale + shift
///   shift = 0.0
///   batches = "dynamic"           # or [1, 8]: rows are padded and split
///   tile = 64                     # pixels of the input that a pass takes at most; none: the whole
///   context = 8                   # of these thrown away at a pass's border (default: an eighth of `tile`)
///   overlap = 8                   # of these blended on each side of a border (default: an eighth of `tile`)
///
/// Throws InputError on a malformed card, a file of another hash and a probe that disagrees; UsageError on an unknown
/// key and where trust is missing. `option` ("`decoder`") begins messages about the card's name.
[[nodiscard]] ImageStage load_image_stage(const std::string& option, const std::string& table, const std::string& card,
                                          bool trust, at::Device device);

/// Decoder and post, each perhaps none, one after the other.
class ImageStages final {
 public:
  ImageStages() = default;
  /// Paths of cards; empty: none. Throws as load_image_stage, and UsageError where the stages' shapes do not meet.
  ImageStages(const std::string& decoder, const std::string& post, bool trust, at::Device device);

  [[nodiscard]] bool empty() const noexcept { return stages_.empty(); }
  /// What samples of `shape` become. Throws UsageError where the first stage takes another shape.
  [[nodiscard]] std::vector<int64_t> out_shape(const std::vector<int64_t>& shape) const;
  /// samples `[N, …]` → pictures float32 `[N, C, H, W]` on the CPU, in passes of so many rows that a pass's results
  /// stay within 64 MiB. Where a pass runs out of memory it is tried again with half the rows.
  [[nodiscard]] Tensor operator()(const Tensor& samples) const;
  /// Path of the card and SHA-256 of the network of each, for results.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> made_with() const;

 private:
  std::vector<ImageStage> stages_ = {};
};

}  // namespace stride
