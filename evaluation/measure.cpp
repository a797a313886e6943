#include "evaluation/measure.h"

#include "datasets/images/png_data.h"
#include "datasets/metrics/metrics.h"
#include "evaluation/peak_memory.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "solvers/hybrid.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>

namespace stride {
namespace {

std::vector<double> doubles(const Tensor& values) {
  const Tensor flat = values.to(at::kDouble).contiguous();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

SampleCost cost_of(const Tensor& nfe, const Tensor& model_evals) {
  SampleCost cost;
  cost.n = nfe.size(0);
  cost.nfe_mean = nfe.to(at::kDouble).mean().item<double>();
  cost.nfe_p95 = quantile(doubles(nfe), 0.95);
  cost.nfe_max = nfe.max().item<int64_t>();
  cost.model_evals_mean = model_evals.to(at::kDouble).mean().item<double>();
  return cost;
}

struct BatchCost {
  int64_t begin, end;
  double seconds_a_sample;
  int64_t peak_bytes;
};

// What samples begin … end − 1 took of the batches that they were drawn in.
void share(const std::vector<BatchCost>& batches, int64_t begin, int64_t end, SampleCost& cost) {
  for (const BatchCost& batch : batches) {
    const int64_t common = std::min(end, batch.end) - std::max(begin, batch.begin);
    if (common <= 0) continue;
    cost.seconds += static_cast<double>(common) * batch.seconds_a_sample;
    cost.peak_bytes = std::max(cost.peak_bytes, batch.peak_bytes);
  }
}

// The levels that the first samples visited: a run of its own, so that looking costs no measured time.
std::vector<std::vector<double>> record_paths(const Sampler& sampler, const Denoiser& denoiser,
                                              const DrawSettings& settings, int64_t count) {
  const DrawSettings some =
      slice_of(settings, 0, std::min<int64_t>(count, static_cast<int64_t>(settings.seeds.size())));
  if (some.seeds.empty()) return {};
  std::map<int64_t, std::vector<double>> paths;
  DrawHooks hooks;
  hooks.observe = [&](const Tensor&) -> Observer {
    return [&](const RunState& before, const RunState& after, const StepResult&, bool) {
      const Tensor ids = before.constant.ids.cpu();
      const Tensor from = before.sigma.cpu();
      const Tensor to = after.sigma.cpu();
      const Tensor moved = after.index.cpu() > before.index.cpu();
      for (int64_t row = 0; row < ids.size(0); ++row) {
        std::vector<double>& path = paths[ids[row].item<int64_t>()];
        if (path.empty()) path.push_back(from[row].item<double>());
        if (moved[row].item<bool>()) path.push_back(to[row].item<double>());
      }
    };
  };
  (void)draw(sampler, denoiser, some, hooks);
  std::vector<std::vector<double>> out;
  for (const int64_t seed : some.seeds) out.push_back(paths[seed]);
  return out;
}

}  // namespace

SamplerResult unmeasured(const Sampler& sampler) {
  SamplerResult out;
  out.sampler = sampler.spec.solver;
  out.schedule = sampler.spec.schedule;
  out.final = to_string(sampler.spec.final);
  out.policy = sampler.spec.policy;
  if (sampler.fixed()) {
    out.steps = sampler.grid.steps();
    out.sigmas = sampler.grid.sigmas();
  }
  const Spec solver = is_hybrid(sampler.spec.solver) ? Spec{} : Spec::parse(sampler.spec.solver);
  if (sampler.spec.own_plan) out.plan_json = sampler.spec.own_plan->to_json();
  if (solver.name == "plan" && !solver.argument.empty()) out.plan_json = read_file(solver.argument);
  const Spec policy = Spec::parse(sampler.spec.policy);
  if (!policy.argument.empty() && !sampler.spec.own_predictor) out.policy_sha256 = sha256(read_file(policy.argument));
  return out;
}

std::optional<Measured> measure_sampler(const Sampler& sampler, const Denoiser& denoiser,
                                        const EvaluationSettings& settings, const std::vector<int64_t>& bounds,
                                        const std::function<bool(int64_t done)>& go_on) {
  Measured out = {unmeasured(sampler), {}, {}};
  SamplerResult& result = out.result;
  std::vector<Tensor> x, nfe, model_evals, status;
  std::vector<BatchCost> batches;
  std::vector<double> seconds_a_sample;
  const auto total = static_cast<int64_t>(settings.draw.seeds.size());
  const int64_t batch = std::max<int64_t>(1, rows_at_once(sampler, denoiser.info(), settings.draw));
  GraphRuns graphs(sampler, denoiser, settings.draw.guidance);
  if (is_one_batch(settings.draw)) graphs.expect_one();
  for (int64_t first = 0; first < total; first += batch) {
    const int64_t end = std::min(total, first + batch);
    if (!go_on(first)) return std::nullopt;
    const PeakMemory memory(settings.draw.device);
    DrawHooks hooks;
    hooks.progress = [&](int64_t done, int64_t, const std::string&) { return go_on(first + done); };
    hooks.graphs = &graphs;
    const Draws draws = draw(sampler, denoiser, slice_of(settings.draw, first, end - first), hooks);
    if (draws.stopped) return std::nullopt;
    batches.push_back({first, end, draws.seconds / static_cast<double>(end - first), memory.bytes()});
    seconds_a_sample.push_back(batches.back().seconds_a_sample);
    result.gave_up += draws.status.eq(static_cast<int8_t>(Status::max_steps))
                          .logical_or(draws.status.eq(static_cast<int8_t>(Status::step_underflow)))
                          .logical_or(draws.status.eq(static_cast<int8_t>(Status::not_converged)))
                          .sum()
                          .item<int64_t>();
    result.not_finite += draws.status.eq(static_cast<int8_t>(Status::non_finite)).sum().item<int64_t>();
    x.push_back(draws.x);
    nfe.push_back(draws.nfe);
    model_evals.push_back(draws.model_evals);
    status.push_back(draws.status);
  }
  out.x = settings.pictures(at::cat(x));
  const Tensor all_nfe = at::cat(nfe), all_evals = at::cat(model_evals);
  out.seeds = {{}, all_nfe, at::cat(status)};
  result.cost = cost_of(all_nfe, all_evals);
  result.cost.seconds = quantile(seconds_a_sample, 0.5) * static_cast<double>(result.cost.n);
  for (const BatchCost& one : batches) result.cost.peak_bytes = std::max(result.cost.peak_bytes, one.peak_bytes);
  for (std::size_t i = 0; i + 1 < bounds.size(); ++i) {
    const int64_t begin = bounds[i], end = bounds[i + 1];
    SampleCost cost = cost_of(all_nfe.slice(0, begin, end), all_evals.slice(0, begin, end));
    share(batches, begin, end, cost);
    result.blocks.push_back(cost);
  }
  if (!sampler.fixed()) {
    result.paths = record_paths(sampler, denoiser, settings.draw, settings.paths);
    std::map<int64_t, int64_t> counts;
    for (const double value : doubles(all_nfe)) ++counts[static_cast<int64_t>(value)];
    result.nfe_counts.assign(counts.begin(), counts.end());
  }
  if (is_image_shape(out.x.sizes().slice(1).vec()) && settings.images > 0)
    result.strip_png = png_strip(out.x, std::min<int64_t>(settings.images, out.x.size(0)));
  return out;
}

}  // namespace stride
