// Runs against the evaluations of their network alone: what is counted, what is refused.
#include "evaluation/speed.h"
#include "evaluation/torch_peer.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "pipeline/model_card.h"
#include "tests/catch_torch.h"
#include "tests/temporary_folder.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <map>

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
    CHECK(row.ratio.median > 0.0);
  }
  CHECK(speed.pools[0].way != speed.pools[1].way);
  CHECK(speed_text(speed).find("batch by batch") != std::string::npos);
  CHECK(nlohmann::json::parse(speed_json(speed, settings, false))["pools"].size() == 2);
}

TEST_CASE("speed: a peer is asked in turn, and what it cannot do is said") {
  const testing::TemporaryFolder folder;
  const auto program = [&](const char* name, const std::string& body) {
    const std::string path = folder / name;
    write_file_atomic(path, "#!/bin/sh\n" + body);
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  };
  // Whatever is asked takes two milliseconds, but for one that is not there, and one that fails.
  const std::string answers = R"(echo '{"torch": "made up"}'
while read line; do
  case $line in
    *diffusers*) echo '{"error": "ModuleNotFoundError: no diffusers"}' ;;
    *euler_ancestral*) echo '{"error": "it failed"}' ;;
    *adaptive*) echo '{"ms": 2.0, "nfe": 31.5}' ;;
    *) echo '{"ms": 2.0}' ;;
  esac
done
)";
  const LoadedModel model = load_model("digits", at::kCPU, at::kFloat);
  TorchPeer peer(model, at::kCPU, at::kFloat, {program("answers", answers), folder / "peer", false});
  CHECK(peer.versions() == R"({"torch": "made up"})");
  CHECK(file_exists(folder / "peer/torch_peer.py"));
  SpeedSettings settings = settings_of(model, {"ddim"}, at::kCPU);
  settings.batches = {2};
  settings.samples = 4;
  settings.samplers.push_back(speed_spec(model, "ralston", "karras", "pi:atol=0.05", 0));
  settings.ask = [&](const std::string& request) { return peer.ask(request); };
  const Speed speed = measure_speed(model, settings);
  std::map<std::string, PeerRow> rows;
  for (const PeerRow& row : speed.peers) rows[row.name] = row;
  CHECK(rows.at("network").ms.median == 2.0);
  CHECK(rows.at("network").variant == "eager");
  CHECK(rows.at("k-diffusion:dpmpp_2m").solver == "dpmpp_2m");
  CHECK(rows.at("k-diffusion:dpmpp_2m").ratio.median > 0.0);
  CHECK(rows.at("k-diffusion:euler_ancestral").error == "it failed");
  CHECK_FALSE(rows.contains("diffusers:EDMEulerScheduler"));
  CHECK(rows.at("torchdiffeq:dopri5").nfe == 31.5);
  CHECK(speed_text(speed).find("it failed") != std::string::npos);
  CHECK(nlohmann::json::parse(speed_json(speed, settings, false))["peers"].size() == speed.peers.size());

  const auto start = [&](const LoadedModel& of, const std::string& python) {
    TorchPeer(of, at::kCPU, at::kFloat, {python, folder / "other", false});
  };
  CHECK_THROWS_AS(start(model, folder / "nowhere"), UsageError);
  CHECK_THROWS_AS(start(model, program("silent", "exit 3\n")), ResourceError);
  TorchPeer brief(model, at::kCPU, at::kFloat, {program("brief", "echo '{}'\n"), folder / "third", false});
  CHECK_THROWS_AS(brief.ask("{}"), ResourceError);
}

TEST_CASE("speed: graphs of runs and network", "[cuda]") {
  const LoadedModel model = load_model("digits", at::kCUDA, at::kFloat);
  check_counts(measure_speed(model, settings_of(model, {"ddim", "heun", "euler_ancestral"}, at::kCUDA)), true);
}

}  // namespace stride
