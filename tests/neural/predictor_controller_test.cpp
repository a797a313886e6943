#include "tests/catch_torch.h"

#include "framework/error.h"
#include "framework/fixed_grid.h"
#include "framework/models/gaussian_mixture.h"
#include "framework/sample.h"
#include "neural/predictor/predictor_controller.h"
#include "neural/predictor/train_predictor.h"
#include "solvers/registry.h"

#include <cmath>

using namespace stride;

namespace {

constexpr double kEnd = 0.01, kStart = 10.0;

GaussianMixture mixture() {
  ModelInfo info;
  info.name = "mixture";
  info.shape = {2};
  return {info, {.weights = {0.4, 0.6}, .means = {{-1.0, 0.5}, {1.5, -0.5}}, .std = {0.1, 0.3}, .classes = {}}};
}

Tensor starts(int64_t first, int64_t n) {
  return PhiloxNoise(0).initial(at::arange(first, first + n, at::kLong), {2}, at::kDouble) * kStart;
}

RunConstant constant_of(int64_t n, const TimeGrid& grid) {
  return {at::arange(n, at::kLong), {}, grid.rows(n, at::kCPU), {}};
}

struct Recorded {
  TrajectoryBatch batch;
  Tensor end;
};

// Heun on a dense grid down to kEnd, and whatever it passed through.
Recorded teacher(int64_t first, int64_t n) {
  const auto denoiser = mixture();
  const ProbabilityFlow term;
  const NoNoise noise;
  const Problem problem{denoiser, term, noise};
  const auto solver = make_solver("heun");
  GridRequest request;
  request.steps = 80;
  request.sigma_min = kEnd;
  request.sigma_max = kStart;
  request.final = Final::sigma_min;
  const TimeGrid grid = make_grid(Spec::parse("karras"), request);
  const FixedGrid controller(grid);
  std::vector<Tensor> x = {starts(first, n)}, denoised;
  SampleOptions options;
  options.observer = [&](const RunState&, const RunState& after, const StepResult& step, bool) {
    x.push_back(after.x);
    denoised.push_back(step.denoised);
  };
  const RunState start = start_run(*solver, controller, constant_of(n, grid), x[0], at::full({n}, kStart, at::kDouble));
  const RunResult result = sample(problem, *solver, controller, start, options);
  Recorded recorded;
  recorded.batch.x = at::stack(x, 1);
  recorded.batch.denoised = at::stack(denoised, 1);
  recorded.batch.seed = at::arange(first, first + n, at::kLong);
  recorded.batch.nfe = at::zeros({n}, at::kInt);
  recorded.batch.sigma = grid.rows(n, at::kCPU);
  recorded.batch.status = at::zeros({n}, at::kChar);
  recorded.end = result.x;
  return recorded;
}

PredictorTraining quick() {
  PredictorTraining training;
  training.steps = 600;
  training.batch = 512;
  training.examples.jumps = 40;
  training.examples.tolerance_min = 1e-3;
  training.examples.tolerance_max = 0.3;
  return training;
}

const TrainedPredictor& trained() {
  static const TrainedPredictor result = [] {
    const Recorded recorded = teacher(0, 192);
    PredictorInfo info;
    info.sample_shape = {2};
    info.sigma_min = kEnd;
    info.sigma_max = kStart;
    return train_predictor(make_step_examples(recorded.batch, *make_solver("dpmpp_2m"), quick().examples), info,
                           quick(), {});
  }();
  return result;
}

PredictorController controller_with(double tolerance, double min_log_step = 0.02) {
  PredictorOptions options;
  options.tolerance = tolerance;
  options.min_log_step = min_log_step;
  options.end = kEnd;
  options.final_zero = false;
  return {std::make_shared<const StepPredictor>(trained().predictor), options};
}

RunResult run(const StepController& controller, const Tensor& x, const SampleOptions& options = {}) {
  const auto denoiser = mixture();
  const ProbabilityFlow term;
  const NoNoise noise;
  const auto solver = make_solver("dpmpp_2m");
  const int64_t n = x.size(0);
  const RunState start =
      start_run(*solver, controller, constant_of(n, TimeGrid({kStart, kEnd})), x, at::full({n}, kStart, at::kDouble));
  return sample({denoiser, term, noise}, *solver, controller, start, options);
}

}  // namespace

TEST_CASE("step examples: the making stops when it is asked to, with what there is") {
  const TrajectoryBatch batch = teacher(0, 64).batch;
  const auto base = make_solver("dpmpp_2m");
  ExampleOptions options;
  const int64_t all = make_step_examples(batch, *base, options).size();
  int64_t asked = 0;
  const StepExamples some = make_step_examples(batch, *base, options, [&] { return ++asked == 3; });
  CHECK(asked == 3);
  CHECK(some.size() == 3 * all / options.jumps);
}

