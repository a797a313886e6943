#include "apps/evaluation.h"

#include "apps/measure.h"
#include "apps/png_data.h"
#include "datasets/metrics.h"
#include "framework/error.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

bool wants(const EvaluationSettings& settings, const std::string& metric) {
  return std::find(settings.metrics.begin(), settings.metrics.end(), metric) != settings.metrics.end();
}

std::string identity(const SamplerResult& sampler) {
  return fmt::format("{}\n{}\n{}\n{}\n{}", sampler.sampler, sampler.schedule, sampler.final, sampler.policy,
                     sampler.steps);
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
    std::optional<Measured> measured = measure(*teacher_, "teacher");
    if (!measured) return result;
    Measured& teacher = *measured;
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
        std::optional<Measured> now = measure(sampler, sampler.spec.solver);
        if (!now) return result;
        compare(*now);
        one = std::move(now->result);
      }
      result.samplers.push_back(std::move(one));
      tell(result);
    }
    result.complete = true;
    return result;
  }

 private:
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

  // Results of other seeds, of another model or teacher, or of a plan or a policy's file that has changed since, do not
  // count.
  const SamplerResult* find_earlier(const Sampler& sampler) const {
    if (!continues_) return nullptr;
    const SamplerResult wanted = unmeasured(sampler);
    for (const SamplerResult& known : hooks_.earlier->samplers) {
      if (identity(known) == identity(wanted) && known.sigmas == wanted.sigmas &&
          known.policy_sha256 == wanted.policy_sha256 && same_plan(known, wanted)) {
        return &known;
      }
    }
    return nullptr;
  }

  static bool same_plan(const SamplerResult& a, const SamplerResult& b) {
    if (a.plan_json.empty() || b.plan_json.empty()) return a.plan_json.empty() == b.plan_json.empty();
    return nlohmann::json::parse(a.plan_json, nullptr, false) == nlohmann::json::parse(b.plan_json, nullptr, false);
  }

  bool same_run(const EvaluationResult& now) const {
    if (hooks_.earlier == nullptr) return false;
    const EvaluationResult& then = *hooks_.earlier;
    return then.model_sha256 == now.model_sha256 && then.seeds == now.seeds && then.block_sizes == now.block_sizes &&
           then.dtype == now.dtype && then.features_sha256 == now.features_sha256 && then.reference == now.reference &&
           identity(then.teacher) == identity(unmeasured(*teacher_)) &&
           then.teacher.sigmas == unmeasured(*teacher_).sigmas;
  }

  // While an earlier run's results are being taken over, its file says more.
  void tell(const EvaluationResult& result) const {
    if (hooks_.finished && !(continues_ && result.samplers.size() < hooks_.earlier->samplers.size())) {
      hooks_.finished(result);
    }
  }

  std::optional<Measured> measure(const Sampler& sampler, const std::string& label) {
    return measure_sampler(sampler, denoiser_, settings_, bounds_,
                           [&] { return !hooks_.progress || hooks_.progress(done_++, total_, label); });
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
