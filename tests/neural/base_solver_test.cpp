// Any deterministic solver of one evaluation per step can be what a step predictor learns.
#include "neural/predictor/base_solver.h"

#include "framework/error.h"
#include "framework/fixed_grid.h"
#include "framework/models/gaussian_mixture.h"
#include "framework/sample.h"
#include "neural/predictor/jump_source.h"
#include "neural/predictor/train_predictor.h"
#include "neural/predictor/trajectory_features.h"
#include "solvers/names.h"
#include "solvers/registry.h"
#include "tests/catch_torch.h"

#include <algorithm>

using namespace stride;

namespace {

constexpr int64_t kSamples = 3, kSteps = 24;

GaussianMixture mixture() {
  ModelInfo info;
  info.shape = {2, 2};
  return {info,
          {.weights = {0.4, 0.6},
           .means = {{-1.0, 0.5, 0.2, 0.9}, {1.5, -0.5, 0.1, -0.7}},
           .std = {0.1, 0.3},
           .classes = {}}};
}

/// Heun's run in float64, recorded at every level.
TrajectoryBatch recording() {
  const GaussianMixture denoiser = mixture();
  const ProbabilityFlow term;
  const NoNoise noise;
  const auto solver = make_solver("heun");
  const GridRequest request{.steps = kSteps, .sigma_min = 0.05, .sigma_max = 20.0, .final = Final::sigma_min};
  const TimeGrid grid = make_grid(Spec::parse("karras"), request);
  const FixedGrid controller(grid);
  const Tensor ids = at::arange(kSamples, at::kLong);
  const Tensor start = PhiloxNoise(0).initial(ids, {2, 2}, at::kDouble) * 20.0;
  TrajectoryBatch batch;
  batch.seed = ids;
  batch.sigma = grid.rows(kSamples, at::kCPU);
  std::vector<Tensor> x = {start}, denoised;
  SampleOptions options;
  options.observer = [&](const RunState&, const RunState& after, const StepResult& step, bool) {
    x.push_back(after.x);
    denoised.push_back(step.denoised);
  };
  (void)sample({denoiser, term, noise}, *solver, controller,
               start_run(*solver, controller, {ids, {}, batch.sigma, {}}, start, batch.sigma.select(1, 0)), options);
  batch.x = at::stack(x, 1);
  batch.denoised = at::stack(denoised, 1);
  return batch;
}

/// The error at level `to` of a run of `solver` over `path` (oldest first) on the denoiser itself, put back on the
/// recorded states after each step.
Tensor direct_error(const Solver& solver, const TrajectoryBatch& recorded, const std::vector<int64_t>& path,
                    int64_t to) {
  const GaussianMixture denoiser = mixture();
  const ProbabilityFlow term;
  const NoNoise noise;
  std::vector<double> levels;
  for (const int64_t point : path) levels.push_back(recorded.sigma[0][point].item<double>());
  levels.push_back(recorded.sigma[0][to].item<double>());
  const TimeGrid grid(levels);
  const FixedGrid controller(grid);
  RunState state = start_run(solver, controller, {recorded.seed, {}, grid.rows(kSamples, at::kCPU), {}},
                             recorded.x.select(1, path.front()), at::full({kSamples}, grid.start(), at::kDouble));
  for (const int64_t point : path) {
    state.x = recorded.x.select(1, point);
    state = advance({denoiser, term, noise}, solver, controller, state);
  }
  CHECK(state.nfe.eq(static_cast<int64_t>(path.size())).all().item<bool>());
  return (state.x - recorded.x.select(1, to)).flatten(1).square().mean(1).sqrt();
}

bool claims_to_be_a_base(const SolverTraits& traits) {
  return !traits.stochastic && traits.nfe(7, false) == 7 && traits.nfe(20, false) == 20;
}

/// Every registered solver that can be made from its name, with its variants.
std::vector<std::string> registered() {
  std::vector<std::string> out;
  for (const std::string& name : solver_names()) {
    if (name == "plan") continue;  // it needs a file
    out.push_back(name);
    for (const std::string& variant : solver_traits(name).variants) out.push_back(name + ":" + variant);
  }
  return out;
}

std::unique_ptr<Solver> made(const std::string& text) {
  static const NoiseSchedule schedule = make_noise_schedule(Spec::parse("linear"));
  return make_solver(text, {&schedule});
}

double worst_relative(const Tensor& a, const Tensor& b) {
  return ((a - b).abs() / b.abs().clamp_min(1e-8)).max().item<double>();
}

}  // namespace

