// Tiles of a map from images to images.
#include "framework/models/tiled_map.h"
#include "framework/error.h"
#include "tests/catch_torch.h"

#include <ATen/ATen.h>

#include <algorithm>

namespace stride {
namespace {

Tensor noise(at::IntArrayRef shape, uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return at::randn(shape, generator, at::TensorOptions().dtype(at::kDouble));
}

// Convolutions with padding at the edge, and between them pixels twice as many: a receptive field of 2 + 1 pixels.
Tensor upscaled(const Tensor& x) {
  static const Tensor first = noise({4, 2, 5, 5}, 1) * 0.2, second = noise({3, 4, 3, 3}, 2) * 0.2;
  const Tensor inside = at::relu(at::conv2d(x, first, {}, 1, 2));
  return at::conv2d(at::upsample_nearest2d(inside, {2 * x.size(2), 2 * x.size(3)}), second, {}, 1, 1);
}

Tensor downscaled(const Tensor& x) {
  static const Tensor kernel = noise({3, 2, 4, 4}, 3);
  return at::conv2d(x, kernel, {}, 2, 1);  // half the size, from pixels −1 … 2 around each pair
}

}  // namespace

TEST_CASE("tiled map: equal to the whole where the receptive field is within the context, whatever the tiles") {
  const Tensor x = noise({2, 2, 37, 20}, 4);
  const Tensor whole = upscaled(x);
  for (const MapTiles& tiles : {MapTiles{16, 3, 0}, MapTiles{16, 3, 2}, MapTiles{20, 4, 2}, MapTiles{36, 3, 1},
                                MapTiles{37, 3, 1}, MapTiles{0, 0, 0}, MapTiles{9, 3, 0}}) {
    INFO(tiles.window << ' ' << tiles.context << ' ' << tiles.overlap);
    int passes = 0;
    int64_t largest = 0;
    const auto map = [&](const Tensor& part) {
      ++passes;
      largest = std::max({largest, part.size(2), part.size(3)});
      return upscaled(part);
    };
    const Tensor tiled = tiled_map(map, x, tiles);
    CHECK(at::allclose(tiled, whole, 0.0, 1e-12));
    if (tiles.window > 0) CHECK(largest <= tiles.window);
    CHECK((passes > 1) == (tiles.window > 0 && tiles.window < 37));
  }
  // Too little context is seen.
  CHECK_FALSE(at::allclose(tiled_map(upscaled, x, {16, 2, 1}), whole, 0.0, 1e-6));
  const Tensor even = noise({1, 2, 48, 32}, 5);
  CHECK(at::allclose(tiled_map(downscaled, even, {16, 2, 2}), downscaled(even), 0.0, 1e-12));
}

TEST_CASE("tiled map: weights of a blend sum to one, and a map that sees its tile blends along a line") {
  const Tensor x = noise({1, 1, 24, 24}, 6);
  const auto ones = [](const Tensor& part) { return at::ones_like(part); };
  CHECK(at::allclose(tiled_map(ones, x, {12, 1, 2}), at::ones_like(x), 0.0, 1e-12));
  int pass = 0;
  const auto numbered = [&](const Tensor& part) { return at::full_like(part, static_cast<double>(pass++)); };
  const Tensor wide = at::zeros({1, 1, 4, 16}, at::kDouble);
  const Tensor out = tiled_map(numbered, wide, {12, 0, 2});
  const Tensor row = out[0][0][0];
  CHECK(row[5].item<double>() == 0.0);
  for (int i = 0; i < 4; ++i) CHECK(row[6 + i].item<double>() == Approx((i + 0.5) / 4.0));
  CHECK(row[10].item<double>() == 1.0);
}

TEST_CASE("tiled map: what cannot be cut is refused with what to do") {
  const Tensor x = noise({1, 2, 32, 32}, 7);
  CHECK_THROWS_WITH(tiled_map(upscaled, x, {12, 4, 2}), contains("have no room"));
  CHECK_THROWS_WITH(tiled_map(upscaled, noise({1, 2, 37, 37}, 8), {20, 4, 3}), contains("have no room"));
  CHECK_THROWS_WITH(tiled_map(upscaled, x[0], {12, 3, 0}), contains("images [B, C, H, W]"));
  CHECK_THROWS_WITH(tiled_map([](const Tensor& part) { return part.narrow(2, 0, 5); }, x, {12, 2, 1}),
                    contains("leave `tile` out"));
  CHECK_THROWS_WITH(tiled_map(downscaled, x, {16, 2, 1}), contains("multiples of 2"));
}

}  // namespace stride
