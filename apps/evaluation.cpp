#include "apps/evaluation.h"

#include "apps/peak_memory.h"
#include "apps/png_data.h"
#include "datasets/metrics.h"
#include "framework/error.h"
#include "framework/file.h"
#include "solvers/hybrid.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

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

bool wants(const EvaluationSettings& settings, const std::string& metric) {
  return std::find(settings.metrics.begin(), settings.metrics.end(), metric) != settings.metrics.end();
}

std::string identity(const SamplerResult& sampler) {
  return fmt::format("{}\n{}\n{}\n{}\n{}", sampler.sampler, sampler.schedule, sampler.final, sampler.policy,
                     sampler.steps);
}

// The levels that the first samples visited: a run of its own, so that looking costs no measured time.
std::vector<std::vector<double>> record_paths(const Sampler& sampler, const Denoiser& denoiser,
                                              const DrawSettings& settings, int64_t count) {
  std::vector<int64_t> seeds(
      settings.seeds.begin(),
      settings.seeds.begin() + std::min<int64_t>(count, static_cast<int64_t>(settings.seeds.size())));
  if (seeds.empty()) return {};
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
  (void)draw(sampler, denoiser, for_seeds(settings, seeds), hooks);
  std::vector<std::vector<double>> out;
  for (const int64_t seed : seeds) out.push_back(paths[seed]);
  return out;
}

class Engine final {
 public:
  Engine(const Denoiser& denoiser, const ModelCard* card, const EvaluationSettings& settings,
         const EvaluationHooks& hooks)
      : denoiser_(denoiser),
        settings_(settings),
        hooks_(hooks),
        bounds_(block_bounds(static_cast<int64_t>(settings.draw.seeds.size()), settings.blocks)) {
    teacher_ = std::make_unique<Sampler>(make_sampler(settings.teacher, denoiser.info(), card, settings.draw.device));
    for (const SamplerSpec& spec : settings.samplers)
      samplers_.push_back(make_sampler(spec, denoiser.info(), card, settings.draw.device));
    total_ = static_cast<int64_t>(samplers_.size() + 1) * settings.blocks;
  }

  EvaluationResult run() {
    EvaluationResult result = describe_run();
    continues_ = same_run(result);
    warm_up(*teacher_, !settings_.draw.device.is_cuda());
    Measured teacher = measure(*teacher_, "teacher");
    if (stopped_) return result;
    teacher_x_ = teacher.x;
    if (settings_.features.features) {
      const Tensor features = settings_.features.features(teacher.x);
      if (wants(settings_, "fd-teacher")) teacher_statistics_ = FeatureStatistics::of(features);
      if (settings_.features.reference && wants(settings_, "fd")) {
        add(teacher.result, "fd", frechet_metric(features, *settings_.features.reference, bounds_));
      }
    }
    result.teacher = std::move(teacher.result);
    tell(result);
    for (const Sampler& sampler : samplers_) {
      SamplerResult one;
      if (const SamplerResult* known = find_earlier(sampler)) {
        one = *known;
        done_ += settings_.blocks;
      } else {
        if (settings_.draw.device.is_cuda()) warm_up(sampler, false);
        Measured measured = measure(sampler, sampler.spec.solver);
        if (stopped_) return result;
        compare(measured);
        one = std::move(measured.result);
      }
      result.samplers.push_back(std::move(one));
      tell(result);
    }
    result.complete = true;
    return result;
  }

 private:
  struct Measured {
    SamplerResult result;
    Tensor x;
  };

  EvaluationResult describe_run() const {
    EvaluationResult out;
    const ModelInfo& model = denoiser_.info();
    out.model = model.name;
    out.model_sha256 = model.sha256;
    out.shape = model.shape;
    out.seeds = format_seeds(settings_.draw.seeds);
    out.n = static_cast<int64_t>(settings_.draw.seeds.size());
    for (std::size_t i = 0; i + 1 < bounds_.size(); ++i) out.block_sizes.push_back(bounds_[i + 1] - bounds_[i]);
    out.device = settings_.draw.device.str();
    out.dtype = dtype_name(settings_.draw.dtype);
    out.batch = settings_.draw.batch;
    out.strip_columns = is_image_shape(model.shape) ? std::min(settings_.images, out.n) : 0;
    const FeatureSetup& features = settings_.features;
    out.reference_floor = std::numeric_limits<double>::quiet_NaN();
    if (!features.features) return out;
    out.features = features.name;
    out.features_sha256 = features.sha256;
    if (!features.reference) return out;
    out.reference = features.reference_name;
    out.reference_n = features.reference->n;
    if (features.reference_features.defined() && features.reference_features.size(0) >= out.n) {
      // Evenly spaced rows: files of real samples are often sorted by class.
      const Tensor rows = at::arange(out.n, at::kLong) * features.reference_features.size(0) / out.n;
      out.reference_floor = frechet_distance(
          FeatureStatistics::of(features.reference_features.index_select(0, rows.to(at::kLong))), *features.reference);
    }
    return out;
  }

