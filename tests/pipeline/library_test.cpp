// The library's functions: sample, fit, record.
#include "framework/error.h"
#include "framework/fixed_grid.h"
#include "framework/models/gaussian_mixture.h"
#include "neural/predictor/train_predictor.h"
#include "pipeline/fit.h"
#include "pipeline/record.h"
#include "pipeline/sample.h"
#include "solvers/registry.h"
#include "tests/pipeline/two_points.h"
#include "tests/temporary_folder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <numeric>

namespace stride {
namespace {

using test::rmse;
using test::two_points;

FitSettings quick_fit() {
  return {
      .nfe = 3, .teacher = "heun:steps=12", .seeds = "0-31", .val_seeds = "100-131", .restarts = 1, .iterations = 3};
}

// Theory's plan of three evaluations, with a jump to 0.
Plan short_plan() {
  const PlanParameters space({.nfe = 3, .final = Final::zero});
  return space.plan(std::vector<double>(static_cast<std::size_t>(space.size())));
}

TEST_CASE("sample is make_sampler and draw, with the command's names and defaults", "[library]") {
  const LambdaDenoiser denoiser = two_points();
  const SampleResult result = sample(denoiser, "dpmpp_2m", {.steps = 10}, "3-6");
  SamplerSpec spec;
  spec.solver = "dpmpp_2m";
  spec.steps = 10;
  DrawSettings settings;
  settings.seeds = {3, 4, 5, 6};
  const Sampler sampler = make_sampler(spec, denoiser.info());
  CHECK(result.x.equal(draw(sampler, denoiser, settings).x));
  CHECK(result.seeds.equal(at::arange(3, 7, at::kLong)));
  CHECK(result.sigmas.size(0) == 11);
  CHECK(result.nfe.eq(10).all().item<bool>());
  CHECK(result.status.eq(0).all().item<bool>());
  CHECK(sample(denoiser, "heun").nfe.equal(at::full({64}, 2 * kDefaultSteps - 1, at::kLong)));
  // A name may say its schedule, and a solver its policy.
  CHECK(make_sampler(denoiser, "DPM++ 2M Karras", {.schedule = "exponential"}).spec.schedule == "karras");
  CHECK_FALSE(make_sampler(denoiser, "dpm_adaptive", {}).fixed());
  CHECK(make_sampler(denoiser, "ddim@4,heun@2", {}).grid.steps() == 6);
}

TEST_CASE("sample refuses what does not go together, by the name of the field", "[library]") {
  const LambdaDenoiser denoiser = two_points();
  const auto refusal = [&](const SolverChoice& solver, const SampleSettings& settings) -> std::string {
    try {
      (void)sample(denoiser, solver, settings, "0-1");
    } catch (const UsageError& error) {
      return error.what();
    }
    return "nothing was refused";
  };
  CHECK_THAT(refusal("dpmpp_2n", {}), contains("dpmpp_2m"));
  CHECK_THAT(refusal("heun", {.steps = 4, .nfe = 7}), contains("`steps` and `nfe`"));
  CHECK_THAT(refusal("heun", {.nfe = 4}), contains("possible are 3 and 5"));
  CHECK_THAT(refusal("heun", {.policy = "pie"}), contains("pi"));
  CHECK_THAT(refusal("heun", {.final = "none"}), contains("none"));
  CHECK_THAT(refusal("heun", {.guidance = "2"}), contains("`class`"));
  CHECK_THAT(refusal("heun", {.label = 3}), contains("takes no condition"));
  CHECK_THAT(refusal("heun", {.threshold = "0.9", .clip = true}), contains("`clip` and `threshold`"));
  CHECK_THAT(refusal("heun", {.init = at::zeros({3, 2})}), contains("[2, 2]"));
  CHECK_THAT(refusal("heun", {.strength = 0.5}), contains("`start`"));
  CHECK_THAT(refusal("heun", {.init_scale = "vq"}), contains("sigma, vp and flow"));
  CHECK_THAT(refusal("heun", {.steps = 7, .sigmas = {10, 3, 1, 0}}), contains("leave `steps` and `nfe` out"));
  CHECK_THAT(refusal("heun", {.nfe = 7, .sigmas = {10, 3, 1, 0}}), contains("leave `steps` and `nfe` out"));
  CHECK_THAT(refusal("heun", {.sigmas = {10, 3, 1, 0}, .schedule = "exponential"}), contains("leave `schedule` out"));
  CHECK_THAT(refusal("heun", {.sigmas = {10, 3, 1, 0}, .final = "sigma_min"}), contains("leave `final` out"));
  CHECK_THAT(refusal(short_plan(), {.schedule = "exponential"}), contains("the plan gives the levels"));
  CHECK_THAT(refusal(short_plan(), {.final = "zero"}), contains("nothing was refused"));
}

TEST_CASE("sample says what has no effect beside a policy that chooses the steps", "[library]") {
  const LambdaDenoiser denoiser = two_points();
  const auto said = [&](const SolverChoice& solver, const SampleSettings& settings) {
    return fmt::format("{}", fmt::join(sample(denoiser, solver, settings, "0-1").warnings, "; "));
  };
  const PolicyChoice pi = "pi:atol=0.5";
  CHECK(said("heun", {.policy = pi}).empty());
  CHECK_THAT(said("heun", {.steps = 9, .policy = pi}), contains("`steps` 9 has no effect"));
  CHECK_THAT(said("heun", {.schedule = "exponential", .policy = pi}), contains("`schedule` exponential has no effect"));
  CHECK_THAT(said("Heun Karras", {.policy = pi}), contains("the schedule karras in `solver` Heun Karras"));
  CHECK_THAT(said("heun", {.sigmas = {10, 3, 1, 0}, .policy = pi}), contains("only its ends"));
}

// One evaluation per step, and no claim about its cost.
class Plain final : public Solver {
 public:
  Plain() { traits_.name = "plain"; }
  [[nodiscard]] const SolverTraits& traits() const noexcept override { return traits_; }
  [[nodiscard]] StepResult step(Step& step, const Tensor& x, const BatchState& history) const override {
    const Tensor denoised = step.denoise(x, step.from);
    return {x + per_sample(step.to - step.from, x) * step.term().drift(x, step.from, denoised), history, denoised, {}};
  }

