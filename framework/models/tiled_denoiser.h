// Images larger than a pass of the network can be: a denoiser that works tile by tile.
#pragma once

#include "framework/denoiser.h"

#include <cstdint>
#include <string>
#include <vector>

namespace stride {

/// How an image is cut. Borders between tiles lie as evenly as `multiple` lets them.
struct Tiling {
  int64_t rows = 1, columns = 1;
  int64_t overlap = 0;   ///< pixels on each side of a border in which the two tiles are blended
  int64_t context = 0;   ///< pixels beyond those that a pass sees and whose result is thrown away
  int64_t multiple = 0;  ///< of what borders and sizes of passes are made; 0: the network's own (Network::multiple)
  int64_t at_once = 1;   ///< tiles in one pass: B·at_once rows
};

/// `RxC[:overlap=K,context=R,multiple=M,at_once=N]`: rows by columns. Throws UsageError on anything else.
[[nodiscard]] Tiling parse_tiling(const std::string& text);

/// The inner denoiser of samples `[C, H, W]`, tile after tile, so that memory is that of a tile. A pass sees a tile
/// with `overlap + context` pixels around it, or as many as the image has; all passes are of one size, so near the
/// image's edge a tile has more on its other side. Across `overlap` pixels on both sides of a border the weight goes
/// from one tile to the other along a line, at pixels' centres; weights sum to 1, those of a corner are products.
///
/// Equal to the inner denoiser, to rounding, where a pixel of D depends on x within `context` pixels of it and the
/// network's own grid (`multiple`) is kept: convolutions, with their padding at the image's edge. Normalisation over
/// the image, attention and other sums over all pixels see a tile where they saw the image: then the tiles only agree
/// about as well as the network is local (docs/results/tiles.md).
///
/// Predictions of overlapping views averaged in every evaluation are MultiDiffusion (Bar-Tal et al. 2023,
/// arXiv:2302.08113), whose weights are equal.
///
/// Conditions pass through whole, a row each. Evaluation::log_variance and ::unconditional are blended like D.
class TiledDenoiser final : public Denoiser {
 public:
  /// `inner` must outlive this. Throws UsageError, with what would do, where its samples are no images, cannot be cut
  /// so, or are of a closed form that only knows whole samples.
  TiledDenoiser(const Denoiser& inner, const Tiling& tiling);

  [[nodiscard]] const ModelInfo& info() const noexcept override { return inner_.info(); }
  /// Throws UsageError where x is not `[B, C, H, W]` of the model's height and width, and where the inner denoiser's
  /// result is not of the size of a tile.
  [[nodiscard]] Evaluation evaluate(const Tensor& x, const Times& sigma, const BatchState& condition) const override;
  [[nodiscard]] Evaluation evaluate_both(const Tensor& x, const Times& sigma,
                                         const BatchState& condition) const override;
  [[nodiscard]] BatchState null_condition(const BatchState& condition) const override;
  [[nodiscard]] Tensor constrain(const Tensor& denoised, const BatchState& condition) const override;

  /// Height and width of what a pass of the network sees.
  [[nodiscard]] int64_t pass_height() const noexcept { return down_.window; }
  [[nodiscard]] int64_t pass_width() const noexcept { return across_.window; }

 private:
  struct Span {
    int64_t begin, end;  // the tile
    int64_t window;      // where its pass begins
  };
  struct Axis {
    int64_t length = 0, window = 0;  // of the image, of a pass
    std::vector<Span> tiles = {};
  };
  struct Tile {
    Span down, across;
  };

  static Axis cut(int64_t length, int64_t parts, const Tiling& tiling, const char* side);
  [[nodiscard]] Tensor pass(const Tensor& x, std::size_t first, std::size_t n) const;
  void paste(Tensor& canvas, const Tensor& said, const Tile& tile) const;
  [[nodiscard]] Tensor weights(const Axis& axis, const Span& tile, const Tensor& like) const;
  template <class Evaluate>
  [[nodiscard]] Evaluation tiled(const Tensor& x, const Times& sigma, const BatchState& condition,
                                 const Evaluate& evaluate) const;

  const Denoiser& inner_;
  Tiling tiling_;
  Axis down_, across_;
  std::vector<Tile> tiles_;
};

}  // namespace stride
