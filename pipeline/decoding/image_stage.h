// From samples to pictures: decoders of latents, and what is done to pictures after them.
#pragma once

#include "framework/tensor.h"
#include "neural/foreign/image_map.h"
#include "pipeline/decoding/stage_card.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace stride {

/// One such network.
struct ImageStage {
  StageCard card;
  std::string sha256;  ///< tells networks apart: of the weights where they are a file of their own, else of the code
  ImageMap map = {};   ///< of any number of rows
};

/// The network of a card with the table [decoder] or [post] (`table`), or of a folder with a card.toml. Code is opened
/// only with `trust`, and when it is what the card promises; it then answers the card's probe or, without one, is run
/// once. `option` ("`decoder`") begins messages about the card's name. Throws InputError on a malformed card, files of
/// another hash, code for another device or torch, and where the probe is answered otherwise; UsageError on an unknown
/// key and where trust is missing.
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