TEST_CASE("train predictor: it learns from stored trajectories, and the content helps") {
  const PredictorReport& report = trained().report;
  CHECK(report.examples > 10'000);
  CHECK(report.loss < 0.5 * report.constant_loss);
  CHECK(report.loss < report.schedule_loss);
  CHECK(report.within == Approx(1.0 - quick().quantile).margin(0.1));
  CHECK(report.within_double > 0.85);
}

TEST_CASE("train predictor: the same arguments give the same predictor, others another") {
  const Recorded recorded = teacher(0, 64);
  PredictorTraining training = quick();
  training.steps = 30;
  training.examples.jumps = 6;
  const StepExamples examples = make_step_examples(recorded.batch, *make_solver("dpmpp_2m"), training.examples);
  const auto weights = [&](const PredictorTraining& t) {
    return train_predictor(examples, {}, t, {}).predictor.weights().at("layer0.weight");
  };
  CHECK(at::equal(weights(training), weights(training)));
  PredictorTraining other = training;
  other.seed = 9;
  CHECK_FALSE(at::equal(weights(training), weights(other)));
  const TrainedPredictor stopped =
      train_predictor(examples, {}, training, [&](int64_t done, int64_t total, const std::string&) {
        CHECK(total == training.steps);  // as they were asked for, although two networks make them
        CHECK(done <= total);
        return done < 5;
      });
  CHECK(stopped.stopped);
  other = training;
  other.quantile = 1.0;
  CHECK_THROWS_AS(train_predictor(examples, {}, other, {}), UsageError);
  CHECK_THROWS_AS(make_step_examples(teacher(0, 1).batch.slice(0, 0), *make_solver("dpmpp_2m"), training.examples),
                  UsageError);
}

TEST_CASE("predictor controller: error falls and evaluations rise as the tolerance falls") {
  const Recorded recorded = teacher(5000, 128);  // starts that the training never saw
  double last_error = 1e9, last_nfe = 0.0;
  for (const double tolerance : {0.2, 0.05, 0.0125, 0.003}) {
    const RunResult result = run(controller_with(tolerance), starts(5000, 128));
    REQUIRE(result.ok());
    const double error = (result.x - recorded.end).square().mean(1).sqrt().mean().item<double>();
    const double nfe = result.nfe.to(at::kDouble).mean().item<double>();
    INFO("tolerance " << tolerance << " error " << error << " nfe " << nfe);
    CHECK(error < 0.7 * last_error);
    CHECK(error < 5.0 * tolerance);  // local errors add up
    CHECK(nfe > last_nfe);
    last_error = error;
    last_nfe = nfe;
  }
}

TEST_CASE("predictor controller: every row ends exactly at the end, by its own steps, one evaluation each") {
  std::vector<Tensor> to;
  SampleOptions options;
  options.compact = false;
  options.observer = [&](const RunState& before, const RunState& after, const StepResult&, bool) {
    const Tensor running = before.running();
    CHECK(after.sigma.masked_select(running).lt(before.sigma.masked_select(running)).all().item<bool>());
    CHECK(after.sigma.ge(kEnd).all().item<bool>());
    to.push_back(after.sigma);
  };
  const RunResult result = run(controller_with(0.02), starts(0, 48), options);
  REQUIRE(result.ok());
  CHECK(at::equal(to.back(), at::full({48}, kEnd, at::kDouble)));
  CHECK(result.steps.max().item<int64_t>() > result.steps.min().item<int64_t>());
  CHECK(at::equal(result.nfe, result.steps));
  CHECK(result.rejected.sum().item<int64_t>() == 0);
}

TEST_CASE("predictor controller: the way is shared out, and no stub is left at the end") {
  std::vector<Tensor> visited = {at::full({48}, kStart, at::kDouble)};
  SampleOptions options;
  options.compact = false;
  options.observer = [&](const RunState&, const RunState& after, const StepResult&, bool) {
    visited.push_back(after.sigma);
  };
  const RunResult result = run(controller_with(0.02), starts(0, 48), options);
  for (int64_t row = 0; row < 48; ++row) {
    const auto steps = static_cast<std::size_t>(result.steps[row].item<int64_t>());
    std::vector<double> path;
    for (std::size_t i = 0; i <= steps; ++i) path.push_back(std::log(visited[i][row].item<double>()));
    const double last = path[steps - 1] - path[steps], before = path[steps - 2] - path[steps - 1];
    INFO("row " << row << " last step " << last << " before " << before);
    CHECK(last > 0.25 * before);
  }
}

TEST_CASE("predictor controller: compaction, batch and neighbours change no bit; a NaN stays in its row") {
  const auto controller = controller_with(0.02);
  const Tensor x = starts(0, 32);
  const RunResult whole = run(controller, x);
  SampleOptions loose;
  loose.compact = false;
  CHECK(at::equal(run(controller, x, loose).x, whole.x));
  for (const int64_t row : {0, 7, 31}) {
    const RunResult alone = run(controller, x.narrow(0, row, 1));
    CHECK(at::equal(alone.x, whole.x.narrow(0, row, 1)));
    CHECK(at::equal(alone.nfe, whole.nfe.narrow(0, row, 1)));
  }
  Tensor bad = x.clone();
  bad[5][0] = std::nan("");
  const RunResult result = run(controller, bad);
  CHECK(result.status[5].item<int64_t>() == static_cast<int64_t>(Status::non_finite));
  const Tensor others = at::cat({at::arange(0, 5), at::arange(6, 32)});
  CHECK(at::equal(result.x.index_select(0, others), whole.x.index_select(0, others)));
  CHECK(result.status.index_select(0, others).eq(0).all().item<bool>());
}

TEST_CASE("predictor controller: options outside the predictor's range are refused") {
  CHECK_NOTHROW(controller_with(0.02));
  CHECK_THROWS_AS(controller_with(0.9), UsageError);
  CHECK_THROWS_AS(controller_with(1e-5), UsageError);
  CHECK_THROWS_AS(controller_with(std::nan("")), UsageError);
  CHECK_THROWS_AS(controller_with(0.02, -1.0), UsageError);
  CHECK_THROWS_AS(PredictorController(nullptr, {}), UsageError);
}
