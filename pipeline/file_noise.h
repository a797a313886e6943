// Noise that somebody else drew.
#pragma once

#include "framework/noise/noise.h"

#include <vector>

namespace stride {

/// Row m of `eps` `[M, N, …]` is the m-th draw of every sample; sample n is the one with id `ids[n]`. A draw beyond M
/// is NaN: the caller compares the draws spent with draws().
class FileNoise final : public NoiseSource {
 public:
  FileNoise(const Tensor& eps, const std::vector<int64_t>& ids, at::Device device);
  [[nodiscard]] Tensor normal(const NoiseDraw& draw, const Tensor& like) const override;
  [[nodiscard]] int64_t draws() const { return eps_.size(0); }

 private:
  Tensor eps_, sorted_ids_, positions_;
};

}  // namespace stride