  static std::string dtype_name(at::ScalarType dtype) {
    return dtype == at::kDouble  ? "float64"
           : dtype == at::kFloat ? "float32"
           : dtype == at::kHalf  ? "float16"
                                 : "bfloat16";
  }

  // Buffers, kernels and clocks settle. On the CPU a single evaluation is enough.
  void warm_up(const Sampler& sampler, bool brief) const {
    const auto n = std::min<std::size_t>(settings_.draw.seeds.size(), static_cast<std::size_t>(settings_.draw.batch));
    const std::vector<int64_t> seeds(settings_.draw.seeds.begin(),
                                     settings_.draw.seeds.begin() + static_cast<int64_t>(n));
    if (!brief) {
      (void)draw(sampler, denoiser_, for_seeds(settings_.draw, seeds));
      return;
    }
    const Tensor x =
        start_points(settings_.draw, denoiser_.info(), denoiser_.info().sigma_max, 0, static_cast<int64_t>(n));
    const Tensor sigma = at::full({x.size(0)}, denoiser_.info().sigma_max, x.options().dtype(at::kDouble));
    const at::NoGradGuard no_grad;
    (void)denoiser_.evaluate(x, sigma,
                             make_condition(denoiser_.info(), settings_.draw.label, x.size(0), settings_.draw.device));
  }

  // Results of other seeds, of another model or teacher, or of a plan that has changed since, do not count.
  const SamplerResult* find_earlier(const Sampler& sampler) const {
    if (!continues_) return nullptr;
    const SamplerResult wanted = named(sampler);
    for (const SamplerResult& known : hooks_.earlier->samplers) {
      if (identity(known) == identity(wanted) && known.sigmas == fixed_sigmas(sampler) && same_plan(known, sampler)) {
        return &known;
      }
    }
    return nullptr;
  }

  static std::vector<double> fixed_sigmas(const Sampler& sampler) {
    return sampler.fixed() ? sampler.grid.sigmas() : std::vector<double>{};
  }

  static bool same_plan(const SamplerResult& known, const Sampler& sampler) {
    const std::string now = plan_text(sampler);
    if (now.empty() || known.plan_json.empty()) return now.empty() == known.plan_json.empty();
    return nlohmann::json::parse(now, nullptr, false) == nlohmann::json::parse(known.plan_json, nullptr, false);
  }

  static std::string plan_text(const Sampler& sampler) {
    if (is_hybrid(sampler.spec.solver)) return {};
    const Spec spec = Spec::parse(sampler.spec.solver);
    return spec.name == "plan" && !spec.argument.empty() ? read_file(spec.argument) : std::string();
  }

  bool same_run(const EvaluationResult& now) const {
    if (hooks_.earlier == nullptr) return false;
    const EvaluationResult& then = *hooks_.earlier;
    return then.model_sha256 == now.model_sha256 && then.seeds == now.seeds && then.block_sizes == now.block_sizes &&
           then.dtype == now.dtype && then.features_sha256 == now.features_sha256 && then.reference == now.reference &&
           identity(then.teacher) == identity(named(*teacher_)) && then.teacher.sigmas == fixed_sigmas(*teacher_);
  }

  // While an earlier run's results are being taken over, its file says more.
  void tell(const EvaluationResult& result) const {
    if (hooks_.finished && !(continues_ && result.samplers.size() < hooks_.earlier->samplers.size())) {
      hooks_.finished(result);
    }
  }

  static SamplerResult named(const Sampler& sampler) {
    SamplerResult out;
    out.sampler = sampler.spec.solver;
    out.schedule = sampler.spec.schedule;
    out.final = to_string(sampler.spec.final);
    out.policy = sampler.spec.policy;
    if (sampler.fixed()) out.steps = sampler.grid.steps();
    return out;
  }

