#include "tests/catch_torch.h"

#include "evaluation/evaluation.h"
#include "evaluation/seed_values.h"
#include "evaluation/sweep.h"
#include "framework/error.h"
#include "framework/models/gaussian_mixture.h"
#include "pipeline/teacher.h"

#include <cmath>
#include <set>

using namespace stride;

namespace {

GaussianMixture mixture(const std::vector<int64_t>& shape = {1, 2, 2}) {
  ModelInfo info;
  info.name = "mixture";
  info.kind = "gaussian_mixture";
  info.sha256 = "none";
  info.shape = shape;
  info.sigma_min = 0.01;
  info.sigma_max = 10.0;
  GaussianMixtureOptions options;
  options.weights = {0.4, 0.6};
  options.means = {{-0.5, -0.5, 0.5, 0.5}, {0.6, -0.2, -0.6, 0.1}};
  options.std = {0.1, 0.2};
  return {info, options};
}

SamplerSpec spec(const std::string& solver, int64_t steps, const std::string& schedule = "karras",
                 Final final = Final::zero) {
  SamplerSpec out;
  out.solver = solver;
  out.steps = steps;
  out.schedule = schedule;
  out.final = final;
  return out;
}

EvaluationSettings settings(int64_t n = 48, int64_t blocks = 4) {
  EvaluationSettings out;
  out.teacher = spec("heun", 20);
  out.draw.batch = 16;
  out.draw.dtype = at::kDouble;
  for (int64_t seed = 0; seed < n; ++seed) out.draw.seeds.push_back(1000 + seed);
  out.blocks = blocks;
  out.metrics = {"rmse", "fd", "fd-teacher"};
  out.features.features = [](const Tensor& x) { return x.flatten(1).to(at::kDouble); };
  out.features.name = "identity";
  out.features.reference = FeatureStatistics{at::zeros({4}, at::kDouble), at::eye(4, at::kDouble), 100};
  out.features.reference_name = "a standard normal";
  return out;
}

double value(const SamplerResult& sampler, const std::string& metric) {
  const MetricResult* found = sampler.metric(metric);
  REQUIRE(found != nullptr);
  return found->all.value;
}

}  // namespace

TEST_CASE("evaluation: the teacher against itself is at 0, and evaluations are those claimed") {
  const GaussianMixture model = mixture();
  EvaluationSettings wanted = settings();
  wanted.samplers = {wanted.teacher, spec("heun", 5, "karras", Final::sigma_min), spec("euler", 6), spec("ipndm", 12)};
  const EvaluationResult result = evaluate(model, nullptr, wanted);
  CHECK(result.complete);
  REQUIRE(result.samplers.size() == 4);
  CHECK(value(result.samplers[0], "rmse") == 0.0);
  CHECK(value(result.samplers[0], "rmse-p95") == 0.0);
  CHECK(value(result.samplers[0], "fd-teacher") < 1e-10);
  REQUIRE(result.teacher.metrics.size() == 1);
  CHECK(value(result.teacher, "fd") == value(result.samplers[0], "fd"));

  const std::vector<double> nfe = {39, 10, 6, 12};
  for (std::size_t i = 0; i < nfe.size(); ++i) {
    const SamplerResult& sampler = result.samplers[i];
    CHECK(sampler.cost.nfe_mean == nfe[i]);
    CHECK(sampler.cost.nfe_p95 == nfe[i]);
    CHECK(sampler.cost.nfe_max == static_cast<int64_t>(nfe[i]));
    CHECK(sampler.cost.model_evals_mean == nfe[i]);
    CHECK(sampler.cost.n == 48);
    CHECK(sampler.cost.seconds > 0);
    CHECK(sampler.cost.peak_bytes > 0);
    CHECK(sampler.blocks.size() == 4);
    CHECK(sampler.not_finite == 0);
    CHECK(static_cast<int64_t>(sampler.sigmas.size()) == sampler.steps + 1);
    CHECK(sampler.paths.empty());
    for (const MetricResult& metric : sampler.metrics) CHECK(metric.blocks.size() == 4);
  }
  // Work buys precision.
  CHECK(value(result.samplers[3], "rmse") < value(result.samplers[2], "rmse"));
  CHECK(value(result.samplers[2], "rmse") > 1e-4);
  const Estimate interval = result.samplers[2].metric("rmse")->all;
  CHECK(interval.low < interval.value);
  CHECK(interval.high > interval.value);
}

