// Features in place of states: the same examples, the same predictor.
#include "neural/predictor/trajectory_features.h"
#include "datasets/store/trajectory_writer.h"
#include "framework/grids/time_grid.h"
#include "framework/models/gaussian_mixture.h"
#include "neural/predictor/jump_source.h"
#include "neural/predictor/train_predictor.h"
#include "solvers/registry.h"
#include "tests/catch_torch.h"
#include "tests/temporary_folder.h"

#include "framework/fixed_grid.h"
#include "framework/sample.h"

using namespace stride;

namespace {

/// Heun's trajectories of images of a mixture in float32, from σ = 80: the case in which plain products of states would
/// lose the local errors.
TrajectoryBatch teacher(int64_t n, int64_t steps, Final final) {
  ModelInfo info;
  info.shape = {3, 4, 4};
  std::vector<std::vector<double>> means(2, std::vector<double>(48));
  for (std::size_t i = 0; i < 48; ++i) {
    means[0][i] = 0.5 - 0.02 * static_cast<double>(i);
    means[1][i] = i % 2 == 0 ? 0.7 : -0.4;
  }
  const GaussianMixture denoiser(info, {.weights = {0.4, 0.6}, .means = means, .std = {0.3, 0.2}, .classes = {}});
  const ProbabilityFlow term;
  const NoNoise noise;
  const Problem problem{denoiser, term, noise};
  const auto solver = make_solver("heun");
  GridRequest request;
  request.steps = steps;
  request.sigma_min = 0.002;
  request.sigma_max = 80.0;
  request.final = final;
  const TimeGrid grid = make_grid(Spec::parse("karras"), request);
  const FixedGrid controller(grid);
  const Tensor ids = at::arange(n, at::kLong);
  const Tensor first = (PhiloxNoise(0).initial(ids, info.shape, at::kDouble) * 80.0).to(at::kFloat);
  std::vector<Tensor> x = {first}, denoised;
  SampleOptions options;
  options.observer = [&](const RunState&, const RunState& after, const StepResult& step, bool) {
    x.push_back(after.x);
    denoised.push_back(step.denoised);
  };
  const RunConstant constant{ids, {}, grid.rows(n, at::kCPU), {}};
  const RunState start = start_run(*solver, controller, constant, first, at::full({n}, 80.0, at::kDouble));
  (void)sample(problem, *solver, controller, start, options);
  TrajectoryBatch batch;
  batch.x = at::stack(x, 1);
  batch.denoised = at::stack(denoised, 1);
  batch.seed = ids;
  batch.nfe = at::zeros({n}, at::kInt);
  batch.sigma = grid.rows(n, at::kCPU);
  batch.status = at::zeros({n}, at::kChar);
  return batch;
}

double worst_relative(const Tensor& a, const Tensor& b) {
  return ((a - b).abs() / at::maximum(a.abs(), b.abs()).clamp_min(1e-6)).max().item<double>();
}

}  // namespace

TEST_CASE("trajectory features: errors of jumps and what a run knows are those of the states") {
  const TrajectoryBatch states = teacher(12, 40, Final::zero);
  const TrajectoryBatch features = trajectory_features(states, {});
  REQUIRE_FALSE(features.x.defined());
  CHECK(features.gram.sizes() == at::IntArrayRef({12, 81, 81}));
  CHECK(features.pooled.sizes() == at::IntArrayRef({12, 40, kPooledStatistics}));
  CHECK(features.start.sizes() == at::IntArrayRef({12, kStartStatistics}));
  const auto base = make_solver("dpmpp_2m");
  const auto full = make_jump_source(states, 40, *base), small = make_jump_source(features, 40, *base);
  for (const JumpPlaces& places :
       {JumpPlaces{0, {}}, {1, {0}}, {2, {1, 0}}, {20, {17, 3}}, {37, {36, 35}}, {38, {5, 0}}}) {
    CAPTURE(places.at, places.before);
    CHECK(worst_relative(full->errors(places), small->errors(places)) < 1e-6);
    CHECK(worst_relative(step_features(full->statistics(places)), step_features(small->statistics(places))) < 1e-6);
  }
}

TEST_CASE("trajectory features: the products of x and D come back from the Gram matrix") {
  const TrajectoryBatch states = teacher(3, 10, Final::sigma_min);
  const TrajectoryBatch features = trajectory_features(states, {});
  const GramCoefficients in_basis = gram_coefficients(states.sigma);
  const Tensor x = states.x.to(at::kDouble).flatten(2), d = states.denoised.to(at::kDouble).flatten(2);
  const Tensor found = at::matmul(at::matmul(in_basis.x, features.gram), in_basis.denoised.transpose(1, 2)) * 48.0;
  const Tensor expected = at::bmm(x, d.transpose(1, 2));
  CHECK((found - expected).abs().max().item<double>() < 1e-9 * expected.abs().max().item<double>());
}

TEST_CASE("trajectory features: a store of them trains the predictor that the states train") {
  const testing::TemporaryFolder folder;
  const TrajectoryBatch states = teacher(48, 40, Final::zero);
  TrajectoryConfig config;
  config.solver = "heun";
  config.schedule = "karras";
  config.sample_shape = {3, 4, 4};
  config.steps = 40;
  const auto* sigma = states.sigma[0].const_data_ptr<double>();
  config.sigmas.assign(sigma, sigma + 41);
  const auto write = [&](const std::string& name, const TrajectoryBatch& batch) {
    TrajectoryWriter writer(folder / name, config);
    (void)writer.append(batch);
    (void)writer.seal();
  };
  write("full", states);
  config.features = true;
  config.dtype = at::kDouble;
  write("features", trajectory_features(states, config.sigmas));

  PredictorTraining training;
  training.steps = 200;
  const TrajectoryStore full(folder / "full"), small(folder / "features");
  const StepExamples a = make_step_examples(full.all(), *make_solver("dpmpp_2m"), training.examples);
  const StepExamples b = make_step_examples(small.all(), *make_solver("dpmpp_2m"), training.examples);
  CHECK(at::equal(a.trajectory, b.trajectory));
  CHECK(at::equal(a.log_tolerance, b.log_tolerance));
  CHECK(worst_relative(a.features, b.features) < 1e-5);
  CHECK((a.log_step - b.log_step).abs().max().item<double>() < 1e-5);
  const TrainedPredictor one = train_predictor(full, training, {}), two = train_predictor(small, training, {});
  CHECK(two.report.loss < 0.5 * two.report.constant_loss);
  CHECK(two.report.loss == Approx(one.report.loss).epsilon(0.01));
}
