// An evaluation whose numbers come from formulas: for tests of what is made from results, never of results.
#pragma once

#include "datasets/images/png_data.h"
#include "datasets/metrics/metrics.h"
#include "evaluation/evaluation_result.h"
#include "evaluation/report/report.h"

#include <ATen/ATen.h>

#include <cmath>

#include <fmt/format.h>

namespace stride::made_up {

inline constexpr int64_t kBlocks = 8;
inline constexpr int64_t kBlockSize = 64;

inline double wobble(int64_t i, double size) { return 1.0 + size * std::sin(12.9898 * static_cast<double>(i) + 4.1); }

inline Tensor images(int64_t count, double blur) {
  const Tensor i = at::arange(count, at::kDouble).reshape({count, 1, 1, 1});
  const Tensor y = at::arange(8, at::kDouble).reshape({1, 1, 8, 1}) - 3.5;
  const Tensor x = at::arange(8, at::kDouble).reshape({1, 1, 1, 8}) - 3.5;
  const Tensor radius = ((x * (1 + 0.2 * at::sin(i))).square() + y.square()).sqrt();
  return at::exp(-(radius - 2.2 - 0.8 * at::sin(i * 1.7)).square() / (0.5 + blur)) * 2 - 1;
}

inline SamplerResult sampler(const std::string& name, const std::string& schedule, const std::string& final, double nfe,
                             double rmse, double fd) {
  SamplerResult out;
  out.sampler = name;
  out.schedule = schedule;
  out.final = final;
  out.steps = static_cast<int64_t>(nfe);
  std::vector<double> without;
  MetricResult error = {"rmse", {}, {}};
  MetricResult distance = {"fd", {}, {}};
  std::vector<int64_t> n(kBlocks, kBlockSize);
  for (int64_t i = 0; i < kBlocks; ++i) {
    out.blocks.push_back(
        {kBlockSize, nfe, nfe, static_cast<int64_t>(nfe), nfe, nfe * 4.1e-3 * wobble(i, 0.05), 400 << 20});
    error.blocks.push_back(rmse * wobble(i, 0.06) * wobble(i + std::llround(1e4 * rmse), 0.02));
    distance.blocks.push_back(fd * wobble(i, 0.1));
  }
  out.cost = {kBlocks * kBlockSize, nfe, nfe, static_cast<int64_t>(nfe), nfe, nfe * 4.1e-3 * kBlocks, 400 << 20};
  error.all = mean_interval(error.blocks);
  distance.all = mean_interval(distance.blocks);
  out.metrics = {error, {"rmse-p95", {rmse * 1.8, rmse * 1.6, rmse * 2.0}, error.blocks}, distance};
  for (int64_t i = 0; i <= out.steps; ++i) {
    const double t = static_cast<double>(i) / static_cast<double>(out.steps);
    out.sigmas.push_back(std::pow((1 - t) * std::pow(80.0, 1.0 / 7) + t * std::pow(0.002, 1.0 / 7), 7.0));
  }
  if (final == "zero") out.sigmas.back() = 0.0;
  out.strip_png = png_strip(images(16, 20 * rmse), 16);
  return out;
}

inline EvaluationResult evaluation() {
  EvaluationResult out;
  out.model = "digits";
  out.model_sha256 = std::string(64, 'a');
  out.shape = {1, 8, 8};
  out.seeds = "10000-10511";
  out.n = kBlocks * kBlockSize;
  out.block_sizes.assign(kBlocks, kBlockSize);
  out.device = "cpu";
  out.dtype = "float32";
  out.batch = 256;
  out.features = "features-digits";
  out.features_sha256 = std::string(64, 'b');
  out.reference = "digits, 1,797 scans";
  out.reference_n = 1797;
  out.reference_floor = 0.9;
  out.strip_columns = 16;
  out.complete = true;
  out.teacher = sampler("heun", "karras", "zero", 79, 0.0001, 1.9);
  out.teacher.metrics.erase(out.teacher.metrics.begin(), out.teacher.metrics.begin() + 2);
  for (const double nfe : {3.0, 4.0, 5.0, 6.0, 8.0}) {
    int64_t k = 0;
    for (const auto& [name, worse] : {std::pair{"ddim", 1.9}, std::pair{"dpmpp_2m", 1.25}, std::pair{"ipndm", 1.0}}) {
      for (const char* schedule : {"karras", "logsnr"}) {
        for (const char* final : {"zero", "sigma_min"}) {
          const double rmse = 1.1 * worse * std::pow(nfe, -1.6) * (1 + 0.13 * static_cast<double>(k++ % 4));
          out.samplers.push_back(sampler(name, schedule, final, nfe, rmse, 1.9 + 140 * rmse));
        }
      }
    }
    if (nfe > 6) continue;
    const double rmse = 0.45 * std::pow(nfe, -1.7);
    SamplerResult plan =
        sampler(fmt::format("plan:plans/plan-{}.json", nfe), "plan", "sigma_min", nfe, rmse, 1.9 + 60 * rmse);
    plan.plan_json = fmt::format(
        R"({{"format": "stride-plan", "version": 1, "nfe": 2, "sigmas": [80.0, 1.5, 0.002], "weights": [[1.0], [1.6, -0.6]], "scale_time": [1.02, 0.97]}})");
    out.samplers.push_back(plan);
  }
  for (const double tolerance : {0.05, 0.02}) {
    SamplerResult policy =
        sampler("heun", "karras", "zero", 4 + 0.1 / tolerance, 0.004 / std::sqrt(tolerance) * 3, 4.0);
    policy.policy = fmt::format("predictor:predictor.safetensors,tol={}", tolerance);
    policy.steps = 0;
    policy.sigmas.clear();
    policy.cost.nfe_p95 = policy.cost.nfe_mean * 1.4;
    policy.cost.nfe_max = static_cast<int64_t>(policy.cost.nfe_mean * 1.8);
    for (int64_t nfe = 4; nfe <= policy.cost.nfe_max; ++nfe) policy.nfe_counts.emplace_back(nfe, 5 + (nfe * 37) % 91);
    for (int64_t i = 0; i < 12; ++i)
      policy.paths.push_back(
          {80.0, 20.0 * wobble(i, 0.3), 4.0 * wobble(i + 5, 0.4), 0.5 * wobble(i, 0.5), 0.02 * wobble(i, 0.2), 0.002});
    out.samplers.push_back(policy);
  }
  return out;
}

inline ReportData report() {
  ReportData data;
  data.title = "Few-step samplers on digits";
  data.created = "2026-01-31T12:34:56Z";
  data.facts = {{"CPU threads", "2"}, {"stride", "0.1.0"}, {"torch", "2.11.0"}};
  data.stages = {{"record", "512 trajectories of 41 points", 21.0}, {"fit", "plans of 3, 4 and 5 evaluations", 62.0}};
  data.commands = {"stride demo --outdir demo", "stride report demo"};
  data.evaluations = {evaluation()};
  return data;
}

}  // namespace stride::made_up