TEST_CASE("evaluation: the metric is what it says, against the samples themselves") {
  const GaussianMixture model = mixture();
  EvaluationSettings wanted = settings(24, 3);
  wanted.samplers = {spec("euler", 5)};
  std::vector<Tensor> seen;
  wanted.features.features = [&](const Tensor& x) {
    seen.push_back(x);
    return x.flatten(1);
  };
  const EvaluationResult result = evaluate(model, nullptr, wanted);
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].size(0) == 24);
  CHECK(value(result.samplers[0], "rmse") ==
        Approx((seen[1] - seen[0]).square().mean().sqrt().item<double>()).epsilon(1e-12));
  const Tensor block = (seen[1] - seen[0]).narrow(0, 8, 8);
  CHECK(result.samplers[0].metric("rmse")->blocks[1] ==
        Approx(block.square().mean().sqrt().item<double>()).epsilon(1e-12));
  CHECK(value(result.samplers[0], "fd-teacher") ==
        Approx(frechet_distance(FeatureStatistics::of(seen[1].flatten(1)), FeatureStatistics::of(seen[0].flatten(1)))));
}

TEST_CASE("evaluation: batches and blocks change no sample") {
  const GaussianMixture model = mixture();
  EvaluationSettings wanted = settings();
  wanted.samplers = {spec("euler_ancestral", 6)};
  const double once = value(evaluate(model, nullptr, wanted).samplers[0], "rmse");
  wanted.draw.batch = 5;
  wanted.blocks = 7;
  const EvaluationResult again = evaluate(model, nullptr, wanted);
  CHECK(value(again.samplers[0], "rmse") == Approx(once).epsilon(1e-14));
  CHECK(again.block_sizes == std::vector<int64_t>{6, 7, 7, 7, 7, 7, 7});
}

TEST_CASE("evaluation: an adaptive policy has its own evaluations per sample, and its steps are kept") {
  const GaussianMixture model = mixture();
  EvaluationSettings wanted = settings();
  SamplerSpec adaptive = spec("heun", 10);
  adaptive.steps = std::nullopt;
  adaptive.policy = "pi:rtol=0.05,atol=0.05";
  wanted.samplers = {adaptive};
  wanted.paths = 5;
  const SamplerResult sampler = evaluate(model, nullptr, wanted).samplers.at(0);
  CHECK(sampler.adaptive());
  CHECK(sampler.steps == 0);
  CHECK(sampler.sigmas.empty());
  CHECK(sampler.cost.nfe_mean <= sampler.cost.nfe_p95);
  CHECK(sampler.cost.nfe_p95 <= static_cast<double>(sampler.cost.nfe_max));
  int64_t counted = 0;
  double spent = 0;
  for (const auto& [nfe, count] : sampler.nfe_counts) {
    counted += count;
    spent += static_cast<double>(nfe * count);
  }
  CHECK(counted == 48);
  CHECK(spent / 48 == Approx(sampler.cost.nfe_mean));
  REQUIRE(sampler.paths.size() == 5);
  for (const auto& path : sampler.paths) {
    CHECK(path.front() == 10.0);
    CHECK(path.size() > 2);
    for (std::size_t i = 1; i < path.size(); ++i) CHECK(path[i] < path[i - 1]);
  }
}

