#include "pipeline/fitting.h"

#include "framework/dtype_name.h"
#include "framework/error.h"
#include "framework/spec.h"
#include "neural/networks/encoder_features.h"
#include "neural/predictor/store_record.h"
#include "pipeline/conditions/conditions.h"
#include "pipeline/feature_card.h"
#include "pipeline/provenance.h"
#include "pipeline/seeds.h"
#include "pipeline/teacher.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <unordered_set>

namespace stride {
namespace {

void require_ended_well(const Tensor& status) {
  if (status.ne(static_cast<int8_t>(Status::ok)).any().item<bool>())
    throw QualityError("the teacher has samples that did not end well; check the model and its sigma range");
}

// The settings of a task for its seeds, and then for those that the plan is chosen on.
DrawSettings both_of(const FitTask& task) {
  DrawSettings both = task.draw;
  both.seeds = task.seeds;
  both.seeds.insert(both.seeds.end(), task.validation_seeds.begin(), task.validation_seeds.end());
  return both;
}

// Of the seeds from the `first`-th on of both.
PlanFitData rows_of(const DrawSettings& both, const ModelInfo& model, int64_t first, Tensor start, Tensor target) {
  return {start.to(both.device), target.to(both.device), make_condition(model, both, first, start.size(0))};
}

PlanFitData recorded(const TrajectoryStore& store, const ModelInfo& model, const FitTask& task, int64_t first,
                     const std::vector<int64_t>& seeds) {
  const TrajectoryBatch batch = store.batch(store.rows_of(seeds), state_dtype(task.draw.dtype));
  require_ended_well(batch.status);
  const int64_t last = batch.x.size(1) - 1;
  return rows_of(both_of(task), model, first, batch.x.select(1, 0).contiguous(), batch.x.select(1, last).contiguous());
}

// Whether each row's is known.
bool says_labels(const Tensor& labels) { return labels.defined() && !labels.eq(kUnknownLabel).any().item<bool>(); }

}  // namespace

const std::vector<FitMethod>& fit_methods() {
  static const std::vector<FitMethod> all = {
      {"stride", "grid+weights+times", "lm", "pixels", "everything"},
      {"stride-encoder", "grid+weights+times", "lm", "encoder", "everything, compared by the model's own encoder"},
      {"grid", "grid", "lm", "pixels", "the grid alone"},
      {"weights", "weights", "lm", "pixels", "the history weights alone"},
      {"times", "times", "lm", "pixels", "the model times alone"}};
  return all;
}

const FitMethod& find_fit_method(const std::string& name) {
  std::vector<std::string> names;
  for (const FitMethod& method : fit_methods()) {
    if (method.name == name) return method;
    names.push_back(method.name);
  }
  const std::string guess = nearest(name, names);
  throw UsageError(fmt::format("`method` {}: there is no such method{}", name,
                               guess.empty() ? "" : fmt::format("; did you mean {}?", guess)));
}

EndPointMap end_point_map(const std::string& residual, std::shared_ptr<const Denoiser> denoiser) {
  if (residual == "pixels") return {};
  if (residual == "encoder") return encoder_features(std::move(denoiser));
  const Spec spec = Spec::parse(residual);
  if (spec.name != "features")
    throw UsageError(fmt::format("`residual` {}: there are pixels, encoder and features:CARD", residual));
  const std::string card = residual.size() > 9 ? residual.substr(9) : "";
  if (card.empty()) throw UsageError("`residual` features: name the network, as in features:features-digits");
  const LoadedFeatures features = load_features({.features = card});
  if (!features.shape.empty() && features.shape != denoiser->info().shape)
    throw UsageError(fmt::format("`residual` {}: '{}' takes samples of another shape than the model '{}' makes",
                                 residual, features.name, denoiser->info().name));
  return [run = features.run](const Tensor& x) { return run(x.clamp(-1.0, 1.0)).to(x.device()); };
}

std::string FitTask::invalid_reason() const {
  if (const std::string reason = fit.invalid_reason(); !reason.empty()) return reason;
  const std::unordered_set<int64_t> fitted(seeds.begin(), seeds.end());
  for (const int64_t seed : validation_seeds)
    if (fitted.contains(seed))
      return fmt::format("`val_seeds`: seed {} is fitted to; choose the plan on other seeds", seed);
  if (!fit.initial) return {};
  const Final end = fit.initial->final_zero() ? Final::zero : Final::sigma_min;
  const PlanParameters space({.nfe = fit.nfe, .final = end, .sigma_min = fit.sigma_min, .sigma_max = fit.sigma_max});
  (void)space.parameters(*fit.initial);  // throws when the plan lies elsewhere
  return {};
}

void require_one_start(const Plan& initial, const std::optional<std::string>& final, bool restarts) {
  const char* const end = to_string(initial.final_zero() ? Final::zero : Final::sigma_min);
  if (final && *final != end)
    throw UsageError(
        fmt::format("`final` {}: the fit starts from `init_plan`, which ends at {}; leave `final` out", *final, end));
  if (restarts)
    throw UsageError("`restarts`: with `init_plan` the fit starts from that plan alone; leave one of them out");
}

Sampler fit_teacher(const FitTask& task, const ModelInfo& model, const ModelCard* card) {
  SamplerSpec spec = task.teacher;
  if (task.fit.sigma_min != model.sigma_min) spec.sigma_min = task.fit.sigma_min;
  if (task.fit.sigma_max != model.sigma_max) spec.sigma_max = task.fit.sigma_max;
  Sampler teacher = make_sampler(spec, model, card, task.draw.device);
  require_one_answer(teacher);
  require_made_for(teacher, model, task.draw);
  return teacher;
}

std::optional<FitData> teacher_end_points(const Sampler& teacher, const Denoiser& denoiser, const FitTask& task,
                                          const ProgressFn& progress) {
  const DrawSettings both = both_of(task);
  DrawHooks hooks;
  hooks.progress = progress;
  const Draws ends = draw(teacher, denoiser, both, hooks);
  if (ends.stopped) return std::nullopt;
  require_ended_well(ends.status);
  const auto part = [&](int64_t first, const std::vector<int64_t>& seeds) {
    const auto count = static_cast<int64_t>(seeds.size());
    return rows_of(both, denoiser.info(), first, start_points(both, denoiser.info(), task.fit.sigma_max, first, count),
                   ends.x.slice(0, first, first + count));
  };
  return FitData{part(0, task.seeds), part(static_cast<int64_t>(task.seeds.size()), task.validation_seeds),
                 record_of(teacher, denoiser.info(), task.draw, task.seeds, task.validation_seeds)};
}

LabelChoice recorded_labels(const TrajectoryStore& store, const std::vector<int64_t>& seeds, const LabelChoice& asked,
                            const ModelInfo& model) {
  const ConditionSpec* const spec = label_of(model);
  const Tensor labels = store.labels(store.rows_of(seeds));
  if (spec == nullptr || seeds.empty() || !says_labels(labels)) return asked;
  if (asked) {
    const Tensor wanted = asked.of(seeds, 0, static_cast<int64_t>(seeds.size()), spec->classes);
    const Tensor other = wanted.ne(labels).nonzero();
    if (other.size(0) == 0) return asked;
    const auto row = other[0][0].item<int64_t>();
    const auto had = labels[row].item<int64_t>();
    throw UsageError(fmt::format(
        "{}: seed {} was recorded with {}, and `class` {} means {}: leave `class` out, or ask for the same",
        store.folder(), seeds[static_cast<std::size_t>(row)],
        had == kNoLabel ? "no class" : fmt::format("class {}", had), asked.text(), wanted[row].item<int64_t>()));
  }
  const auto first = labels[0].item<int64_t>();
  if (labels.eq(first).all().item<bool>()) return first == kNoLabel ? LabelChoice() : LabelChoice(first);
  return LabelChoice::recorded(labels.masked_fill(labels.eq(kNoLabel), spec->null.value_or(kNoLabel)),
                               made_with_of(store.config()).label);
}

FitData recorded_end_points(const TrajectoryStore& store, const Denoiser& denoiser, const FitTask& task) {
  MadeWith made_with = made_with_of(store.config());
  if (says_labels(store.labels(store.rows_of(task.seeds))) &&
      says_labels(store.labels(store.rows_of(task.validation_seeds))))
    made_with.label = task.draw.label.text();  // recorded_labels has compared them
  require_recorded_for({store.folder(), made_with}, denoiser.info(), task.draw);
  made_with.seeds = format_seeds(task.seeds);
  made_with.validation_seeds = format_seeds(task.validation_seeds);
  return {recorded(store, denoiser.info(), task, 0, task.seeds),
          recorded(store, denoiser.info(), task, static_cast<int64_t>(task.seeds.size()), task.validation_seeds),
          std::move(made_with)};
}

PlanFitResult fit_to(const FitData& data, const Denoiser& denoiser, const FitTask& task, const ProgressFn& progress) {
  PlanFitResult result = fit_plan(denoiser, task.draw.guidance, data.train, data.validation, task.fit, progress);
  if (result.plan.nfe() == 0) return result;
  result.plan.model_sha256 = denoiser.info().sha256;
  result.plan.made_with = data.made_with;
  result.plan.fit_json = fit_report_json(
      result, task.fit, {task.teacher_text, format_seeds(task.seeds), format_seeds(task.validation_seeds)});
  return result;
}

int64_t parse_bytes(const std::string& text, const std::string& where) {
  const std::size_t unit = text.empty() ? std::string::npos : std::string("KMG").find(text.back());
  const std::string digits = unit == std::string::npos ? text : text.substr(0, text.size() - 1);
  const int64_t factor = unit == std::string::npos ? 1 : int64_t{1} << (10 * (unit + 1));
  const int64_t count = parse_integer(digits, where);
  if (count < 1 || count > std::numeric_limits<int64_t>::max() / factor)
    throw UsageError(fmt::format("{} {}: needs a positive number of bytes, as in 512M", where, text));
  return count * factor;
}

}  // namespace stride
