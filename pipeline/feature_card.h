// Feature networks by file, card or name.
#pragma once

#include "framework/tensor.h"
#include "neural/foreign/scripted_features.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace stride {

/// What feature networks are asked for.
struct FeatureRequest {
  std::string features;               ///< a network's file or card, or the name of an embedded one; empty: none
  std::string quantisation = "none";  ///< "uint8": pixels are rounded to 8 bits first
  bool trust = false;                 ///< TorchScript files may be run
  at::Device device = at::kCPU;       ///< of networks that run on one
};

/// A network ready to run.
struct LoadedFeatures {
  std::function<Tensor(const Tensor& images)> run;  ///< images `[N, C, H, W]` in [−1, 1] → float64 `[N, F]` on the CPU
  std::string name, sha256;                         ///< sha256 of the weights' file
  std::vector<int64_t> shape;                       ///< of the images it takes; empty: of any height and width
};

/// A card with a table [features]:
///
///   kind = "native"               # or "torchscript": a file of code, run only with FeatureRequest::trust
///   name = "inception"
///   file = "inception.pt"         # relative to the card
///   sha256 = "…"                  # checked before the file is read
///   size = 2048                   # F
///   shape = [1, 8, 8]             # native only
///   resize = [299, 299]           # torchscript: bilinear, align_corners false, no antialiasing; none: as they are
///   input = "signed"              # what it takes: [−1, 1] ("signed"), [0, 1] ("unit"), uint8 0 to 255 ("byte")
///   return_features = true        # torchscript: call it with return_features=True (StyleGAN's and EDM's detectors)
struct FeatureCard {
  std::string kind = "native", name, file, sha256;
  std::optional<int64_t> size;
  std::optional<std::vector<int64_t>> shape;
  ScriptedInput input;
};

/// `where` starts every message. Throws InputError on a malformed card, UsageError on an unknown key.
[[nodiscard]] FeatureCard parse_feature_card(const std::string& text, const std::string& where);

/// Of `request.features`: a native network's safetensors file, the name of an embedded network, or a card. Throws
/// InputError on a malformed card or file, UsageError on an unknown key and where trust is missing.
[[nodiscard]] LoadedFeatures load_features(const FeatureRequest& request);

}  // namespace stride