namespace {

// NaN for half of the samples, at one noise level only.
class Breaking final : public Denoiser {
 public:
  explicit Breaking(double at) : inner_(mixture()), at_(at) {}
  [[nodiscard]] const ModelInfo& info() const noexcept override { return inner_.info(); }
  [[nodiscard]] Evaluation evaluate(const Tensor& x, const Times& sigma, const BatchState& condition) const override {
    Evaluation out = inner_.evaluate(x, sigma, condition);
    const Tensor hit = (x.flatten(1).select(1, 0) > 0).logical_and(sigma == at_).reshape({-1, 1, 1, 1});
    out.denoised = at::where(hit, at::full_like(out.denoised, std::nan("")), out.denoised);
    return out;
  }

 private:
  GaussianMixture inner_;
  double at_;
};

}  // namespace

TEST_CASE("evaluation: a sampler that loses samples has no metrics, and its neighbours keep theirs") {
  const Breaking model(3.25);
  EvaluationSettings wanted = settings();
  SamplerSpec breaks;
  breaks.solver = "euler";
  breaks.sigmas = {10.0, 3.25, 0.0};
  wanted.samplers = {breaks, spec("euler", 4)};
  const EvaluationResult result = evaluate(model, nullptr, wanted);
  CHECK(result.teacher.not_finite == 0);
  CHECK(result.samplers[0].not_finite > 0);
  CHECK(result.samplers[0].not_finite < 48);
  for (const char* metric : {"rmse", "rmse-p95", "fd", "fd-teacher"}) {
    CHECK(std::isnan(value(result.samplers[0], metric)));
    CHECK(std::isfinite(value(result.samplers[1], metric)));
  }
}

TEST_CASE("evaluation: images are kept where samples are images") {
  EvaluationSettings wanted = settings(8, 2);
  wanted.samplers = {spec("euler", 3)};
  const EvaluationResult pictures = evaluate(mixture(), nullptr, wanted);
  CHECK(pictures.strip_columns == 8);
  CHECK(pictures.samplers[0].strip_png.substr(1, 3) == "PNG");
  const EvaluationResult points = evaluate(mixture({4}), nullptr, wanted);
  CHECK(points.strip_columns == 0);
  CHECK(points.samplers[0].strip_png.empty());
}

TEST_CASE("evaluation: what each seed came to is kept, and makes the RMSE to the bit") {
  EvaluationSettings wanted = settings(24, 4);
  wanted.samplers = {spec("euler", 3), spec("heun", 4)};
  wanted.samplers[1].policy = "pi:atol=0.05";
  wanted.samplers[1].steps = std::nullopt;
  const EvaluationResult result = evaluate(mixture(), nullptr, wanted);
  for (const SamplerResult& sampler : result.samplers) {
    const SeedValues seeds = read_seed_values(sampler.seeds_npz, 24, "the row");
    CHECK(seeds.rmse.square().mean().sqrt().item<double>() == Approx(value(sampler, "rmse")).epsilon(1e-14));
    CHECK(seeds.nfe.to(at::kDouble).mean().item<double>() == sampler.cost.nfe_mean);
    CHECK(seeds.nfe.max().item<int64_t>() == sampler.cost.nfe_max);
    CHECK(seeds.status.abs().sum().item<int64_t>() == 0);
  }
  CHECK(read_seed_values(result.samplers[1].seeds_npz, 24, "").nfe.max().item<int64_t>() >
        read_seed_values(result.samplers[1].seeds_npz, 24, "").nfe.min().item<int64_t>());
  CHECK_THROWS_WITH(read_seed_values(result.samplers[0].seeds_npz, 23, "the row"), contains("each of the 23 seeds"));
  CHECK_THROWS_AS(read_seed_values("no archive", 24, "the row"), InputError);
  wanted.metrics = {"fd"};
  CHECK_FALSE(read_seed_values(evaluate(mixture(), nullptr, wanted).samplers[0].seeds_npz, 24, "").rmse.defined());
}

