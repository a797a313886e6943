// The plan solver, the plan's table and its file.
#include "solvers/plan.h"
#include "framework/error.h"
#include "framework/fixed_grid.h"
#include "framework/models/gaussian_mixture.h"
#include "framework/sample.h"
#include "solvers/registry.h"
#include "tests/catch_torch.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace stride;

namespace {

Plan small_plan(bool zero) {
  Plan plan;
  plan.sigmas = {10.0, 3.0, 0.8, zero ? 0.0 : 0.1};
  plan.weights = {{1.1}, {1.4, -0.45}, {1.2, -0.3, 0.05}};
  plan.scale_time = {0.9, 1.02, 0.97};
  plan.model_sha256 = "abc";
  plan.fit_json = R"({"cost":0.25})";
  return plan;
}

GaussianMixture scalar_mixture() {
  ModelInfo info;
  info.shape = {1};
  GaussianMixtureOptions options;
  options.weights = {0.3, 0.7};
  options.means = {{-1.0}, {1.5}};
  options.std = {0.3, 0.2};
  return {info, options};
}

RunResult run(const Denoiser& model, const Plan& plan, const Tensor& x, const RunConstant& constant) {
  const std::unique_ptr<Solver> solver = make_plan_solver(plan);
  const TimeGrid grid(plan.sigmas);
  const FixedGrid controller(grid);
  const ProbabilityFlow term;
  const NoNoise noise;
  return sample({model, term, noise}, *solver, controller,
                start_run(*solver, controller, constant, x, constant.grid.select(1, 0)));
}

RunResult run(const Denoiser& model, const Plan& plan, const Tensor& x) {
  const int64_t rows = x.size(0);
  return run(model, plan, x, {at::arange(rows), {}, TimeGrid(plan.sigmas).rows(rows, at::kCPU), {}});
}

/// The formula of design §3 in plain numbers, for one entry.
double by_hand(const Plan& plan, double x) {
  const auto denoised = [](double at, double sigma) {
    const double w[2] = {0.3, 0.7}, m[2] = {-1.0, 1.5}, s[2] = {0.3, 0.2};
    double total = 0.0, sum = 0.0;
    for (int k = 0; k < 2; ++k) {
      const double v = s[k] * s[k] + sigma * sigma;
      const double g = w[k] / std::sqrt(v) * std::exp(-0.5 * (at - m[k]) * (at - m[k]) / v);
      total += g;
      sum += g * (m[k] + s[k] * s[k] / v * (at - m[k]));
    }
    return sum / total;
  };
  std::vector<double> slopes;
  for (std::size_t i = 0; i < plan.scale_time.size(); ++i) {
    const double sigma = plan.scale_time[i] * plan.sigmas[i];
    slopes.push_back((x - denoised(x, sigma)) / sigma);
    double sum = 0.0;
    for (std::size_t j = 0; j < plan.weights[i].size(); ++j) sum += plan.weights[i][j] * slopes[i - j];
    x += (plan.sigmas[i + 1] - plan.sigmas[i]) * sum;
  }
  return x;
}

std::string with(const std::string& key, const nlohmann::json& value) {
  auto root = nlohmann::json::parse(small_plan(true).to_json());
  root[key] = value;
  root.erase("xxh3_128");  // its own checksum, as whoever edits it by hand does
  return root.dump();
}

}  // namespace

TEST_CASE("plan solver follows its formula, the last jump included", "[plan]") {
  const bool zero = GENERATE(true, false);
  const GaussianMixture model = scalar_mixture();
  const Tensor x = at::tensor({-12.0, 4.0, 0.3, 25.0}, at::kDouble).view({4, 1});
  const RunResult result = run(model, small_plan(zero), x);
  for (int64_t i = 0; i < 4; ++i)
    CHECK(result.x[i][0].item<double>() == Approx(by_hand(small_plan(zero), x[i][0].item<double>())).epsilon(1e-12));
  CHECK(result.nfe.eq(3).all().item<bool>());
  CHECK(result.ok());
}