TEST_CASE("base solver: every solver of one evaluation per step and without noise can be one, no other") {
  const TrajectoryBatch recorded = recording();
  const TrajectoryBatch features = trajectory_features(recorded, {});
  std::vector<std::string> bases;
  for (const std::string& name : registered()) {
    CAPTURE(name);
    const auto solver = made(name);
    const std::string reason = base_refusal(*solver, false);
    if (!claims_to_be_a_base(solver->traits())) {
      CHECK_FALSE(reason.empty());
      continue;
    }
    // Both lower their order as the last step comes near, which no adaptive run knows.
    if (name.find("lower_order_final=1") != std::string::npos || name.starts_with("sa_solver")) {
      CHECK(reason.find("how many are left") != std::string::npos);
      continue;
    }
    CHECK(reason.empty());
    bases.push_back(name);
    const auto states = make_jump_source(recorded, kSteps + 1, *solver);
    const auto small = make_jump_source(features, kSteps + 1, *solver);
    // As a run starts; with a part of the history; with more than any of them remembers, on uneven steps.
    for (const JumpPlaces& places : {JumpPlaces{0, {}}, {1, {0}}, {9, {7, 2}}, {15, {13, 12, 8, 5, 1}}}) {
      CAPTURE(places.at, places.before);
      std::vector<int64_t> path(places.before.rbegin(), places.before.rend());
      path.push_back(places.at);
      const Tensor errors = states->errors(places);
      REQUIRE(errors.sizes() == at::IntArrayRef({kSamples, kSteps - places.at}));
      for (const int64_t to : {places.at + 1, places.at + 3, kSteps})
        CHECK(worst_relative(errors.select(1, to - places.at - 1), direct_error(*solver, recorded, path, to)) < 1e-9);
      CHECK(worst_relative(small->errors(places), errors) < 1e-6);
    }
  }
  for (const char* name : {"ddim", "deis", "dpmpp_2m", "dpmpp_3m", "euler", "ipndm", "ipndm_v", "lms", "unipc"}) {
    CAPTURE(name);
    CHECK(std::find(bases.begin(), bases.end(), name) != bases.end());
  }
}

TEST_CASE("base solver: a refusal says what the recording lacks") {
  const auto reason = [](const std::string& name, bool guided = false) { return base_refusal(*made(name), guided); };
  CHECK(reason("euler_ancestral").find("noise") != std::string::npos);
  CHECK(reason("heun").find("evaluations other than the one where they start") != std::string::npos);
  CHECK(reason("dpmpp_2m:lower_order_final=1").find("how many are left") != std::string::npos);
  // Under guidance CFG++ looks at two predictions, and a recording holds their mixture.
  CHECK(reason("euler_cfg_pp").empty());
  CHECK(reason("euler_cfg_pp", true).find("without the condition") != std::string::npos);
  CHECK(reason("dpmpp_2m", true).empty());
}

TEST_CASE("base solver: a store teaches the steps of the solver that is asked for, and the predictor says so") {
  TrajectoryConfig config;
  PredictorTraining training;
  CHECK(make_base(training, config)->traits().name == "dpmpp_2m");
  training.base = "DPM++ 3M";
  CHECK(make_base(training, config)->traits().name == "dpmpp_3m");
  training.base = "dpmpp_9m";
  CHECK_THROWS_AS(make_base(training, config), UsageError);
  training.base = "ipndm:order=2";
  CHECK(make_base(training, config)->traits().history == 1);
  training.base = "heun";
  try {
    (void)make_base(training, config);
    FAIL("heun was taken");
  } catch (const UsageError& error) {
    CHECK(std::string(error.what()).find("`solver` heun") != std::string::npos);
  }
  training.base = "euler_cfg_pp";
  CHECK(make_base(training, config) != nullptr);
  config.settings["guidance"] = "2";
  CHECK_THROWS_AS(make_base(training, config), UsageError);
  CHECK(canonical_solver("DPM++ 2M") == "dpmpp_2m");
  CHECK(canonical_solver("ipndm: order = 2") == "ipndm:order=2");
}
