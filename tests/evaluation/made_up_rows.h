// Rows of an evaluation whose errors are given seed by seed: for tests of what is made from them.
#pragma once

#include "evaluation/comparison/comparison.h"
#include "evaluation/labels.h"
#include "evaluation/seed_values.h"
#include "pipeline/seeds.h"

#include <ATen/ATen.h>

#include <cmath>
#include <numeric>
#include <random>

namespace stride::made_up {

inline double root_mean_square(const std::vector<double>& errors) {
  double sum = 0.0;
  for (const double error : errors) sum += error * error;
  return std::sqrt(sum / static_cast<double>(errors.size()));
}

/// A row with errors by seed, and the RMSE of its blocks.
inline SamplerResult row(const std::string& sampler, double nfe, const std::vector<double>& errors,
                         int64_t blocks = 4) {
  SamplerResult out;
  out.sampler = sampler;
  out.schedule = out.is_plan() ? "" : "karras";
  out.final = "zero";
  out.steps = static_cast<int64_t>(nfe);
  const auto n = static_cast<int64_t>(errors.size());
  out.cost = {n, nfe, nfe, static_cast<int64_t>(nfe), nfe, 1.0, 1};
  MetricResult metric = {"rmse", {root_mean_square(errors), 0, 1}, {}};
  const std::vector<int64_t> bounds = block_bounds(n, blocks);
  for (std::size_t b = 0; b + 1 < bounds.size(); ++b) {
    metric.blocks.push_back(root_mean_square({errors.begin() + bounds[b], errors.begin() + bounds[b + 1]}));
    out.blocks.push_back({bounds[b + 1] - bounds[b], nfe, nfe, static_cast<int64_t>(nfe), nfe, 1.0, 1});
  }
  out.metrics = {metric};
  out.seeds_npz = seed_values_npz({at::tensor(errors, at::kDouble), at::full({n}, nfe), at::zeros({n})});
  return out;
}

inline EvaluationResult evaluation_of(std::vector<SamplerResult> rows, const std::string& seeds, int64_t blocks = 4) {
  EvaluationResult out;
  out.model = "made up";
  out.model_sha256 = std::string(64, 'c');
  out.shape = {2};
  out.seeds = seeds;
  out.n = static_cast<int64_t>(parse_seeds(seeds).size());
  const std::vector<int64_t> bounds = block_bounds(out.n, blocks);
  for (std::size_t b = 0; b + 1 < bounds.size(); ++b) out.block_sizes.push_back(bounds[b + 1] - bounds[b]);
  out.device = "cpu";
  out.dtype = "float32";
  out.complete = true;
  out.teacher = row("heun", 79, std::vector<double>(static_cast<std::size_t>(out.n), 0.0));
  out.samplers = std::move(rows);
  set_tags(out);
  return out;
}

inline RowChoice against_first(const RowPool& pool) {
  RowChoice out;
  out.baseline = {0};
  out.rows.resize(pool.rows.samplers.size() - 1);
  std::iota(out.rows.begin(), out.rows.end(), 1);
  return out;
}

/// Lognormal errors.
inline std::vector<double> some_errors(int64_t n, double size, std::mt19937_64& generator) {
  std::normal_distribution<double> normal;
  std::vector<double> out;
  for (int64_t i = 0; i < n; ++i) out.push_back(size * std::exp(0.5 * normal(generator)));
  return out;
}

}  // namespace stride::made_up
