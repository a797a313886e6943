#include "framework/models/tiled_denoiser.h"

#include "framework/error.h"
#include "framework/models/network_denoiser.h"
#include "framework/options.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace stride {
namespace {

constexpr double kMost = 1 << 20;  // of any of the numbers

const Options<Tiling>& tiling_options() {
  static const Options<Tiling> declared = options<Tiling>(
      integer("overlap", &Tiling::overlap, in_range(0, kMost), "pixels on each side of a border that are blended"),
      integer("context", &Tiling::context, in_range(0, kMost), "pixels around a tile that are seen and thrown away"),
      integer("multiple", &Tiling::multiple, in_range(0, kMost), "what sizes are multiples of; 0: the network's own"),
      integer("at_once", &Tiling::at_once, in_range(1, kMost), "tiles in one pass of the network"));
  return declared;
}

int64_t multiple_of(const Denoiser& denoiser) {
  const auto* network = dynamic_cast<const NetworkDenoiser*>(&denoiser);
  return network != nullptr ? network->network().multiple() : 1;
}

BatchState repeated(const BatchState& condition, std::size_t times) {
  if (times == 1) return condition;
  std::vector<Tensor> slots;
  for (const Tensor& slot : condition.slots()) slots.push_back(at::cat(std::vector<Tensor>(times, slot)));
  return BatchState(std::move(slots));
}

}  // namespace

Tiling parse_tiling(const std::string& text) {
  const Spec spec = Spec::parse(text);
  Tiling out = tiling_options().read(spec, "`tile`");
  const std::string& size = spec.name;
  const auto by = size.find('x');
  if (by == std::string::npos)
    throw UsageError(fmt::format("`tile` {}: rows by columns of tiles are needed, as in 2x2 or 4x3:overlap=8", text));
  out.rows = integer_within(size.substr(0, by), in_range(1, kMost), fmt::format("`tile` {}: rows", text));
  out.columns = integer_within(size.substr(by + 1), in_range(1, kMost), fmt::format("`tile` {}: columns", text));
  return out;
}

TiledDenoiser::Axis TiledDenoiser::cut(int64_t length, int64_t parts, const Tiling& tiling, const char* side) {
  const int64_t unit = tiling.multiple, units = length / unit;
  Axis axis{.length = length};
  if (parts > 1 && length % unit != 0)
    throw UsageError(
        fmt::format("`tile`: the image's {} {} is no multiple of {}: leave it in one part, or give "
                    "another `multiple`",
                    side, length, unit));
  if (parts > units && parts > 1)
    throw UsageError(fmt::format("`tile`: the image's {} {} cannot be cut into {} parts at multiples of {}: at most {}",
                                 side, length, parts, unit, std::max<int64_t>(1, units)));
  const auto border = [&](int64_t i) { return i == parts ? length : (2 * i * units + parts) / (2 * parts) * unit; };
  for (int64_t i = 0; i < parts; ++i) {
    const bool first = i == 0, last = i + 1 == parts;
    const Span tile{border(i), border(i + 1), 0};
    const int64_t borders = static_cast<int64_t>(!first) + static_cast<int64_t>(!last);
    if (borders > 0 && tiling.overlap > (tile.end - tile.begin) / borders)
      throw UsageError(
          fmt::format("`tile`: with an overlap of {} the borders of a tile of {} pixels meet: at most {}, "
                      "or fewer tiles along the {}",
                      tiling.overlap, tile.end - tile.begin, (tile.end - tile.begin) / borders, side));
    axis.tiles.push_back(tile);
  }
  const int64_t around = tiling.overlap + tiling.context;
  const auto begin = [&](const Span& tile) { return std::max<int64_t>(0, tile.begin - around) / unit * unit; };
  const auto end = [&](const Span& tile) { return std::min(length, (tile.end + around + unit - 1) / unit * unit); };
  for (const Span& tile : axis.tiles) axis.window = std::max(axis.window, end(tile) - begin(tile));
  for (Span& tile : axis.tiles) tile.window = std::min(begin(tile), length - axis.window);
  return axis;
}

TiledDenoiser::TiledDenoiser(const Denoiser& inner, const Tiling& tiling) : inner_(inner), tiling_(tiling) {
  const ModelInfo& model = inner.info();
  if (model.shape.size() != 3)
    throw UsageError(
        fmt::format("`tile`: the samples of '{}' have the shape [{}], and images [C, H, W] have tiles: "
                    "leave `tile` out",
                    model.name, fmt::join(model.shape, ", ")));
  if (model.kind == "gaussian_mixture")
    throw UsageError(fmt::format("`tile`: '{}' is a closed form of whole samples: leave `tile` out", model.name));
  if (tiling.rows < 1 || tiling.columns < 1 || tiling.overlap < 0 || tiling.context < 0 || tiling.multiple < 0 ||
      tiling.at_once < 1)
    throw UsageError("`tile`: rows, columns and at_once are at least 1, overlap, context and multiple at least 0");
  if (tiling_.multiple == 0) tiling_.multiple = multiple_of(inner);
  down_ = cut(model.shape[1], tiling.rows, tiling_, "height");
  across_ = cut(model.shape[2], tiling.columns, tiling_, "width");
  for (const Span& down : down_.tiles)
    for (const Span& across : across_.tiles) tiles_.push_back({down, across});
}

