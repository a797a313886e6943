#include "evaluation/evaluation.h"

#include "datasets/images/png_data.h"
#include "datasets/metrics/metrics.h"
#include "datasets/metrics/mixture_metrics.h"
#include "evaluation/evaluation_warnings.h"
#include "evaluation/labels.h"
#include "evaluation/measure.h"
#include "evaluation/metric_facts.h"
#include "framework/dtype_name.h"
#include "framework/error.h"
#include "framework/stopped.h"
#include "pipeline/model_card.h"
#include "pipeline/provenance.h"
#include "pipeline/seeds.h"
#include "pipeline/teacher.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <limits>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

bool any_needs(const EvaluationSettings& settings, bool MetricNeeds::*need) {
  return std::any_of(settings.metrics.begin(), settings.metrics.end(),
                     [&](const std::string& metric) { return metric_needs(metric).*need; });
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
    teacher_sampler_ =
        std::make_unique<Sampler>(make_sampler(settings.teacher, denoiser.info(), card, settings.draw.device));
    for (const SamplerSpec& spec : settings.samplers)
      samplers_.push_back(make_sampler(spec, denoiser.info(), card, settings.draw.device));
    if (settings.measured_from_teacher()) require_one_answer(*teacher_sampler_);
    require_made_for(*teacher_sampler_, denoiser.info(), settings.draw);
    for (const Sampler& sampler : samplers_) require_made_for(sampler, denoiser.info(), settings.draw);
    total_ = static_cast<int64_t>(samplers_.size() + 1) * bounds_.back();
    stamp_ = {settings.features.quantisation, settings.features.sha256};
    reference_ = {settings.features.reference_images, settings.features.reference_features, settings.features.reference,
                  "`ref`"};
    if (!any_needs(settings, &MetricNeeds::mixture)) return;
    if (card == nullptr || card->info.kind != "gaussian_mixture")
      throw UsageError("the metric exact needs a model whose law is known: a gaussian_mixture");
    if (settings.draw.label && !settings.draw.label.one())
      throw UsageError("the metric exact is of one law: give one `class` for all seeds");
    mixture_ = mixture_of_class(card->mixture, settings.draw.label.one().value_or(-1));
  }

  EvaluationResult run() {
    EvaluationResult result = describe_run();
    try {
      run(result);
    } catch (const Stopped&) {
      // What is finished stands in the result.
    }
    return result;
  }

 private:
  void run(EvaluationResult& result) {
    continues_ = same_run(result);
    warm_up(*teacher_sampler_, !settings_.draw.device.is_cuda());
    std::optional<Measured> measured = measure(*teacher_sampler_, "teacher");
    if (!measured) return;
    Measured& teacher = *measured;
    teacher_ = side_of(teacher.x, "the teacher");
    if (teacher_.features.defined() && teacher_.features.size(0) > 1 && any_needs(settings_, &MetricNeeds::teacher))
      teacher_.statistics = FeatureStatistics::of(teacher_.features);
    compare_with_reference(teacher.result, teacher_);
    result.teacher = std::move(teacher.result);
    tell(result);
    std::set<std::string> warm;  // solvers that have run, with their policies
    for (const Sampler& sampler : samplers_) {
      SamplerResult one;
      if (const SamplerResult* known = find_earlier(sampler)) {
        one = *known;
        one.seeds_seen = seeds_seen(sampler, settings_.draw.seeds);
        done_ += bounds_.back();
      } else {
        const bool first = warm.insert(sampler.spec.solver + "\n" + sampler.spec.policy).second;
        if (first && settings_.draw.device.is_cuda()) warm_up(sampler, false);
        std::optional<Measured> now = measure(sampler, sampler.spec.solver);
        if (!now) return;
        compare(*now);
        one = std::move(now->result);
      }
      result.samplers.push_back(std::move(one));
      set_tags(result);
      tell(result);
    }
    result.complete = true;
  }

  EvaluationResult describe_run() const {
    EvaluationResult out;
    const ModelInfo& model = denoiser_.info();
    out.model = model.name;
    out.model_sha256 = model.sha256;
    out.shape = model.shape;
    out.seeds = format_seeds(settings_.draw.seeds);
    out.n = static_cast<int64_t>(settings_.draw.seeds.size());
    for (std::size_t i = 0; i + 1 < bounds_.size(); ++i) {
      out.block_sizes.push_back(bounds_[i + 1] - bounds_[i]);
      const auto first = settings_.draw.seeds.begin();
      out.block_seeds.push_back(format_seeds({first + bounds_[i], first + bounds_[i + 1]}));
    }
    out.device = settings_.draw.device.str();
    out.dtype = dtype_name(settings_.draw.dtype);
    out.batch = settings_.draw.batch;
    out.conditions = conditions_of(settings_.draw);
    if (settings_.draw.init.defined()) out.conditions["init"] = "a file's normals";
    if (settings_.draw.noise.defined()) out.conditions["noise"] = "a file's normals";
    for (const auto& [name, hash] : settings_.pictures.made_with())
      out.conditions["pictures by " + name] = fmt::format("SHA-256 {:.12}…", hash);
    out.warnings = evaluation_warnings(*teacher_sampler_, samplers_, settings_);
    out.strip_columns =
        is_image_shape(settings_.pictures.out_shape(model.shape)) ? std::min(settings_.images, out.n) : 0;
    const FeatureSetup& features = settings_.features;
    out.reference_floor = std::numeric_limits<double>::quiet_NaN();
    out.reference = features.reference_name;
    if (!features.features) return out;
    out.features = features.name;
    out.features_sha256 = features.sha256;
    out.quantisation = features.quantisation;
    if (!features.reference) return out;
    out.reference_n = features.reference->n;
    if (features.reference_features.defined() && features.reference_features.size(0) >= out.n) {
      // Evenly spaced rows: files of real samples are often sorted by class.
      const Tensor rows = at::arange(out.n, at::kLong) * features.reference_features.size(0) / out.n;
      out.reference_floor = frechet_distance(
          FeatureStatistics::of(features.reference_features.index_select(0, rows.to(at::kLong))), *features.reference);
    }
    return out;
  }

  // Buffers, kernels and clocks settle. On the CPU a single evaluation is enough.
  void warm_up(const Sampler& sampler, bool brief) const {
    const DrawSettings first =
        slice_of(settings_.draw, 0, std::min(static_cast<int64_t>(settings_.draw.seeds.size()), settings_.draw.batch));
    if (!brief) {
      (void)draw(sampler, denoiser_, first);
      return;
    }
    const Tensor x =
        start_points(first, denoiser_.info(), denoiser_.info().sigma_max, 0, static_cast<int64_t>(first.seeds.size()));
    const Tensor sigma = at::full({x.size(0)}, denoiser_.info().sigma_max, x.options().dtype(at::kDouble));
    const at::NoGradGuard no_grad;
    (void)denoiser_.evaluate(x, sigma, make_condition(denoiser_.info(), first, 0, x.size(0)));
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
           then.dtype == now.dtype && then.conditions == now.conditions &&
           then.features_sha256 == now.features_sha256 && then.quantisation == now.quantisation &&
           then.reference == now.reference && identity(then.teacher) == identity(unmeasured(*teacher_sampler_)) &&
           then.teacher.sigmas == unmeasured(*teacher_sampler_).sigmas;
  }

  // While an earlier run's results are being taken over, its file says more.
  void tell(const EvaluationResult& result) const {
    if (hooks_.finished && !(continues_ && result.samplers.size() < hooks_.earlier->samplers.size())) {
      hooks_.finished(result);
    }
  }

  std::optional<Measured> measure(const Sampler& sampler, const std::string& label) {
    const auto go_on = [&](int64_t now) { return !hooks_.progress || hooks_.progress(done_ + now, total_, label); };
    std::optional<Measured> measured = measure_sampler(sampler, denoiser_, settings_, bounds_, go_on);
    if (measured) measured->result.seeds_seen = seeds_seen(sampler, settings_.draw.seeds);
    done_ += bounds_.back();
    return measured;
  }

  [[nodiscard]] MetricSide side_of(const Tensor& x, const std::string& name) const {
    MetricSide side = {x, {}, std::nullopt, name};
    if (settings_.features.features && any_needs(settings_, &MetricNeeds::features))
      side.features = features_in_pieces(settings_.features, x, [this] { pause(); }).to(settings_.draw.device);
    return side;
  }

  // Between two pieces of measuring.
  void pause() const {
    if (hooks_.progress && !hooks_.progress(done_, total_, "measuring")) throw Stopped();
  }

  [[nodiscard]] std::vector<MetricResult> against(const MetricSide& side, const MetricSide& other,
                                                  const std::string& suffix) const {
    return set_metrics(settings_.metrics, suffix, side, other, bounds_, stamp_, [this] { pause(); });
  }

  static void add(SamplerResult& result, const std::vector<MetricResult>& metrics) {
    result.metrics.insert(result.metrics.end(), metrics.begin(), metrics.end());
  }

  // What the teacher's own samples have too.
  void compare_with_reference(SamplerResult& result, const MetricSide& side) const {
    if (any_needs(settings_, &MetricNeeds::reference)) add(result, against(side, reference_, ""));
    if (!mixture_) return;
    const MixtureMetric exact = mixture_metric(*mixture_, side.x, bounds_);
    const auto add_exact = [&](const std::string& name, const BlockMetric& metric) {
      add(result, {{name, within_range(name, metric.all), metric.blocks}});
    };
    add_exact("exact-fd", exact.frechet);
    if (!exact.w2.blocks.empty()) add_exact("exact-w2", exact.w2);
    if (!exact.nll.blocks.empty()) add_exact("exact-nll", exact.nll);
  }

  void compare(Measured& measured) const {
    const MetricSide side = side_of(measured.x, measured.result.sampler);
    pause();
    if (settings_.measured_from_teacher()) measured.seeds.rmse = rmse_per_sample(side.x, teacher_.x);
    measured.result.seeds_npz = seed_values_npz(measured.seeds);
    add(measured.result, paired_metrics(settings_.metrics, side, teacher_, bounds_, stamp_));
    add(measured.result, own_metrics(settings_.own_metrics, side.x, teacher_.x, bounds_));
    compare_with_reference(measured.result, side);
    add(measured.result, against(side, teacher_, "-teacher"));
  }

  const Denoiser& denoiser_;
  const EvaluationSettings& settings_;
  const EvaluationHooks& hooks_;
  std::vector<int64_t> bounds_;
  std::unique_ptr<Sampler> teacher_sampler_;
  std::vector<Sampler> samplers_;
  MetricSide teacher_, reference_;
  FeatureStamp stamp_;
  std::optional<GaussianMixtureOptions> mixture_;
  int64_t done_ = 0;
  int64_t total_ = 0;
  bool continues_ = false;
};

}  // namespace

