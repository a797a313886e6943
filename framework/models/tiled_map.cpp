#include "framework/models/tiled_map.h"

#include "framework/error.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

namespace stride {
namespace {

// A tile along one side: what it is the result of, where its pass begins.
struct Span {
  int64_t begin, end, window;
};

struct Axis {
  int64_t length = 0, window = 0;
  std::vector<Span> tiles = {};
};

// How many pixels of the output one of the input becomes: over/under.
struct Scale {
  int64_t over = 1, under = 1;
  [[nodiscard]] int64_t of(int64_t pixels) const { return pixels * over / under; }
};

Scale scale_of(int64_t in, int64_t out) {
  if (out >= in && out % in == 0) return {out / in, 1};
  if (out > 0 && in % out == 0) return {1, in / out};
  throw UsageError(fmt::format(
      "a network that makes {} pixels of {} cannot be run in tiles: leave `tile` out of its card", out, in));
}

int64_t window_of(int64_t length, const MapTiles& tiles) {
  return tiles.window <= 0 ? length : std::min(tiles.window, length);
}

// Borders as even as whole pixels of input and output let them.
Axis cut(int64_t length, const MapTiles& tiles, int64_t unit) {
  Axis axis{length, window_of(length, tiles)};
  if (axis.window == length) {
    axis.tiles = {{0, length, 0}};
    return axis;
  }
  const int64_t around = tiles.overlap + tiles.context;
  const int64_t core = axis.window - 2 * around;
  const auto no_room = [&] {
    return UsageError(fmt::format("tiles of {} pixels have no room beside {} of overlap and {} of context on each side",
                                  tiles.window, tiles.overlap, tiles.context));
  };
  if (core < unit) throw no_room();
  for (const int64_t pixels : {length, axis.window, tiles.overlap, tiles.context})
    if (pixels % unit != 0)
      throw UsageError(
          fmt::format("a network that makes one pixel of {0} takes images, tiles, overlap and context that "
                      "are multiples of {0}, not {1}",
                      unit, pixels));
  const int64_t units = length / unit, parts = (length + core - 1) / core;
  if (units / parts * unit < 2 * tiles.overlap) throw no_room();  // the smallest, between two blends
  for (int64_t i = 0; i < parts; ++i) {
    const int64_t begin = i * units / parts * unit, end = (i + 1) * units / parts * unit;
    axis.tiles.push_back({begin, end, std::clamp<int64_t>(begin - around, 0, length - axis.window)});
  }
  return axis;
}

// From `overlap` before the tile to `overlap` behind it, on the output's grid.
Tensor weights(const Axis& axis, const Span& tile, int64_t overlap, const Scale& scale, const Tensor& like) {
  const int64_t ramp = scale.of(2 * overlap);
  const Tensor rising =
      ((at::arange(ramp, like.options().dtype(at::kDouble)) + 0.5) / static_cast<double>(ramp)).to(like.scalar_type());
  const bool before = tile.begin > 0, behind = tile.end < axis.length;
  const int64_t plain = scale.of(tile.end - tile.begin) - ramp / 2 * (int64_t{before} + int64_t{behind});
  std::vector<Tensor> parts = {at::ones({plain}, like.options())};
  if (before) parts.insert(parts.begin(), rising);
  if (behind) parts.push_back(1.0 - rising);
  return at::cat(parts);
}

}  // namespace

Tensor tiled_map(const std::function<Tensor(const Tensor&)>& map, const Tensor& x, const MapTiles& tiles) {
  if (x.dim() != 4)
    throw UsageError(fmt::format("tiles are of images [B, C, H, W], not [{}]", fmt::join(x.sizes(), ", ")));
  const int64_t tall = window_of(x.size(2), tiles), broad = window_of(x.size(3), tiles);
  if (tall == x.size(2) && broad == x.size(3)) return map(x);
  const auto pass = [&](int64_t row, int64_t column) {
    return map(x.narrow(2, row, tall).narrow(3, column, broad).contiguous());
  };
  // The first pass says how large the output is.
  const Tensor first = pass(0, 0);
  const Scale high = scale_of(tall, first.size(2)), wide = scale_of(broad, first.size(3));
  const Axis down = cut(x.size(2), tiles, high.under), across = cut(x.size(3), tiles, wide.under);
  Tensor canvas = at::zeros({x.size(0), first.size(1), high.of(down.length), wide.of(across.length)}, first.options());
  for (const Span& row : down.tiles)
    for (const Span& column : across.tiles) {
      const bool is_first = &row == &down.tiles[0] && &column == &across.tiles[0];
      const Tensor said = is_first ? first : pass(row.window, column.window);
      if (said.size(2) != first.size(2) || said.size(3) != first.size(3))
        throw UsageError("a network whose tiles differ in size cannot be run in tiles: leave `tile` out of its card");
      const auto blended = [&](const Axis& axis, const Span& tile) {
        return Span{std::max<int64_t>(0, tile.begin - tiles.overlap), std::min(axis.length, tile.end + tiles.overlap),
                    tile.window};
      };
      const Span r = blended(down, row), c = blended(across, column);
      const int64_t height = high.of(r.end - r.begin), width = wide.of(c.end - c.begin);
      Tensor place = canvas.narrow(2, high.of(r.begin), height).narrow(3, wide.of(c.begin), width);
      const Tensor part =
          said.narrow(2, high.of(r.begin - r.window), height).narrow(3, wide.of(c.begin - c.window), width);
      if (tiles.overlap == 0)
        place.copy_(part);
      else
        place.addcmul_(part, weights(down, row, tiles.overlap, high, said).unsqueeze(1) *
                                 weights(across, column, tiles.overlap, wide, said));
    }
  return canvas;
}

}  // namespace stride
