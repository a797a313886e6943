// Cards of decoders, and of what comes after them.
#pragma once

#include "framework/models/tiled_map.h"
#include "pipeline/models/foreign_card.h"

#include <cstdint>
#include <string>
#include <vector>

namespace stride {

/// A card with the table [decoder] or [post]:
///
///   kind = "torchscript"          # or "aoti", with `device`; a file of code
///   name = "sd-vae"
///   file = "decoder.pt"           # relative to the card
///   sha256 = "…"                  # of that file; required: code is never opened without it
///   packages = [ { file = "…", sha256 = "…", batch = 8 }, … ]   # aoti, in place of file, sha256 and batches
///   weights = "weights.safetensors"   # aoti: the package's constants by name, where they are a file of their own
///   weights_sha256 = "…"
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
struct StageCard {
  std::string where, name, kind;
  ForeignCard code;
  std::string probe, probe_sha256;
  std::vector<int64_t> in_shape, out_shape;  ///< [C, H, W] of a sample and of its picture
  double scale = 1.0, shift = 0.0;           ///< the network sees x/scale + shift
  std::vector<int64_t> batches;              ///< rows that a pass takes; empty: any number, or what `code` says
  MapTiles tiles;
};

/// `where` starts every message. Throws InputError on a malformed card and one without `table`; UsageError on an
/// unknown key.
[[nodiscard]] StageCard parse_stage_card(const std::string& text, const std::string& table, const std::string& where);

}  // namespace stride
