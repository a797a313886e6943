// Noise as a pure function (design §2.6).
#pragma once

#include "framework/tensor.h"

#include <memory>
#include <optional>
#include <vector>

namespace stride {

/// What of the Brownian path over an interval a draw stands for.
enum class NoiseKind {
  increment,  ///< W(from²) − W(to²)
  area,       ///< the space-time Lévy area: how far the path, on its way, lies off the straight line on average
};

/// One request for unit normals: the k-th draw of a step from `from` to `to`.
struct NoiseDraw {
  Tensor ids;    ///< int64 `[B]`, who asks: a sample's identity, never its position
  Tensor step;   ///< int64 `[B]`, accepted steps so far
  Tensor drawn;  ///< int64 `[B]`, draws consumed before this one
  int64_t draw;  ///< which draw of this step, from 0
  Times from;    ///< interval of noise levels that the draw belongs to, from > to ≥ 0
  Times to;
  NoiseKind kind = NoiseKind::increment;  ///< the two kinds of one interval are independent
  /// int64 `[B]`, noise_keys of a run that begins with data; none: the run begins with noise, and the ids are the keys
  std::optional<Tensor> keys = {};
};

/// Keys for the noise of runs that begin with data: int64 `[B]`, a hash of each sample's id and of what it begins with,
/// on the device of the ids. `given` holds tensors `[B, …]` on any device, in a fixed order; one that is undefined was
/// not given. Data are hashed as float64, so that their dtype does not matter. What a run leaves may be the next one's
/// beginning: with the ids alone as keys, the next run would draw the noise that its data were made of.
[[nodiscard]] Tensor noise_keys(const Tensor& ids, const std::vector<Tensor>& given);

/// A source of unit normals. A draw is a pure function of its request: rejection, compaction, batch size
/// and order change nothing.
class NoiseSource {
 public:
  virtual ~NoiseSource() = default;
  /// Unit normals shaped and typed like `like` `[B, …]`.
  [[nodiscard]] virtual Tensor normal(const NoiseDraw& draw, const Tensor& like) const = 0;

 protected:
  NoiseSource() = default;
  NoiseSource(const NoiseSource&) = default;
  NoiseSource& operator=(const NoiseSource&) = default;
};

/// Throws UsageError when asked: the noise of deterministic runs.
class NoNoise final : public NoiseSource {
 public:
  [[nodiscard]] Tensor normal(const NoiseDraw& draw, const Tensor& like) const override;
};

/// Counter-based noise: Philox4x32-10 (Salmon et al. 2011) keyed by the id, or by NoiseDraw::keys in a stream of their
/// own, counted by (element, step, draw, seed). Float32 normals, cast to the dtype asked for; the same bits on every
/// device.
class PhiloxNoise final : public NoiseSource {
 public:
  explicit PhiloxNoise(uint32_t seed = 0) : seed_(seed) {}
  [[nodiscard]] Tensor normal(const NoiseDraw& draw, const Tensor& like) const override;

  /// The unit normals that a sample starts from (multiply by the first σ): its own stream, so that no
  /// draw of a step repeats it. `shape` is one sample's.
  [[nodiscard]] Tensor initial(const Tensor& ids, at::IntArrayRef shape, at::ScalarType dtype) const;
  /// The unit normals that are added to given data where a run begins with them; `keys` are its noise_keys.
  [[nodiscard]] Tensor later_start(const Tensor& keys, at::IntArrayRef shape, at::ScalarType dtype) const;

 private:
  uint32_t seed_;
};

/// Brownian motion over the variance clock σ², by bisection to `depth` levels (Kidger et al. 2021,
/// arXiv:2105.13493 §4 describe the idea). Intervals are split at their geometric mean, so that the resolution is
/// relative: ln(σ_max/σ_min)/2^depth at every level. A draw is the normalised increment over [to, from]:
/// draws over adjoining intervals add up, and a refined grid sees the same path. Each interval carries its increment
/// and its space-time Lévy area, and both are split together, so that an area is the one of the path that the
/// increments belong to. Below σ_min the path is one straight line down to σ = 0.
class BrownianTree final : public NoiseSource {
 public:
  /// Throws UsageError unless 0 < sigma_min < sigma_max and 1 ≤ depth ≤ 30.
  BrownianTree(uint32_t seed, double sigma_min, double sigma_max, int depth = 24);
  [[nodiscard]] Tensor normal(const NoiseDraw& draw, const Tensor& like) const override;
  /// W(σ²) − W(σ_min²) for each sample, shaped like `like`, float64.
  [[nodiscard]] Tensor path(const Tensor& ids, const Times& sigma, const Tensor& like) const;

 private:
  struct Point {
    Tensor value;     ///< W(σ²) − W(σ_min²)
    Tensor integral;  ///< of the value over the clock, from σ_min² to σ²
  };
  [[nodiscard]] Point point(const Tensor& keys, bool later, const Times& sigma, const Tensor& like) const;

  uint32_t seed_;
  double low_, high_;
  int depth_;
};

}  // namespace stride
