// Trajectories whose every value is a function of the seed, so that whatever a store gives back can be checked.
#pragma once

#include <ATen/ATen.h>

#include "datasets/store/trajectory.h"

#include <cstdint>
#include <numeric>
#include <vector>

namespace stride::testing {

[[nodiscard]] inline TrajectoryConfig small_config(at::ScalarType dtype = at::kFloat) {
  TrajectoryConfig config;
  config.model_sha256 = "0123456789abcdef";
  config.solver = "heun";
  config.schedule = "karras:rho=7";
  config.dtype = dtype;
  config.sample_shape = {2, 3};
  config.steps = 3;
  config.sigmas = {80.0, 5.0, 0.1, 0.0};
  config.settings = {{"policy", "fixed"}};
  return config;
}

/// A value in [0, 1) that float16 holds exactly.
[[nodiscard]] inline float value_of(int64_t seed, int64_t index) {
  uint64_t bits =
      static_cast<uint64_t>(seed) * 0x9E3779B97F4A7C15u + static_cast<uint64_t>(index) * 0xD1B54A32D192ED03u;
  bits = (bits ^ (bits >> 29)) * 0xBF58476D1CE4E5B9u;
  return static_cast<float>(bits >> 54) / 1024.0F;
}

[[nodiscard]] inline at::Tensor values_of(const std::vector<int64_t>& seeds, std::vector<int64_t> shape, int64_t salt) {
  shape.insert(shape.begin(), static_cast<int64_t>(seeds.size()));
  at::Tensor values = at::empty(shape, at::TensorOptions().dtype(at::kFloat));
  auto* out = values.mutable_data_ptr<float>();
  const int64_t per_seed = seeds.empty() ? 0 : values.numel() / static_cast<int64_t>(seeds.size());
  for (const int64_t seed : seeds) {
    for (int64_t i = 0; i < per_seed; ++i) *out++ = value_of(seed, 2 * i + salt);
  }
  return values;
}

[[nodiscard]] inline TrajectoryBatch trajectories_of(const std::vector<int64_t>& seeds,
                                                     const TrajectoryConfig& config) {
  const auto n = static_cast<int64_t>(seeds.size());
  const auto shape = [&](int64_t points) {
    std::vector<int64_t> extents{points};
    extents.insert(extents.end(), config.sample_shape.begin(), config.sample_shape.end());
    return extents;
  };
  TrajectoryBatch batch;
  batch.x = values_of(seeds, shape(config.points()), 0);
  batch.denoised = values_of(seeds, shape(config.steps), 1);
  batch.seed = at::empty({n}, at::TensorOptions().dtype(at::kLong));
  std::copy(seeds.begin(), seeds.end(), batch.seed.mutable_data_ptr<int64_t>());
  batch.nfe = at::remainder(batch.seed, 97).to(at::kInt);
  batch.status = at::remainder(batch.seed, 4).to(at::kChar);
  if (config.sigmas.empty()) batch.sigma = values_of(seeds, {config.points()}, 7).to(at::kDouble);
  return batch;
}

/// Whether the rows of `batch`, read as float32, are what their seeds say.
[[nodiscard]] inline bool is_content_of(const TrajectoryBatch& batch, const std::vector<int64_t>& seeds,
                                        const TrajectoryConfig& config) {
  const TrajectoryBatch expected = conform(trajectories_of(seeds, config), config);
  return at::equal(batch.seed, expected.seed) && at::equal(batch.nfe, expected.nfe) &&
         at::equal(batch.status, expected.status) && at::equal(batch.sigma, expected.sigma) &&
         at::equal(batch.x, expected.x.to(at::kFloat)) && at::equal(batch.denoised, expected.denoised.to(at::kFloat));
}

[[nodiscard]] inline std::vector<int64_t> seeds_from(int64_t first, int64_t count) {
  std::vector<int64_t> seeds(static_cast<std::size_t>(count));
  std::iota(seeds.begin(), seeds.end(), first);
  return seeds;
}

}  // namespace stride::testing