Tensor TiledDenoiser::pass(const Tensor& x, std::size_t first, std::size_t n) const {
  std::vector<Tensor> seen;
  for (std::size_t i = first; i < first + n; ++i)
    seen.push_back(x.narrow(2, tiles_[i].down.window, down_.window).narrow(3, tiles_[i].across.window, across_.window));
  return n == 1 ? seen[0].contiguous() : at::cat(seen);
}

// Of the pixels from `overlap` before the tile to `overlap` behind it. Made on the device: nothing is uploaded, which a
// CUDA graph could not do again.
Tensor TiledDenoiser::weights(const Axis& axis, const Span& tile, const Tensor& like) const {
  const int64_t ramp = 2 * tiling_.overlap;
  const Tensor rising =
      ((at::arange(ramp, like.options().dtype(at::kDouble)) + 0.5) / static_cast<double>(ramp)).to(like.scalar_type());
  const bool before = tile.begin > 0, behind = tile.end < axis.length;
  const int64_t plain = tile.end - tile.begin - tiling_.overlap * (static_cast<int64_t>(before) + behind);
  std::vector<Tensor> parts = {at::ones({plain}, like.options())};
  if (before) parts.insert(parts.begin(), rising);
  if (behind) parts.push_back(1.0 - rising);
  return at::cat(parts);
}

void TiledDenoiser::paste(Tensor& canvas, const Tensor& said, const Tile& tile) const {
  if (said.dim() != 4 || said.size(2) != down_.window || said.size(3) != across_.window)
    throw UsageError(
        fmt::format("`tile`: '{}' made [{}] of a tile {} x {}: it does not take images of other sizes; "
                    "leave `tile` out",
                    info().name, fmt::join(said.sizes(), ", "), down_.window, across_.window));
  if (!canvas.defined()) canvas = at::zeros({said.size(0), said.size(1), down_.length, across_.length}, said.options());
  const int64_t overlap = tiling_.overlap;
  const auto blended = [&](const Axis& axis, const Span& span) {
    return Span{std::max<int64_t>(0, span.begin - overlap), std::min(axis.length, span.end + overlap), span.window};
  };
  const Span down = blended(down_, tile.down), across = blended(across_, tile.across);
  const int64_t height = down.end - down.begin, width = across.end - across.begin;
  Tensor place = canvas.narrow(2, down.begin, height).narrow(3, across.begin, width);
  const Tensor part = said.narrow(2, down.begin - down.window, height).narrow(3, across.begin - across.window, width);
  if (overlap == 0)
    place.copy_(part);
  else
    place.addcmul_(part, weights(down_, tile.down, said).unsqueeze(1) * weights(across_, tile.across, said));
}

template <class Evaluate>
Evaluation TiledDenoiser::tiled(const Tensor& x, const Times& sigma, const BatchState& condition,
                                const Evaluate& evaluate) const {
  if (x.dim() != 4 || x.size(2) != down_.length || x.size(3) != across_.length)
    throw UsageError(fmt::format("`tile`: '{}' is cut as images [B, C, {}, {}], not [{}]", info().name, down_.length,
                                 across_.length, fmt::join(x.sizes(), ", ")));
  Evaluation out;
  const auto paste_into = [&](std::optional<Tensor>& canvas, const std::optional<Tensor>& said, int64_t row,
                              const Tile& tile) {
    if (!said) return;
    if (!canvas) canvas.emplace();
    paste(*canvas, said->narrow(0, row, x.size(0)), tile);
  };
  for (std::size_t first = 0; first < tiles_.size();) {
    const std::size_t n = std::min(static_cast<std::size_t>(tiling_.at_once), tiles_.size() - first);
    const Evaluation said =
        evaluate(pass(x, first, n), n == 1 ? sigma : sigma.repeat({static_cast<int64_t>(n)}), repeated(condition, n));
    for (std::size_t i = 0; i < n; ++i) {
      const auto row = static_cast<int64_t>(i) * x.size(0);
      const Tile& tile = tiles_[first + i];
      paste(out.denoised, said.denoised.narrow(0, row, x.size(0)), tile);
      paste_into(out.unconditional, said.unconditional, row, tile);
      paste_into(out.log_variance, said.log_variance, row, tile);
    }
    first += n;
  }
  return out;
}

Evaluation TiledDenoiser::evaluate(const Tensor& x, const Times& sigma, const BatchState& condition) const {
  return tiled(x, sigma, condition, [&](const Tensor& seen, const Times& at, const BatchState& under) {
    return inner_.evaluate(seen, at, under);
  });
}

Evaluation TiledDenoiser::evaluate_both(const Tensor& x, const Times& sigma, const BatchState& condition) const {
  return tiled(x, sigma, condition, [&](const Tensor& seen, const Times& at, const BatchState& under) {
    return inner_.evaluate_both(seen, at, under);
  });
}

BatchState TiledDenoiser::null_condition(const BatchState& condition) const { return inner_.null_condition(condition); }

Tensor TiledDenoiser::constrain(const Tensor& denoised, const BatchState& condition) const {
  return inner_.constrain(denoised, condition);
}

}  // namespace stride