TEST_CASE("plan solver with theory's weights and a plain last jump is iPNDM", "[plan]") {
  const GaussianMixture model = scalar_mixture();
  Plan plan;
  plan.sigmas = {10.0, 5.0, 2.0, 0.9, 0.3, 0.0};
  for (int i = 1; i <= 4; ++i) plan.weights.push_back(adams_bashforth(i));
  plan.weights.push_back({1.0});
  plan.scale_time.assign(5, 1.0);
  const Tensor x = at::tensor({-12.0, 4.0, 9.0}, at::kDouble).view({3, 1});
  const std::unique_ptr<Solver> ipndm = make_solver("ipndm");
  const TimeGrid grid(plan.sigmas);
  const FixedGrid controller(grid);
  const ProbabilityFlow term;
  const NoNoise noise;
  const RunState start = start_run(*ipndm, controller, {at::arange(3), {}, grid.rows(3, at::kCPU), {}}, x,
                                   at::full({3}, 10.0, at::kDouble));
  const Tensor expected = sample({model, term, noise}, *ipndm, controller, start).x;
  CHECK((run(model, plan, x).x - expected).abs().max().item<double>() <= 1e-12);
}

TEST_CASE("plan solver runs another plan in every row", "[plan]") {
  const GaussianMixture model = scalar_mixture();
  const Plan a = small_plan(true);
  Plan b = a;
  b.sigmas = {10.0, 2.0, 0.5, 0.0};
  b.weights = {{0.95}, {1.6, -0.5}, {1.0, 0.1, -0.2}};
  b.scale_time = {1.0, 0.9, 1.1};
  const Tensor x = at::tensor({-12.0, -12.0, 4.0}, at::kDouble).view({3, 1});
  const std::vector<Plan> plans{a, b, b};
  std::vector<Tensor> grids, params;
  for (const Plan& plan : plans) {
    grids.push_back(at::tensor(plan.sigmas, at::kDouble));
    params.push_back(at::tensor(plan_params(plan, 3), at::kDouble));
  }
  const RunResult result = run(model, a, x, {at::arange(3), {}, at::stack(grids), at::stack(params)});
  for (int64_t i = 0; i < 3; ++i) {
    const Tensor alone = run(model, plans[static_cast<std::size_t>(i)], x.slice(0, i, i + 1)).x;
    CHECK(result.x[i][0].item<double>() == alone[0][0].item<double>());
  }
  CHECK(result.x[0][0].item<double>() != result.x[1][0].item<double>());
}

TEST_CASE("plan solver refuses another grid and parameters of another size", "[plan]") {
  const GaussianMixture model = scalar_mixture();
  const Tensor x = at::ones({2, 1}, at::kDouble);
  const std::unique_ptr<Solver> solver = make_plan_solver(small_plan(true));
  const TimeGrid grid({10.0, 3.0, 1.0, 0.5, 0.0});
  const FixedGrid controller(grid);
  const ProbabilityFlow term;
  const NoNoise noise;
  const RunState start = start_run(*solver, controller, {at::arange(2), {}, grid.rows(2, at::kCPU), {}}, x,
                                   at::full({2}, 10.0, at::kDouble));
  CHECK_THROWS_AS(sample({model, term, noise}, *solver, controller, start), UsageError);
  const RunConstant wide{
      at::arange(2), {}, TimeGrid(small_plan(true).sigmas).rows(2, at::kCPU), at::ones({2, 15}, at::kDouble)};
  CHECK_THROWS_AS(run(model, small_plan(true), x, wide), UsageError);
  CHECK_THROWS_AS(plan_params(small_plan(true), 2), UsageError);
  CHECK_THROWS_AS(plan_params(small_plan(true), 5), UsageError);
  CHECK_THROWS_AS(adams_bashforth(5), UsageError);
}

TEST_CASE("plan weights of theory sum to one and integrate polynomials of their order", "[plan]") {
  for (int order = 1; order <= 4; ++order) {
    const std::vector<double>& weights = adams_bashforth(order);
    for (int power = 0; power < order; ++power) {
      double sum = 0.0;  // ∫₀¹ t^p dt from values at t = 0, −1, −2, …
      for (std::size_t j = 0; j < weights.size(); ++j) sum += weights[j] * std::pow(-static_cast<double>(j), power);
      CHECK(sum == Approx(1.0 / (power + 1)).epsilon(1e-12));
    }
  }
}

TEST_CASE("plan file reads back bit for bit", "[plan]") {
  for (const bool zero : {true, false}) {
    Plan plan = small_plan(zero);
    plan.sigmas[1] = 3.0 + 1.0 / 3.0;
    plan.weights[2][1] = -0.1 / 7.0;
    const Plan back = Plan::from_json(plan.to_json(), "test");
    CHECK(back.sigmas == plan.sigmas);
    CHECK(back.weights == plan.weights);
    CHECK(back.scale_time == plan.scale_time);
    CHECK(back.model_sha256 == "abc");
    CHECK(back.fit_json == plan.fit_json);
    CHECK(back.final_zero() == zero);
    CHECK(back.to_json() == plan.to_json());
  }
}