 private:
  SolverTraits traits_;
};

TEST_CASE("a solver of the caller's runs in place of a name", "[library]") {
  const LambdaDenoiser denoiser = two_points();
  const auto own = std::make_shared<Plain>();
  const SampleResult mine = sample(denoiser, own, {.steps = 6}, "0-3");
  CHECK(rmse(mine.x, sample(denoiser, "euler", {.steps = 6}, "0-3").x) < 1e-6);
  const Sampler sampler = make_sampler(denoiser, own, {.steps = 6});
  CHECK(sampler.spec.solver == "plain");
  CHECK_FALSE(sampler.claimed_nfe());
  CHECK_THROWS_WITH(sample(denoiser, own, {.nfe = 6}, "0-3"), contains("SolverTraits::nfe"));
}

TEST_CASE("a policy of the caller's runs in place of a name", "[library]") {
  const LambdaDenoiser denoiser = two_points();
  const TimeGrid grid = make_grid(Spec::parse("karras"), {.steps = 5});
  const auto own = std::make_shared<FixedGrid>(grid);
  const SampleSettings settings{.steps = 5, .policy = own};
  CHECK(sample(denoiser, "euler", settings, "0-3").x.equal(sample(denoiser, "euler", {.steps = 5}, "0-3").x));
  Plan plan =
      PlanParameters({.nfe = 2}).plan(std::vector<double>(static_cast<std::size_t>(PlanParameters({.nfe = 2}).size())));
  CHECK_THROWS_WITH(sample(denoiser, plan, {.policy = own}), contains("brings its own steps"));
}

TEST_CASE("fit gives a plan that beats theory's, says what it was made with, and runs as it is or from its file",
          "[library]") {
  const LambdaDenoiser denoiser = two_points(std::string(64, 'a'));
  const PlanFitResult fitted = fit(denoiser, quick_fit());
  CHECK(fitted.validation_after < 0.8 * fitted.validation_before);
  const auto report = nlohmann::json::parse(fitted.plan.fit_json);
  CHECK(report.at("teacher") == "heun:steps=12");
  CHECK(report.at("seeds") == "0-31");
  CHECK(report.at("validation_seeds") == "100-131");
  CHECK(fitted.plan.model_sha256 == denoiser.info().sha256);
  const testing::TemporaryFolder folder;
  fitted.plan.save(folder / "plan.json");
  const SampleResult here = sample(denoiser, fitted.plan, {}, "0-7");
  CHECK(here.x.equal(sample(denoiser, "plan:" + (folder / "plan.json"), {}, "0-7").x));
  CHECK(here.nfe.eq(3).all().item<bool>());
  CHECK_THROWS_WITH(sample(denoiser, fitted.plan, {.steps = 9}, "0-7"), contains("brings its own grid"));
  CHECK_THROWS_WITH(sample(two_points(std::string(64, 'b')), fitted.plan), contains("another model"));
}

TEST_CASE("fit refuses what makes no sense", "[library]") {
  const LambdaDenoiser denoiser = two_points();
  FitSettings settings = quick_fit();
  settings.val_seeds = "31-40";
  CHECK_THROWS_WITH(fit(denoiser, settings), contains("seed 31 is fitted to"));
  settings = quick_fit();
  settings.teacher = "euler_ancestral:steps=12";
  CHECK_THROWS_WITH(fit(denoiser, settings), contains("deterministic"));
  settings = quick_fit();
  settings.method = "strides";
  CHECK_THROWS_WITH(fit(denoiser, settings), contains("did you mean stride?"));
  settings = quick_fit();
  settings.residual = "encoder";
  CHECK_THROWS_WITH(fit(denoiser, settings), contains("no native UNet"));
  settings = quick_fit();
  settings.fit_memory = "3X";
  CHECK_THROWS_AS(fit(denoiser, settings), UsageError);
  settings = quick_fit();
  settings.init_plan = short_plan();
  settings.restarts = 3;
  CHECK_THROWS_WITH(fit(denoiser, settings), contains("`restarts`"));
  settings.restarts = FitSettings().restarts;
  settings.final = "sigma_min";
  CHECK_THROWS_WITH(fit(denoiser, settings), contains("`final` sigma_min"));
  settings = quick_fit();
  settings.progress = [](int64_t, int64_t, const std::string&) { return false; };
  CHECK(fit(denoiser, settings).stopped);
}

TEST_CASE("a plan fitted to a store is the one fitted to its teacher", "[library]") {
  const LambdaDenoiser denoiser = two_points(std::string(64, 'a'));
  const testing::TemporaryFolder folder;
  const TrajectoryStore store = record(denoiser, "heun", {.steps = 12}, "0-31,100-131", folder / "store");
  CHECK(store.size() == 64);
  const Plan recorded = fit(denoiser, store, quick_fit()).plan;
  const Plan run = fit(denoiser, quick_fit()).plan;
  CHECK(recorded.sigmas == run.sigmas);
  CHECK(recorded.weights == run.weights);
  CHECK(nlohmann::json::parse(recorded.fit_json).at("teacher") == "heun:steps=12,schedule=karras,final=zero");
  FitSettings elsewhere = quick_fit();
  elsewhere.seeds = "0-40";
  CHECK_THROWS_AS(fit(denoiser, store, elsewhere), InputError);
  CHECK_THROWS_WITH(fit(two_points(std::string(64, 'b')), store, quick_fit()), contains("another model"));
  elsewhere = quick_fit();
  elsewhere.sigma_max = 40.0;
  CHECK_THROWS_WITH(fit(denoiser, store, elsewhere), contains("`sigma_max`"));
}

TEST_CASE("a plan fitted to a store has the store's range", "[library]") {
  const LambdaDenoiser denoiser = two_points(std::string(64, 'a'));
  const testing::TemporaryFolder folder;
  const SampleSettings recording{.steps = 8, .final = "sigma_min", .sigma_min = 0.5};
  const TrajectoryStore store = record(denoiser, "heun", recording, "0-31,100-131", folder / "store");
  FitSettings settings = quick_fit();
  settings.final = "sigma_min";
  CHECK(fit(denoiser, store, settings).plan.sigmas.back() == Approx(0.5));
  settings.sigma_min = 0.1;
  CHECK_THROWS_WITH(fit(denoiser, store, settings), contains("end at 0.5"));
}

TEST_CASE("a plan fitted to stores of several classes takes each trajectory's own", "[library]") {
  ModelInfo info;
  info.shape = {2};
  info.conditions = {{.name = "class", .classes = 3, .shape = {}}};
  const GaussianMixture denoiser(
      info,
      {.weights = {1, 1, 1}, .means = {{-1, 0.5}, {1, 0}, {0.2, -1}}, .std = {0.2, 0.4, 0.3}, .classes = {0, 1, 2}});
  const testing::TemporaryFolder folder;
  const auto recorded = [&](const std::string& name, const LabelChoice& label, const std::string& seeds) {
    (void)record(denoiser, "heun", {.steps = 12, .label = label}, seeds, folder / name);
    return folder / name;
  };
  const std::vector<std::string> parts = {recorded("range", "0-1", "0-15"), recorded("one", 2, "16-31"),
                                          recorded("none", {}, "100-107"), recorded("random", "random", "108-131")};
  (void)merge_stores(parts, folder / "all");
  const TrajectoryStore all(folder / "all");
  CHECK(all.config().settings.at("class") == "0-1,2,none,random");
  CHECK(all.labels(all.rows_of({0, 1, 16, 100})).equal(at::tensor({0, 1, 2, -1}, at::kLong)));

  std::vector<int64_t> seeds(64);
  std::iota(seeds.begin(), seeds.begin() + 32, 0);
  std::iota(seeds.begin() + 32, seeds.end(), 100);
  FitSettings same = quick_fit();
  same.label = LabelChoice::recorded(all.labels(all.rows_of(seeds)), "as in the store");
  const Plan fitted = fit(denoiser, all, quick_fit()).plan, wanted = fit(denoiser, same).plan;
  CHECK(fitted.sigmas == wanted.sigmas);
  CHECK(fitted.weights == wanted.weights);
  CHECK(fitted.made_with.label == "0-1,2,none,random");
  fitted.save(folder / "plan.json");
  const auto run = [&](const LabelChoice& label) {
    return sample(denoiser, "plan:" + (folder / "plan.json"), {.label = label}, "0-1");
  };
  CHECK_NOTHROW(run(2));
  CHECK_NOTHROW(run({}));

  // Of part of it, the classes of that part; asked for, they are compared.
  FitSettings part = quick_fit();
  part.seeds = "16-31";
  part.val_seeds = "100-107";
  CHECK(fit(denoiser, all, part).plan.made_with.label == "0-1,2,none,random");
  part.val_seeds = "16-23";
  CHECK_THROWS_AS(fit(denoiser, all, part), UsageError);  // seeds to choose by are others
  part.seeds = "16-23";
  part.val_seeds = "24-31";
  CHECK(fit(denoiser, all, part).plan.made_with.label == "2");
  part.label = 2;
  CHECK(fit(denoiser, all, part).plan.made_with.label == "2");
  part.label = "0-2";
  CHECK_THROWS_WITH(fit(denoiser, all, part), contains("seed 16 was recorded with class 2, and `class` 0-2 means 1"));
}

TEST_CASE("record goes on where a store ends, and keeps what it is asked to", "[library]") {
  const LambdaDenoiser denoiser = two_points();
  const testing::TemporaryFolder folder;
  (void)record(denoiser, "heun", {.steps = 6}, "0-3", folder / "store");
  int64_t drawn = 0;
  SampleSettings settings{.steps = 6};
  settings.progress = [&](int64_t done, int64_t, const std::string&) { return (drawn = done, true); };
  const TrajectoryStore store = record(denoiser, "heun", settings, "0-9", folder / "store");
  CHECK(store.size() == 10);
  CHECK(drawn == 6);
  const TrajectoryBatch all = store.all();
  CHECK(all.x.select(1, 6).equal(sample(denoiser, "heun", {.steps = 6}, Seeds(store.seeds())).x));
  CHECK_THROWS_AS(record(denoiser, "euler", {.steps = 6}, "0-3", folder / "store"), UsageError);
  CHECK_THROWS_WITH(record(denoiser, "heun", {.policy = "pi"}, "0-3", folder / "other"), contains("fixed grid"));
  CHECK_THROWS_WITH(record(denoiser, "heun", {.steps = 6}, "0-3", folder / "other", {.store_dtype = "int8"}),
                    contains("float16"));
  CHECK_THROWS_WITH(
      fit(denoiser, record(denoiser, "heun", {.steps = 12}, "0-31", folder / "ends", {.save_at = "0,-1"}), quick_fit()),
      contains("whole trajectories"));
}

TEST_CASE("a step predictor is trained on a recorded store and chooses the steps", "[library]") {
  const LambdaDenoiser denoiser = two_points();
  const testing::TemporaryFolder folder;
  const TrajectoryStore store =
      record(denoiser, "heun", {.steps = 24}, "0-63", folder / "store", {.features_only = true});
  PredictorTraining training;
  training.steps = 200;
  train_predictor(store, training).predictor.save(folder / "predictor.safetensors");
  const std::string policy = "predictor:" + (folder / "predictor.safetensors") + ",tolerance=0.1";
  const SampleResult own = sample(denoiser, "dpmpp_2m", {.policy = policy}, "100-131");
  CHECK(own.status.eq(0).all().item<bool>());
  CHECK_FALSE(own.sigmas.defined());
}

}  // namespace
}  // namespace stride
