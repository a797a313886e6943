#include "neural/networks/fused_conv.cuh"

namespace stride::cuda {
namespace {

// From the largest tile down: BX, BY, BN, WGM, WK, IST, ST, RST, NP. Measured: docs/results/speed.md.
#define STRIDE_CONV_TILES(F)        \
  F(0, 2, 2, 96, 2, 1, 2, 8, 3, 1)  \
  F(1, 2, 1, 160, 2, 1, 3, 8, 3, 1) \
  F(2, 2, 1, 128, 2, 1, 3, 8, 3, 1) \
  F(3, 2, 1, 96, 2, 1, 4, 6, 3, 2)  \
  F(4, 1, 1, 160, 1, 1, 4, 6, 3, 2) \
  F(5, 1, 1, 80, 1, 2, 4, 5, 3, 2)  \
  F(6, 1, 1, 64, 1, 2, 4, 6, 3, 2)  \
  F(7, 2, 2, 16, 2, 1, 3, 8, 3, 2)  \
  F(8, 1, 1, 32, 1, 3, 4, 8, 3, 2)  \
  F(9, 1, 1, 16, 1, 3, 4, 10, 3, 2)

constexpr int64_t kWanted = 120;       // blocks that keep the card busy
constexpr int64_t kWantedNarrow = 64;  // of 32 outputs: half of it idle still beats tiles of 16

}  // namespace

const std::vector<ConvTile>& conv_tiles() {
  static const std::vector<ConvTile> tiles = {
#define F(i, BX, BY, BN, WGM, WK, IST, ST, RST, NP) {8 * (BY), 8 * (BX), BN},
      STRIDE_CONV_TILES(F)
#undef F
  };
  return tiles;
}

int choose_conv_tile(int64_t batch, int height, int width, int outputs) {
  int best = -1;
  for (std::size_t i = 0; i < conv_tiles().size(); ++i) {
    const ConvTile& tile = conv_tiles()[i];
    if (height % tile.height != 0 || width % tile.width != 0 || outputs % tile.outputs != 0) continue;
    if (tile.outputs == 16 && tile.height > 8 && outputs > 16) continue;  // for the last layer alone
    best = static_cast<int>(i);
    const int64_t blocks = batch * (height / tile.height) * (width / tile.width) * (outputs / tile.outputs);
    if (blocks >= (tile.outputs == 32 ? kWantedNarrow : kWanted)) break;
  }
  return best;
}

namespace {

template <typename T>
int run(const ConvArgs& args, int tile, int64_t batch, CUstream_st* stream) {
  switch (tile) {
#define F(i, BX, BY, BN, WGM, WK, IST, ST, RST, NP) \
  case i:                                           \
    return launch_conv<T, BX, BY, BN, WGM, WK, IST, ST, RST, NP>(args, batch, stream);
    STRIDE_CONV_TILES(F)
#undef F
    default:
      return static_cast<int>(cudaErrorInvalidValue);
  }
}

}  // namespace

int fused_conv(ConvType type, const ConvArgs& args, int tile, int64_t batch, CUstream_st* stream) {
  switch (type) {
    case ConvType::bfloat16:
      return run<__nv_bfloat16>(args, tile, batch, stream);
    case ConvType::float16:
      return run<__half>(args, tile, batch, stream);
    case ConvType::tf32:
      return run<float>(args, tile, batch, stream);
  }
  return static_cast<int>(cudaErrorInvalidValue);
}

}  // namespace stride::cuda