TEST_CASE("evaluation: an interrupted run is continued from what it saved") {
  const GaussianMixture model = mixture();
  EvaluationSettings wanted = settings(16, 2);
  wanted.samplers = {spec("euler", 3), spec("euler", 4), spec("euler", 5)};
  wanted.draw.batch = 8;
  EvaluationHooks hooks;
  EvaluationResult saved;
  hooks.finished = [&](const EvaluationResult& so_far) { saved = so_far; };
  hooks.progress = [](int64_t done, int64_t total, const std::string&) {
    CHECK(total == 64);
    return done < 40;
  };
  const EvaluationResult part = evaluate(model, nullptr, wanted, hooks);
  CHECK_FALSE(part.complete);
  CHECK(part.samplers.size() == 1);
  CHECK(saved.samplers.size() == 1);

  EvaluationResult marked = saved;
  marked.samplers[0].metrics[0].all.value = 123.0;
  std::set<int64_t> seen;
  EvaluationHooks rest;
  rest.earlier = &marked;
  rest.progress = [&](int64_t done, int64_t, const std::string&) { return seen.insert(done), true; };
  const EvaluationResult whole = evaluate(model, nullptr, wanted, rest);
  CHECK(whole.complete);
  REQUIRE(whole.samplers.size() == 3);
  CHECK(value(whole.samplers[0], "rmse") == 123.0);
  CHECK(seen.contains(8));  // the teacher runs again, also within its batches
  CHECK(seen.contains(4));
  CHECK_FALSE(seen.contains(24));  // and the sampler that is known does not
  CHECK(seen.contains(40));
  CHECK(whole.samplers[2].cost.nfe_mean == 5);

  // Results of other seeds are not taken over.
  wanted.draw.seeds.back() += 1;
  CHECK(value(evaluate(model, nullptr, wanted, rest).samplers[0], "rmse") != 123.0);
}

TEST_CASE("evaluation: batches go across blocks, whose seconds are shares of theirs") {
  const GaussianMixture model = mixture();
  EvaluationSettings wanted = settings(12, 3);
  wanted.samplers = {spec("euler", 4)};
  wanted.draw.batch = 12;
  const SamplerResult one = evaluate(model, nullptr, wanted).samplers[0];
  REQUIRE(one.blocks.size() == 3);
  CHECK(one.blocks[0].seconds > 0.0);
  CHECK(one.blocks[0].seconds == one.blocks[2].seconds);
  CHECK(one.cost.seconds == Approx(3.0 * one.blocks[0].seconds));

  wanted.draw.batch = 5;  // 0-4, 5-9, 10-11 for the blocks 0-3, 4-7, 8-11
  const SamplerResult three = evaluate(model, nullptr, wanted).samplers[0];
  CHECK(three.blocks[0].seconds > 0.0);
  CHECK(three.blocks[0].seconds != three.blocks[1].seconds);
  for (const SampleCost& block : three.blocks) {
    CHECK(block.n == 4);
    CHECK(block.nfe_mean == 4.0);
  }
  CHECK(value(three, "rmse") == Approx(value(one, "rmse")));
}

TEST_CASE("evaluation: settings that cannot be are refused in words") {
  const GaussianMixture model = mixture();
  EvaluationSettings wanted = settings(16, 2);
  CHECK_THROWS_AS(evaluate(model, nullptr, wanted), UsageError);
  wanted.samplers = {spec("euler", 3)};
  wanted.metrics = {"fid"};
  CHECK(wanted.invalid_reason().find("fid") != std::string::npos);
  wanted.metrics = {"fd"};
  wanted.features.reference = std::nullopt;
  CHECK(wanted.invalid_reason().find("`ref`") != std::string::npos);
  wanted.features.features = nullptr;
  CHECK(wanted.invalid_reason().find("`features`") != std::string::npos);
  wanted.metrics = {"rmse"};
  CHECK(wanted.invalid_reason().empty());
  wanted.blocks = 17;
  CHECK_FALSE(wanted.invalid_reason().empty());
}