  Measured measure(const Sampler& sampler, const std::string& label) {
    Measured out = {named(sampler), {}};
    SamplerResult& result = out.result;
    std::vector<Tensor> x;
    std::vector<Tensor> nfe;
    std::vector<Tensor> model_evals;
    std::vector<double> seconds_a_sample;
    for (std::size_t i = 0; i + 1 < bounds_.size(); ++i) {
      if (hooks_.progress && !hooks_.progress(done_, total_, label)) {
        stopped_ = true;
        return out;
      }
      const auto& seeds = settings_.draw.seeds;
      const PeakMemory memory(settings_.draw.device);
      const Draws draws = draw(sampler, denoiser_,
                               for_seeds(settings_.draw, {seeds.begin() + bounds_[i], seeds.begin() + bounds_[i + 1]}));
      SampleCost cost = cost_of(draws.nfe, draws.model_evals);
      cost.seconds = draws.seconds;
      cost.peak_bytes = memory.bytes();
      seconds_a_sample.push_back(cost.seconds / static_cast<double>(cost.n));
      result.blocks.push_back(cost);
      result.gave_up += draws.status.eq(static_cast<int8_t>(Status::max_steps))
                            .logical_or(draws.status.eq(static_cast<int8_t>(Status::step_underflow)))
                            .sum()
                            .item<int64_t>();
      result.not_finite += draws.status.eq(static_cast<int8_t>(Status::non_finite)).sum().item<int64_t>();
      x.push_back(draws.x);
      nfe.push_back(draws.nfe);
      model_evals.push_back(draws.model_evals);
      ++done_;
    }
    out.x = at::cat(x);
    const Tensor all_nfe = at::cat(nfe);
    result.cost = cost_of(all_nfe, at::cat(model_evals));
    result.cost.seconds = quantile(seconds_a_sample, 0.5) * static_cast<double>(result.cost.n);
    for (const SampleCost& block : result.blocks)
      result.cost.peak_bytes = std::max(result.cost.peak_bytes, block.peak_bytes);
    if (sampler.fixed()) {
      result.sigmas = sampler.grid.sigmas();
    } else {
      result.paths = record_paths(sampler, denoiser_, settings_.draw, settings_.paths);
      std::map<int64_t, int64_t> counts;
      for (const double value : doubles(all_nfe)) ++counts[static_cast<int64_t>(value)];
      result.nfe_counts.assign(counts.begin(), counts.end());
    }
    result.plan_json = plan_text(sampler);
    if (is_image_shape(denoiser_.info().shape) && settings_.images > 0) {
      result.strip_png = png_strip(out.x, std::min<int64_t>(settings_.images, out.x.size(0)));
    }
    return out;
  }

  static void add(SamplerResult& result, const std::string& name, const BlockMetric& metric) {
    result.metrics.push_back({name, metric.all, metric.blocks});
  }

  void compare(Measured& measured) const {
    SamplerResult& result = measured.result;
    if (wants(settings_, "rmse")) {
      const Tensor rmse = rmse_per_sample(measured.x, teacher_x_);
      add(result, "rmse", overall_rmse(rmse, bounds_));
      add(result, "rmse-p95", sample_quantile(rmse, 0.95, bounds_));
    }
    if (!settings_.features.features || !(wants(settings_, "fd") || wants(settings_, "fd-teacher"))) return;
    const Tensor features = settings_.features.features(measured.x);
    if (settings_.features.reference && wants(settings_, "fd"))
      add(result, "fd", frechet_metric(features, *settings_.features.reference, bounds_));
    if (teacher_statistics_) add(result, "fd-teacher", frechet_metric(features, *teacher_statistics_, bounds_));
  }

  const Denoiser& denoiser_;
  const EvaluationSettings& settings_;
  const EvaluationHooks& hooks_;
  std::vector<int64_t> bounds_;
  std::unique_ptr<Sampler> teacher_;
  std::vector<Sampler> samplers_;
  Tensor teacher_x_;
  std::optional<FeatureStatistics> teacher_statistics_;
  int64_t done_ = 0;
  int64_t total_ = 0;
  bool continues_ = false;
  bool stopped_ = false;
};

}  // namespace

std::string EvaluationSettings::invalid_reason() const {
  const auto n = static_cast<int64_t>(draw.seeds.size());
  if (samplers.empty()) return "no sampler to evaluate; give at least one --solver";
  if (blocks < 1 || blocks > n)
    return fmt::format("{} samples cannot be split into {} blocks; ask for more --seeds or fewer --blocks", n, blocks);
  if (images < 0 || paths < 0) return "the numbers of images and paths must not be negative";
  if (metrics.empty()) return "no metric; choose of rmse, fd and fd-teacher";
  for (const std::string& metric : metrics) {
    if (metric != "rmse" && metric != "fd" && metric != "fd-teacher") {
      return fmt::format("unknown metric '{}'; there are rmse, fd and fd-teacher", metric);
    }
    if (metric != "rmse" && !features.features)
      return fmt::format("the metric {} needs a feature network; give --features", metric);
    if (metric == "fd" && !features.reference) return "the metric fd needs real samples to compare with; give --ref";
  }
  if (n < 2 && metrics != std::vector<std::string>{"rmse"}) return "a Fréchet distance needs at least two samples";
  return "";
}

EvaluationResult evaluate(const Denoiser& denoiser, const ModelCard* card, const EvaluationSettings& settings,
                          const EvaluationHooks& hooks) {
  if (const std::string reason = settings.invalid_reason(); !reason.empty()) throw UsageError(reason);
  return Engine(denoiser, card, settings, hooks).run();
}

}  // namespace stride
