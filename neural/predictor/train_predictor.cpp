#include "neural/predictor/train_predictor.h"

#include "datasets/store/seed_ranges.h"
#include "framework/error.h"
#include "neural/predictor/base_solver.h"
#include "neural/predictor/step_features.h"
#include "neural/predictor/store_record.h"
#include "neural/training/adam.h"
#include "neural/training/batch_order.h"
#include "solvers/names.h"
#include "solvers/registry.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace stride {
namespace {

constexpr int64_t kScheduleFeatures = 5;  // of step_feature_names(): those that do not look at the sample
constexpr int64_t kRecordEvery = 100;
constexpr int64_t kNetworks = 2;  // that are trained: one sees the sample, one does not

Tensor pinball(const Tensor& target, const Tensor& predicted, double quantile) {
  const Tensor over = target - predicted;
  return at::maximum(over * quantile, over * (quantile - 1.0)).mean();
}

struct Normalised {
  Tensor mean, scale;
};

Tensor inputs_of(const StepExamples& examples) {
  return at::cat({examples.features, examples.log_tolerance.unsqueeze(1)}, 1);
}

struct Fitted {
  Weights weights;
  bool stopped = false;
};

// `visible` [F + 1]: zero for the inputs that the network must not see. `before`: steps of networks trained before.
Fitted fit(const PredictorInfo& info, const Tensor& inputs, const Tensor& target, const PredictorTraining& training,
           const Tensor& visible, const ProgressFn& progress, int64_t before) {
  const Layout layout = predictor_layout(info);
  const Tensor x = (inputs * visible).to(training.device, at::kFloat);
  const Tensor y = target.to(training.device, at::kFloat);
  Tensor flat = initial_parameters(layout, training.seed).to(training.device);
  flat[-1] = at::median(y);  // the last bias: start at the middle
  AdamState state = AdamState::zero(flat);
  const AdamOptions adam{.weight_decay = training.weight_decay, .clip = 1.0};
  const BatchOrder order(training.seed, x.size(0), std::min(training.batch, x.size(0)));
  Fitted fitted;
  std::string note;
  while (state.step < training.steps && !fitted.stopped) {
    const Tensor rows = order.indices(state.step).to(training.device);
    const Tensor leaf = flat.detach().requires_grad_();
    const Tensor predicted = predictor_forward(info, unpack(layout, leaf), x.index_select(0, rows));
    const Tensor loss = pinball(y.index_select(0, rows), predicted, training.quantile);
    const Tensor gradient = torch::autograd::grad({loss}, {leaf})[0];
    const double rate = training.learning_rate * warmup_cosine(state.step, 50, training.steps);
    AdamUpdate update = adam_update(leaf.detach(), gradient, state, rate, adam);
    flat = update.parameters;
    state = update.state;
    if (state.step % kRecordEvery == 0 || state.step == training.steps) {
      const double value = loss.item<double>();
      if (!std::isfinite(value))
        throw QualityError("step predictor: the loss is not finite; try a lower learning rate");
      note = fmt::format("loss {:.4f}", value);
    }
    if (progress && !progress((before + state.step) / kNetworks, training.steps, note)) fitted.stopped = true;
  }
  fitted.weights = convert(unpack(layout, flat), at::kCPU, at::kDouble);
  return fitted;
}

}  // namespace

std::string PredictorTraining::invalid_reason() const {
  if (!(examples.tolerance_min > 0.0 && examples.tolerance_min < examples.tolerance_max &&
        std::isfinite(examples.tolerance_max)))
    return "the tolerances must be positive, the smallest below the largest";
  if (examples.jumps < 1 || examples.jumps > 100000 || examples.tolerances < 1 || examples.tolerances > 1000)
    return fmt::format("`jumps` must be 1 to 100000, not {}, and tolerances 1 to 1000", examples.jumps);
  if (!(quantile > 0.0 && quantile < 1.0)) return "`quantile` must lie between 0 and 1";
  if (steps < 1 || batch < 1) return "`training_steps` and batch must be positive";
  if (!(learning_rate > 0.0 && learning_rate < 10.0))
    return fmt::format("`learning_rate` must lie between 0 and 10, not {}", learning_rate);
  if (!(weight_decay >= 0.0)) return "weight_decay must not be negative";
  if (!(held_out > 0.0 && held_out < 1.0)) return "held_out must lie between 0 and 1";
  for (const int64_t width : hidden)
    if (width < 1 || width > 4096) return "each hidden width must lie between 1 and 4096";
  return "";
}

