// Images larger than a pass of a network can be: a map from images to images that works tile by tile.
#pragma once

#include "framework/tensor.h"

#include <cstdint>
#include <functional>

namespace stride {

/// How the input is cut, in its own pixels.
struct MapTiles {
  int64_t window = 0;   ///< height and width of what a pass sees at most; 0: the whole input
  int64_t context = 0;  ///< pixels at a pass's border whose result is thrown away
  int64_t overlap = 0;  ///< pixels on each side of a border between tiles in which the two are blended
};

/// `map` of x `[B, C, H, W]`, tile after tile. An output of the map is a whole number of times as high and wide as its
/// input, or a whole part of it. All passes are of one size, so that near the image's edge a tile has more on its other
/// side. Across the overlap the weight goes from one tile to the other along a line at pixels' centres; weights sum to
/// 1, those of a corner are products (as in TiledDenoiser).
///
/// Equal to `map(x)`, to rounding, where a pixel of the output depends on the input within `context` pixels of its
/// place: convolutions, with their padding at the image's edge. Normalisation and attention over the image see a tile
/// where they saw the image.
///
/// Throws UsageError where the window has no room for a tile beside overlap and context, and where the map's size is no
/// such multiple.
[[nodiscard]] Tensor tiled_map(const std::function<Tensor(const Tensor&)>& map, const Tensor& x, const MapTiles& tiles);

}  // namespace stride