TEST_CASE("evaluation: a stochastic teacher is refused where something is measured from it") {
  const GaussianMixture model = mixture();
  EvaluationSettings wanted = settings(16, 2);
  wanted.teacher = spec("euler_ancestral", 8);
  wanted.samplers = {spec("euler", 3)};
  for (const char* metric : {"rmse", "psnr", "fd-teacher"}) {
    wanted.metrics = {metric};
    CHECK_THROWS_AS(evaluate(model, nullptr, wanted), UsageError);
  }
  wanted.metrics = {"fd"};
  CHECK(evaluate(model, nullptr, wanted).complete);
}

TEST_CASE(
    "evaluation: a sampler that starts elsewhere than the teacher is named, where samples are compared in pairs") {
  const GaussianMixture model = mixture();
  EvaluationSettings wanted = settings(16, 2);
  SamplerSpec low = spec("euler", 3);
  low.sigma_max = 5.0;
  wanted.samplers = {spec("euler", 3), low};
  const EvaluationResult result = evaluate(model, nullptr, wanted);
  REQUIRE(result.warnings.size() == 1);
  CHECK(result.warnings[0].find("starts at the noise level 5 and the teacher at 10") != std::string::npos);
  CHECK(result.conditions.empty());
  wanted.metrics = {"fd"};
  CHECK(evaluate(model, nullptr, wanted).warnings.empty());
}

TEST_CASE("evaluation: the teacher's words") {
  const SamplerSpec plain = parse_teacher("heun");
  CHECK(plain.solver == "heun");
  CHECK(plain.steps == 40);
  CHECK(plain.schedule == "karras");
  const SamplerSpec full = parse_teacher("lms:order=3,steps=64,schedule=logsnr,final=sigma_min");
  CHECK(full.solver == "lms:order=3");
  CHECK(full.steps == 64);
  CHECK(full.schedule == "logsnr");
  CHECK(full.final == Final::sigma_min);
  CHECK(parse_teacher("heun:nfe=39").nfe == 39);
  CHECK_THROWS_AS(parse_teacher("heun:steps=3,nfe=5"), UsageError);
  CHECK_THROWS_AS(parse_teacher("heun:steps=many"), UsageError);
}

TEST_CASE("evaluation: a sweep has every combination that can be") {
  const GaussianMixture model = mixture();
  SamplerSweep sweep;
  sweep.solvers = {"heun", "ipndm"};
  sweep.schedules = {"karras", "logsnr"};
  sweep.policies = {"fixed", "pi:rtol=0.1"};
  sweep.finals = {Final::zero, Final::sigma_min};
  sweep.nfe = {3, 4};
  std::vector<std::string> skipped;
  const auto specs = sweep_specs(sweep, model.info(), nullptr, skipped);
  // heun costs 3 with end zero and 4 with end sigma_min, on two schedules; ipndm all 8; pi steers heun only.
  CHECK(specs.size() == 4 + 8 + 1);
  CHECK(skipped.size() == 4 + 1);
  for (const std::string& line : skipped) CHECK((line.find("heun") == 0 || line.find("ipndm under pi") == 0));
  // What is asked for twice runs once.
  sweep.solvers = {"ipndm", "ipndm"};
  skipped.clear();
  CHECK(sweep_specs(sweep, model.info(), nullptr, skipped).size() == 8);
  CHECK(skipped.size() == 8 + 1 + 1);
  sweep.solvers = {"no_such_solver"};
  CHECK_THROWS_AS(sweep_specs(sweep, model.info(), nullptr, skipped), UsageError);
  sweep.solvers = {"heun", "ipndm"};
  sweep.schedules = {"karras", "no_such_schedule"};
  CHECK_THROWS_AS(sweep_specs(sweep, model.info(), nullptr, skipped), UsageError);
  sweep.schedules = {"karras"};
  sweep.policies = {"fixed", "no_such_policy"};
  CHECK_THROWS_AS(sweep_specs(sweep, model.info(), nullptr, skipped), UsageError);
}