std::string EvaluationSettings::invalid_reason() const {
  const auto n = static_cast<int64_t>(draw.seeds.size());
  if (samplers.empty()) return "no sampler to evaluate; give at least one `solver`";
  if (blocks < 1 || blocks > n)
    return fmt::format("{} samples cannot be split into {} blocks; ask for more `seeds` or fewer `blocks`", n, blocks);
  if (images < 0 || paths < 0) return "the numbers of images and paths must not be negative";
  if (metrics.empty()) return "no metric; choose of " + metric_names();
  for (const std::string& metric : metrics) {
    MetricNeeds needs;
    try {
      needs = metric_needs(metric);
    } catch (const UsageError& error) {
      return error.what();
    }
    if (needs.mixture && !pictures.empty())
      return fmt::format("the metric {} is of the samples, and `decoder` and `post` make pictures of them", metric);
    if (needs.features && !features.features)
      return fmt::format("the metric {} needs a feature network; give `features`", metric);
    if (needs.reference && !features.has_reference())
      return fmt::format("the metric {} needs real samples to compare with; give `ref`", metric);
    if (n < needs.samples) return fmt::format("the metric {} needs at least {} samples", metric, needs.samples);
    // Where a reference cannot serve, that is said before the samplers run.
    if ((metric == "kid" || metric == "prdc") && !features.reference_features.defined())
      return fmt::format(
          "the metric {} compares single features, and `ref` holds their mean and covariance only; give images, or "
          "statistics written by `stride stats` with `keep_features`",
          metric);
    if (metric == "swd" && !features.reference_images.defined())
      return "the metric swd compares the samples themselves, and `ref` holds statistics only; give images";
    if (needs.reference && features.reference_features.defined() && features.reference_features.size(0) < needs.samples)
      return fmt::format("the metric {} needs at least {} real samples in `ref`", metric, needs.samples);
  }
  return "";
}

bool EvaluationSettings::measured_from_teacher() const {
  return any_needs(*this, &MetricNeeds::teacher) || any_needs(*this, &MetricNeeds::paired);
}

EvaluationResult evaluate(const Denoiser& denoiser, const ModelCard* card, const EvaluationSettings& settings,
                          const EvaluationHooks& hooks) {
  if (const std::string reason = settings.invalid_reason(); !reason.empty()) throw UsageError(reason);
  return Engine(denoiser, card, settings, hooks).run();
}

}  // namespace stride