TrainedPredictor train_predictor(const StepExamples& examples, PredictorInfo source, const PredictorTraining& training,
                                 const ProgressFn& progress) {
  const std::string reason = training.invalid_reason();
  if (!reason.empty()) throw UsageError("step predictor: " + reason);
  PredictorInfo info = std::move(source);
  info.hidden = training.hidden;
  info.quantile = training.quantile;
  info.tolerance_min = training.examples.tolerance_min;
  info.tolerance_max = training.examples.tolerance_max;

  // Whole trajectories are held out: rows of one trajectory know each other.
  const Tensor ids = std::get<0>(at::_unique(examples.trajectory));
  const auto kept = static_cast<int64_t>(std::lround(training.held_out * static_cast<double>(ids.size(0))));
  if (kept < 1 || kept >= ids.size(0))
    throw UsageError(
        fmt::format("step predictor: {} trajectories are too few to hold some out; record more", ids.size(0)));
  const Tensor held = ids.index_select(0, BatchOrder(training.seed, ids.size(0), kept).indices(0));
  const Tensor is_held = at::isin(examples.trajectory, held);
  const StepExamples train = examples.select(is_held.logical_not().nonzero().squeeze(1));
  const StepExamples test = examples.select(is_held.nonzero().squeeze(1));

  const Tensor raw = inputs_of(train);
  const Tensor mean = raw.mean(0);
  const Tensor spread = raw.std(0, /*unbiased=*/false);
  const Tensor scale = at::where(spread > 1e-6, spread, at::ones_like(spread));
  const Tensor inputs = (raw - mean) / scale;
  const Tensor test_inputs = (inputs_of(test) - mean) / scale;

  const Tensor all = at::ones_like(mean);
  Tensor schedule = at::zeros_like(mean);
  schedule.narrow(0, 0, kScheduleFeatures).fill_(1.0);
  schedule[-1] = 1.0;
  const Fitted blind = fit(info, inputs, train.log_step, training, schedule, progress, 0);
  Fitted seeing = blind;
  if (!blind.stopped) seeing = fit(info, inputs, train.log_step, training, all, progress, training.steps);

  const at::NoGradGuard no_grad;
  PredictorReport report;
  report.examples = train.size();
  report.held_out = test.size();
  const Tensor constant = at::quantile(train.log_step, training.quantile);
  report.constant_loss = pinball(test.log_step, constant.expand_as(test.log_step), training.quantile).item<double>();
  report.schedule_loss =
      pinball(test.log_step, predictor_forward(info, blind.weights, test_inputs * schedule), training.quantile)
          .item<double>();
  const Tensor predicted = predictor_forward(info, seeing.weights, test_inputs);
  report.loss = pinball(test.log_step, predicted, training.quantile).item<double>();
  report.within = predicted.le(test.log_step).to(at::kDouble).mean().item<double>();
  report.within_double = predicted.le(test.log_step + std::log(2.0)).to(at::kDouble).mean().item<double>();
  return {StepPredictor(info, seeing.weights, mean, scale, "step predictor"), report, seeing.stopped};
}

std::unique_ptr<Solver> make_base(const PredictorTraining& training, const TrajectoryConfig& config) {
  const NoiseSchedule schedule =
      make_noise_schedule(Spec::parse("linear"));  // for those that would not be made without
  std::unique_ptr<Solver> base = make_solver(training.base, {&schedule});
  const std::string reason = base_refusal(*base, config.settings.contains("guidance"));
  if (!reason.empty())
    throw UsageError(fmt::format(
        "`solver` {}: the steps of this solver cannot be learned from recorded trajectories: {}; dpmpp_2m, dpmpp_3m, "
        "deis, ddim and others with one evaluation per step can",
        training.base, reason));
  return base;
}

TrainedPredictor train_predictor(const TrajectoryStore& store, const PredictorTraining& training,
                                 const ProgressFn& progress) {
  const std::string reason = training.invalid_reason();
  if (!reason.empty()) throw UsageError("step predictor: " + reason);
  const TrajectoryConfig& config = store.config();
  const std::unique_ptr<Solver> base = make_base(training, config);
  const std::vector<int64_t> rows = store.ok_rows();
  if (rows.empty()) throw UsageError(fmt::format("{}: holds no trajectory that ended well", store.folder()));
  constexpr std::size_t kRows = 1024;  // read at a time
  std::vector<StepExamples> parts;
  PredictorInfo info;
  for (std::size_t from = 0; from < rows.size(); from += kRows) {
    const std::vector<int64_t> chunk(rows.begin() + static_cast<std::ptrdiff_t>(from),
                                     rows.begin() + static_cast<std::ptrdiff_t>(std::min(rows.size(), from + kRows)));
    const TrajectoryBatch batch = store.batch(chunk);
    ExampleOptions options = training.examples;
    options.seed = training.seed + from;
    const Tensor positive = batch.sigma.masked_select(batch.sigma > 0.0);
    info.sigma_max = std::max(info.sigma_max, positive.max().item<double>());
    const double low = positive.min().item<double>();
    info.sigma_min = info.sigma_min == 0.0 ? low : std::min(info.sigma_min, low);
    bool stopped = false;
    parts.push_back(make_step_examples(
        batch, *base, options, [&] { return stopped = progress && !progress(0, training.steps, "making examples"); }));
    if (stopped) break;  // the training hears it again, and ends
  }
  info.base = canonical_solver(training.base);
  info.model_sha256 = config.model_sha256;
  info.sample_shape = config.sample_shape;
  info.made_with = made_with_of(config);
  std::vector<int64_t> seeds;
  for (const int64_t row : rows) seeds.push_back(store.seeds().at(static_cast<std::size_t>(row)));
  info.made_with.seeds = SeedRanges(std::move(seeds)).text();
  return train_predictor(StepExamples::concat(parts), info, training, progress);
}

}  // namespace stride