TEST_CASE("plan file from disk runs as a solver by name", "[plan]") {
  const std::filesystem::path path = std::filesystem::temp_directory_path() / "stride-plan-test.json";
  std::ofstream(path) << small_plan(true).to_json();
  const std::unique_ptr<Solver> solver = make_solver("plan:" + path.string());
  CHECK(solver->traits().name == "plan");
  CHECK(solver->traits().nfe(3, true) == 3);
  CHECK(solver->traits().history == 2);
  std::filesystem::remove(path);
  CHECK_THROWS_AS(make_solver("plan:" + path.string()), InputError);
  CHECK_THROWS_AS(make_solver("plan"), UsageError);
  CHECK_THROWS_AS(make_plan_solver({}), UsageError);
}

TEST_CASE("plan file that is malformed is refused, saying where and what", "[plan]") {
  using nlohmann::json;
  const std::vector<std::pair<std::string, std::string>> bad{
      {"", "not valid JSON"},
      {"[1]", "not a JSON object"},
      {R"({"format":"stride-plan","version":1})", "'sigmas' is missing"},
      {small_plan(true).to_json().substr(0, 40), "not valid JSON"},
      {with("format", "other"), "'format'"},
      {with("version", 2), "this program reads version 1"},
      {with("version", "1"), "version"},
      {with("nfe", 4), "'nfe' is not 3"},
      {with("final", "sigma_min"), "'final'"},
      {with("sigmas", {10.0, 3.0, 0.0}), "sigmas has 3 entries; 3 steps need 4"},
      {with("sigmas", {10.0, 3.0, 3.0, 0.0}), "does not decrease from entry 1 to 2"},
      {with("sigmas", {10.0, 3.0, 1.0, -1.0}), "ends below 0"},
      {with("sigmas", {10.0, "3", 1.0, 0.0}), "not a number"},
      {with("sigmas", 3), "not a list"},
      {with("weights", json::array({{1.0}, {1.0, 0.0, 0.0}, {1.0}})), "weights row 1 has 3 entries"},
      {with("weights", json::array({{1.0}, json::array(), {1.0}})), "weights row 1 has 0 entries"},
      {with("weights", json::array({{1.0}, {1.0}})), "weights has 2 rows"},
      {with("weights", json::array({1.0, 1.0, 1.0})), "row 0 of 'weights' is not a list"},
      {with("scale_time", {1.0, 0.0, 1.0}), "scale_time entry 1"},
      {with("scale_time", {1.0, 1.0}), "sigmas has 4 entries; 2 steps need 3"},
      {with("scale_time", json::array()), "scale_time is empty"},
      {with("fit", 3), "'fit'"},
      {with("model", 3), "'model'"},
  };
  for (const auto& [text, what] : bad) {
    CAPTURE(text);
    try {
      (void)Plan::from_json(text, "there.json");
      FAIL("accepted");
    } catch (const InputError& error) {
      CHECK(std::string(error.what()).find("there.json") != std::string::npos);
      CHECK(std::string(error.what()).find(what) != std::string::npos);
    }
  }
}

TEST_CASE("plan file keeps what it was made with, and older readers' keys stay", "[plan]") {
  Plan plan = small_plan(true);
  plan.made_with = {.recorded = true,
                    .model_sha256 = "abc",
                    .label = "3",
                    .guidance = "2:interval=0.3-5",
                    .threshold = "0.9",
                    .clip = 1.0,
                    .dtype = "float32",
                    .teacher = "heun:steps=32,schedule=karras,final=zero",
                    .teacher_sigmas = {10.0, 0.1 + 0.2, 0.0},
                    .seeds = "0-127",
                    .validation_seeds = "1000-1127"};
  const std::string text = plan.to_json();
  CHECK((Plan::from_json(text, "here").made_with == plan.made_with));
  auto json = nlohmann::json::parse(text);
  CHECK(json.at("version") == 1);
  CHECK(json.at("made_with").at("class") == 3);
  CHECK(json.at("model") == "abc");
  json.erase("xxh3_128");
  json["made_with"]["later"] = "kept for others";
  CHECK((Plan::from_json(json.dump(), "here").made_with == plan.made_with));
  json["made_with"]["class"] = 3.5;
  CHECK_THROWS_AS(Plan::from_json(json.dump(), "here"), InputError);
  json["made_with"] = nullptr;
  CHECK_FALSE(Plan::from_json(json.dump(), "here").made_with.recorded);
  plan.made_with = {};
  CHECK(plan.to_json().find("made_with") == std::string::npos);
}
