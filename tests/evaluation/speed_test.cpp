// Runs against the evaluations of their network alone: what is counted, what is refused.
#include "evaluation/speed.h"
#include "framework/error.h"
#include "pipeline/model_card.h"
#include "tests/catch_torch.h"

#include <nlohmann/json.hpp>

namespace stride {
namespace {

SpeedSettings settings_of(const LoadedModel& model, const std::vector<std::string>& solvers, at::Device device) {
  SpeedSettings settings;
  settings.device = device;
  settings.batches = {1, 3};
  settings.rounds = 2;
  settings.seconds = 0.0;
  for (const std::string& solver : solvers)
    settings.samplers.push_back(speed_spec(model, solver, "karras", "fixed", 5));
  return settings;
}

void check_counts(const Speed& speed, bool graphs) {
  REQUIRE(speed.complete);
  REQUIRE(speed.floors.size() == 2);
  REQUIRE(speed.rows.size() == 6);
  for (const FloorRow& row : speed.floors) {
    CHECK(row.ms.low > 0.0);
    CHECK(row.ms.low <= row.ms.median);
    CHECK(row.ms.median <= row.ms.high);
    CHECK(row.launches.has_value() == graphs);
    CHECK(row.peak_bytes > 0);
  }
  for (std::size_t i = 0; i < speed.rows.size(); ++i) {
    const SpeedRow& row = speed.rows[i];
    CAPTURE(row.solver, row.batch);
    CHECK(row.batch == (i < 3 ? 1 : 3));
    CHECK(row.stepwise.empty());
    CHECK(row.launches.has_value() == graphs);
    CHECK(row.ratio.low <= row.ratio.median);
    CHECK(row.ratio.median <= row.ratio.high);
    CHECK(row.ms.median > 0.0);
    CHECK(row.floor_ms > 0.0);
  }
  CHECK(speed.rows[0].nfe == 5);  // ddim
  CHECK(speed.rows[0].steps == 5);
  CHECK(speed.rows[1].nfe == 5);  // heun: 3 steps, the last of one evaluation
  CHECK(speed.rows[1].steps == 3);
  CHECK(speed.rows[2].nfe == 5);  // euler_ancestral
}

}  // namespace

TEST_CASE("speed: every run beside its network") {
  const LoadedModel model = load_model("digits", at::kCPU, at::kFloat);
  const SpeedSettings settings = settings_of(model, {"ddim", "heun", "euler_ancestral"}, at::kCPU);
  const Speed speed = measure_speed(model, settings);
  check_counts(speed, false);

  const auto json = nlohmann::json::parse(speed_json(speed, settings, false));
  CHECK(json["device"] == "cpu");
  REQUIRE(json["rows"].size() == 6);
  for (const char* key : {"solver", "batch", "dtype", "ratio", "ms", "floor_ms"}) CHECK(json["rows"][0].contains(key));
  CHECK(json["rows"][1]["solver"] == "heun");
  CHECK(json["rows"][1]["dtype"] == "float32");
  const std::string text = speed_text(speed);
  CHECK(text.find("euler_ancestral") != std::string::npos);
}

TEST_CASE("speed: a run has at least the network's work") {
  // A denoiser so slow that sums of images are nothing beside it: the ratio counts evaluations.
  const LoadedModel model = load_model("digits", at::kCPU, at::kDouble);
  SpeedSettings settings = settings_of(model, {"heun"}, at::kCPU);
  settings.dtype = at::kDouble;
  settings.batches = {16};
  settings.rounds = 3;
  const Speed speed = measure_speed(model, settings);
  CHECK(speed.rows.at(0).ratio.high > 0.8);
}

TEST_CASE("speed: the least cost from a number of evaluations on") {
  const LoadedModel model = load_model("digits", at::kCPU, at::kFloat);
  const auto cost = [&](const std::string& solver, int64_t least) {
    SamplerSpec spec;
    spec.solver = solver;
    spec.steps = 1;
    return nfe_from(*make_sampler(spec, model.info(), &model.source.card).solver, least, Final::zero);
  };
  CHECK(cost("ddim", 20) == 20);
  CHECK(cost("heun", 20) == 21);
  CHECK(cost("dopri5", 20) == 22);
}

TEST_CASE("speed: what cannot be measured is refused, and a stop keeps what is there") {
  const LoadedModel model = load_model("digits", at::kCPU, at::kFloat);
  SpeedSettings settings = settings_of(model, {"ddim", "heun"}, at::kCPU);
  settings.samples = 0;
  CHECK_THROWS_AS(measure_speed(model, settings), UsageError);
  settings.samples = 10;
  settings.samplers.pop_back();
  std::size_t saved = 0;
  SpeedHooks hooks;
  hooks.go_on = [](int64_t done, int64_t all) {
    CHECK(all == 4);
    return done < 2;
  };
  hooks.finished = [&](const Speed& so_far) {
    CHECK_FALSE(so_far.complete);
    saved = so_far.rows.size();
  };
  const Speed part = measure_speed(model, settings, hooks);
  CHECK(saved == 1);
  CHECK_FALSE(part.complete);
  CHECK(part.floors.size() == 1);
  CHECK(part.rows.size() == 1);
  settings.batches = {0};
  CHECK_THROWS_AS(measure_speed(model, settings), UsageError);
  settings.batches = {};
  CHECK_THROWS_AS(measure_speed(model, settings), UsageError);
}

TEST_CASE("speed: adaptive samples, refilled and batch by batch") {
  const LoadedModel model = load_model("digits", at::kCPU, at::kFloat);
  SpeedSettings settings = settings_of(model, {"ddim"}, at::kCPU);
  settings.samplers[0] = {};
  settings.samplers[0].solver = "ralston";
  settings.samplers[0].policy = "pi:atol=0.05";
  settings.batches = {4};
  settings.samples = 10;
  const Speed speed = measure_speed(model, settings);
  CHECK(speed.rows.empty());
  REQUIRE(speed.pools.size() == 2);
  for (const PoolRow& row : speed.pools) {
    CHECK(row.nfe_mean == speed.pools[0].nfe_mean);
    CHECK(row.nfe_mean > 5.0);
    CHECK(row.floor_ms > 0.0);
    CHECK(row.ratio.median > 0.5);
  }
  CHECK(speed.pools[0].way != speed.pools[1].way);
  CHECK(speed_text(speed).find("batch by batch") != std::string::npos);
  CHECK(nlohmann::json::parse(speed_json(speed, settings, false))["pools"].size() == 2);
}

TEST_CASE("speed: graphs of runs and network", "[cuda]") {
  const LoadedModel model = load_model("digits", at::kCUDA, at::kFloat);
  check_counts(measure_speed(model, settings_of(model, {"ddim", "heun", "euler_ancestral"}, at::kCUDA)), true);
}

}  // namespace stride
