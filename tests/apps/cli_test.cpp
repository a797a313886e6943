// The command line through its real executable.
#include "apps/cli/command.h"
#include "apps/cli/run_dir.h"
#include "datasets/files/samples_file.h"
#include "datasets/store/trajectory_store.h"
#include "framework/grids/noise_schedule.h"
#include "tests/apps/place.h"
#include "tests/catch_torch.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

namespace stride {
namespace {

using nlohmann::json;
using testing::eventually;
using testing::Outcome;
using testing::Place;
using testing::Process;
using testing::slurp;

}  // namespace

TEST_CASE("cli: exit codes, and a clean standard output") {
  const Place place;
  struct Row {
    std::vector<std::string> words;
    int code;
    std::string says;  // on standard error; empty: nothing is said there
  };
  const std::vector<Row> rows = {
      {{"--help"}, 0, ""},
      {{"sample", "--help"}, 0, ""},
      {{}, 2, "Commands:"},
      {{"sampel"}, 2, "did you mean 'sample'"},
      {{"--verbsion"}, 2, "did you mean '--version'?"},
      {{"sample", "--stesp", "3"}, 2, "did you mean --steps"},
      {{"sample", "--step", "3"}, 2, "unknown option --step"},
      {{"sample", "extra"}, 2, "no argument 'extra'"},
      {{"sample", "--model", "gm.toml", "--solver", "hoin"}, 2, "heun"},
      {{"sample", "--model", "gm.toml", "--seeds", "3-1"}, 2, "runs backwards"},
      {{"sample", "--model", "gm.toml", "--device", "tpu"}, 2, "--device tpu"},
      {{"sample", "--model", "gm.toml", "--set", "sampling.stepz=4"}, 2, "did you mean 'sampling.steps'"},
      {{"sample", "--model", "gm.toml", "--steps", "4", "--nfe", "4"}, 2, "exclude each other"},
      {{"sample", "--model", "gm.toml", "--save", "png"}, 2, "no images"},
      {{"sample", "--model", "gm.toml", "--class", "2"}, 2, "classes 0 to 1"},
      {{"sample", "--model", "gm.toml", "--hybrid", "ddim@3,huen@2"}, 2, "did you mean 'heun'"},
      {{"sample", "--model", "gm.toml", "--hybrid", "ddim@3,heun"}, 2, "SOLVER@STEPS"},
      {{"sample", "--model", "gm.toml", "--hybrid", "ddim@3", "--solver", "heun"}, 2, "leave --solver out"},
      {{"sample", "--model", "gm.toml", "--hybrid", "ddim@3", "--steps", "4"}, 2, "has 3 steps"},
      {{"sample", "--model", "gm.toml", "--hybrid", "ddim@3", "--policy", "pi"}, 2, "--policy fixed"},
      {{"sample", "--model", "gm.toml", "--solver", "LMS Karras", "--schedule", "exponential"}, 2, "karras"},
      {{"sample", "--model", "gm.toml", "--invert"}, 2, "--start FILE"},
      {{"sample", "--model", "missing.toml"}, 3, "missing.toml"},
      {{"sample", "--model", "gm.toml", "--config", "missing.toml"}, 3, "missing.toml"},
      {{"sample", "--resume", "nowhere"}, 3, "no run folder"},
      {{"inspect", "nowhere.h5"}, 3, "nowhere.h5"},
      {{"verify", "nowhere"}, 3, "no such file"}};
  for (const Row& row : rows) {
    INFO(fmt::format("stride {}", fmt::join(row.words, " ")));
    const Outcome got = place(row.words);
    INFO(got.err);
    CHECK(got.code == row.code);
    CHECK(got.out.empty() == (row.code != 0));
    CHECK(got.err.find(row.says) != std::string::npos);
    if (row.says.empty()) CHECK(got.err.empty());
  }
  CHECK_FALSE(place.has("runs"));
}

TEST_CASE("cli: --dry-run checks everything and touches nothing") {
  const Place place;
  const Outcome good = place({"sample", "--model", "gm.toml", "--steps", "4", "--dry-run", "--outdir", "out"});
  CHECK(good.code == 0);
  CHECK(good.out.find("7 per sample") != std::string::npos);
  CHECK(good.err.empty());
  const Outcome record = place({"record", "--model", "gm.toml", "--steps", "4", "--dry-run", "--json"});
  CHECK(record.code == 0);
  CHECK(json::parse(record.out).at("plan").at("points") == "5 a trajectory");
  CHECK(place({"record", "--model", "gm.toml", "--policy", "pi", "--dry-run"}).code == 2);
  // A solver that is made for a policy runs under it unless another is asked for.
  const std::vector<std::string> adaptive{"sample",       "--model",   "gm.toml", "--solver",
                                          "dpm_adaptive", "--dry-run", "--json"};
  CHECK(json::parse(place(adaptive).out).at("plan").at("policy") == "pid");
  std::vector<std::string> fixed = adaptive;
  fixed.insert(fixed.end(), {"--policy", "fixed"});
  CHECK(json::parse(place(fixed).out).at("plan").at("policy") == "fixed");
  CHECK_FALSE(place.has("out"));
  CHECK_FALSE(place.has("runs"));
}

TEST_CASE("cli: configurations resolve in order and round-trip") {
  const Place place;
  place.write("a.toml", "[sampling]\nmodel = \"gm.toml\"\nsteps = 5\nschedule = \"exponential\"\n[run]\nbatch = 3\n");
  const Outcome first = place({"sample", "--config", "a.toml", "--set", "sampling.schedule=karras:rho=5", "--set",
                               "run.batch=4", "--batch", "9", "--print-config"});
  REQUIRE(first.code == 0);
  CHECK(first.out.find("steps = 5") != std::string::npos);
  CHECK(first.out.find("schedule = \"karras:rho=5\"") != std::string::npos);
  CHECK(first.out.find("batch = 9") != std::string::npos);
  CHECK(first.out.find("dtype = \"float32\"") != std::string::npos);
  place.write("b.toml", first.out);
  CHECK(place({"sample", "--config", "b.toml", "--print-config"}).out == first.out);
  CHECK(place({"record", "--config", "b.toml"}).code == 2);
}

TEST_CASE("cli: another project's configuration runs as it stands") {
  const Place place;
  place.write("ddim.json", R"({"sampler": "DDIM", "steps": 20, "eta": 0.0, "schedule": "linear"})");
  const Outcome run = place({"sample", "--config", "ddim.json", "--model", "gm.toml", "--seeds", "0-3", "--json"});
  INFO(run.err);
  REQUIRE(run.code == 0);
  const Samples samples = read_samples(place.path(std::string(json::parse(run.out).at("run_dir")) + "/samples.h5"));
  CHECK(samples.attributes.at("solver") == "ddim:eta=0");
  CHECK(samples.attributes.at("schedule") == "leading");
  CHECK(samples.nfe.eq(20).all().item<bool>());
  // Its timesteps are 950, 900, … 0 of the linear betas.
  const NoiseSchedule linear = make_noise_schedule(Spec::parse("linear"));
  REQUIRE(samples.sigmas.size(0) == 21);
  for (int64_t i = 0; i < 20; ++i)
    CHECK(samples.sigmas[i].item<double>() == linear.sigmas()[static_cast<std::size_t>(950 - 50 * i)]);
  const Outcome own = place({"sample", "--model", "gm.toml", "--solver", "ddim:eta=0", "--steps", "20", "--schedule",
                             "leading", "--noise-schedule", "linear", "--seeds", "0-3", "--json"});
  CHECK(at::equal(samples.x,
                  read_samples(place.path(std::string(json::parse(own.out).at("run_dir")) + "/samples.h5")).x));

  struct Row {
    std::string text;
    std::vector<std::string> says;
  };
  const Row rows[] = {
      {R"({"sampler": "DPM++ 2M Karras", "steps": 7})",
       {"solver = \"dpmpp_2m\"", "schedule = \"karras\"", "steps = 7"}},
      {R"({"sampler": "DPM++ 2M SDE Heun Karras", "eta": 0.5})",
       {"solver = \"dpmpp_2m_sde:eta=0.5,solver_type=heun\"", "schedule = \"karras\""}},
      {R"({"sampler": "ddpm", "schedule": "linear", "beta_end": 0.01, "timestep_spacing": "trailing", "seed": 5})",
       {"noise_schedule = \"linear:beta_end=0.01\"", "schedule = \"trailing\"", "seeds = \"5\""}},
      {R"({"sampler": "lms", "order": 2, "scheduler": "exponential", "run.batch": 3})",
       {"solver = \"lms:order=2\"", "schedule = \"exponential\"", "batch = 3"}},
      {"sampler = \"Euler a\"\nsteps = 3\n", {"solver = \"euler_ancestral\"", "steps = 3"}},
  };
  for (const Row& row : rows) {
    place.write("other.json", row.text);
    const Outcome shown = place({"sample", "--config", "other.json", "--print-config"});
    INFO(row.text << shown.out << shown.err);
    CHECK(shown.code == 0);
    for (const std::string& says : row.says) CHECK(shown.out.find(says) != std::string::npos);
  }
  place.write("bad.json", R"({"sampler": "DDIM", "etta": 1})");
  const Outcome bad = place({"sample", "--config", "bad.json", "--model", "gm.toml"});
  CHECK(bad.code == 2);
  CHECK(bad.err.find("did you mean 'eta'") != std::string::npos);
  place.write("bad.json", R"({"sampler": "DDIM", "schedule": "linear", "scheduler": "karras"})");
  CHECK(place({"sample", "--config", "bad.json", "--model", "gm.toml"}).code == 2);
}

TEST_CASE("cli: a name that says an option runs with it") {
  const Place place;
  const auto x = [&](const std::string& option, const std::string& solver) {
    const Outcome run =
        place({"sample", "--model", "gm.toml", "--seeds", "0-3", "--steps", "5", option, solver, "--json"});
    INFO(run.err);
    REQUIRE(run.code == 0);
    return read_samples(json::parse(run.out).at("file").get<std::string>().insert(0, place.folder() + "/")).x;
  };
  const Tensor heun = x("--solver", "dpmpp_2m_sde:solver_type=heun");
  CHECK(at::equal(x("--solver", "DPM++ 2M SDE Heun"), heun));
  CHECK_FALSE(at::equal(x("--solver", "DPM++ 2M SDE"), heun));
}

TEST_CASE("cli: a hybrid runs its legs and counts them") {
  const Place place;
  const auto samples = [&](const std::vector<std::string>& words) {
    std::vector<std::string> all = {"sample", "--model", "gm.toml", "--seeds", "0-3", "--json"};
    all.insert(all.end(), words.begin(), words.end());
    const Outcome run = place(all);
    INFO(run.err);
    REQUIRE(run.code == 0);
    return read_samples(place.path(std::string(json::parse(run.out).at("run_dir")) + "/samples.h5"));
  };
  const Samples two = samples({"--hybrid", "ddim@10,heun@5"});
  CHECK(two.nfe.eq(19).all().item<bool>());
  CHECK(two.sigmas.size(0) == 16);
  CHECK(two.attributes.at("solver") == "ddim@10,heun@5");
  CHECK(at::equal(samples({"--hybrid", "heun@2,heun@4"}).x, samples({"--solver", "heun", "--steps", "6"}).x));
  CHECK(at::equal(samples({"--hybrid", "DPM++ 2M SDE Heun@4,euler@2"}).x,
                  samples({"--hybrid", "dpmpp_2m_sde:solver_type=heun@4,euler@2"}).x));
  const Samples ranged = samples({"--hybrid", "ddim@10,heun@5:1.0-0.002"});
  CHECK(ranged.sigmas[10].item<double>() == 1.0);
  CHECK(ranged.sigmas[14].item<double>() == 0.002);
}

TEST_CASE("cli: an image goes to noise and back") {
  const Place place;
  const auto run = [&](const std::vector<std::string>& words) {
    std::vector<std::string> all = {"sample", "--model", "gm.toml", "--seeds", "0-3", "--dtype", "float64", "--json"};
    all.insert(all.end(), words.begin(), words.end());
    const Outcome done = place(all);
    INFO(done.err);
    REQUIRE(done.code == 0);
    return json::parse(done.out);
  };
  const auto file = [&](const json& result) { return place.path(std::string(result.at("run_dir")) + "/samples.h5"); };
  const std::string images = file(run({"--solver", "heun", "--steps", "20"}));
  double before = 1e300;
  for (const char* steps : {"20", "80", "320"}) {
    const json up = run({"--start", images, "--invert", "--steps", steps, "--round-trip"});
    CHECK(up.at("nfe_mean") == std::stoi(steps) - 1);
    const json back = run({"--init", file(up), "--solver", "ddim", "--steps", steps});
    const Tensor error = read_samples(file(back)).x - read_samples(images).x;
    CHECK(error.square().mean().sqrt().item<double>() == Approx(up.at("round_trip_rmse").get<double>()));
    CHECK(up.at("round_trip_rmse").get<double>() < 0.5 * before);
    before = up.at("round_trip_rmse");
  }
  const json exact =
      run({"--start", images, "--invert", "--steps", "10", "--invert-iterations", "300", "--round-trip"});
  CHECK(exact.at("round_trip_rmse").get<double>() < 1e-6);
}

TEST_CASE("cli: a run folder holds what the contract names, and a sample is its seed's") {
  const Place place;
  const Outcome all = place({"sample", "--model", "gm.toml", "--seeds", "0-9", "--steps", "6", "--solver",
                             "euler_ancestral", "--json", "--class", "1", "--guidance", "2:interval=0.1-5"});
  REQUIRE(all.code == 0);
  const json result = json::parse(all.out);
  const std::string run = place.path(result.at("run_dir"));
  CHECK(std::filesystem::path(run).parent_path().filename() == "runs");
  for (const char* name : {"config.toml", "command.txt", "manifest.json", "metrics.jsonl", "log.ndjson", "results.json",
                           "samples.h5", "tb", "DONE"}) {
    INFO(name);
    CHECK(std::filesystem::exists(run + "/" + name));
  }
  const json manifest = json::parse(slurp(run + "/manifest.json"));
  CHECK(manifest.at("seeds") == "0-9");
  CHECK(manifest.at("inputs").at(0).at("path") == "gm.toml");
  CHECK(manifest.at("versions").contains("torch"));
  const Samples samples = read_samples(run + "/samples.h5");
  CHECK(samples.x.sizes() == at::IntArrayRef({10, 2}));
  CHECK(samples.nfe.eq(6).all().item<bool>());
  CHECK(samples.model_evals.gt(6).all().item<bool>());
  CHECK(samples.sigmas.size(0) == 7);

  // The same run from its own configuration, seed by seed in another order.
  const Outcome some = place(
      {"sample", "--config", run + "/config.toml", "--seeds", "7,5", "--batch", "1", "--outdir", "some", "--quiet"});
  REQUIRE(some.code == 0);
  CHECK(some.err.empty());
  const Samples few = read_samples(place.path("some/samples.h5"));
  CHECK(at::equal(few.x[0], samples.x[7]));
  CHECK(at::equal(few.x[1], samples.x[5]));

  CHECK(place({"sample", "--model", "gm.toml", "--outdir", "some"}).code == 2);  // taken
  CHECK(place({"verify", "some"}).code == 0);
  const Outcome inspected = place({"inspect", "some/samples.h5", "--json"});
  CHECK(json::parse(inspected.out).at("seeds") == "7,5");
  std::string damaged = slurp(place.path("some/samples.h5"));
  damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 1);
  place.write("some/samples.h5", damaged);
  CHECK(place({"verify", "some"}).code == 3);
  CHECK(place({"inspect", "some/samples.h5"}).code == 3);
}

TEST_CASE("cli: an interrupt saves what is finished, and --resume ends like an undisturbed run") {
  const Place place;
  const std::vector<std::string> words = {"sample",  "--model", "gm.toml", "--seeds", "0-799",
                                          "--batch", "16",      "--steps", "80"};
  for (const auto& [signal, code] : {std::pair{SIGINT, 130}, std::pair{SIGTERM, 143}}) {
    const std::string outdir = signal == SIGINT ? "int" : "term";
    std::vector<std::string> line = {STRIDE_EXECUTABLE};
    line.insert(line.end(), words.begin(), words.end());
    line.insert(line.end(), {"--outdir", outdir});
    Process process(line, place.folder());
    REQUIRE(eventually([&] { return slurp(place.path(outdir + "/metrics.jsonl")).find('\n') != std::string::npos; }));
    process.send(signal);
    const Outcome stopped = process.wait();
    INFO(stopped.err);
    CHECK(stopped.code == code);
    CHECK(stopped.err.find("--resume") != std::string::npos);
    CHECK_FALSE(place.has(outdir + "/DONE"));
    const int64_t finished = read_samples(place.path(outdir + "/samples.h5")).seed.size(0);
    CHECK(finished >= 16);
    CHECK(finished < 800);
  }
  CHECK(place({"sample", "--resume", "int", "--steps", "81"}).code == 2);
  {
    const RunDir held = RunDir::resume(place.path("int"), {"a test"});
    CHECK(place({"sample", "--resume", "int"}).code == 6);
  }
  const Outcome resumed = place({"sample", "--resume", "int", "--batch", "400"});
  INFO(resumed.err);
  REQUIRE(resumed.code == 0);
  CHECK(place.has("int/DONE"));
  std::vector<std::string> whole = words;
  whole[6] = "400";
  whole.insert(whole.end(), {"--outdir", "whole"});
  REQUIRE(place(whole).code == 0);
  const Samples a = read_samples(place.path("int/samples.h5"));
  const Samples b = read_samples(place.path("whole/samples.h5"));
  CHECK(at::equal(a.seed, b.seed));
  CHECK(at::equal(a.x, b.x));
}

TEST_CASE("cli: record writes a store that reads back as the sampler's steps; merge joins stores") {
  const Place place;
  const auto record = [&](const std::string& seeds, const std::string& outdir) {
    return place({"record", "--model", "gm.toml", "--seeds", seeds, "--steps", "5", "--solver", "heun", "--batch", "3",
                  "--outdir", outdir});
  };
  REQUIRE(record("0-6", "a").code == 0);
  REQUIRE(record("10-12", "b").code == 0);
  REQUIRE(place({"sample", "--model", "gm.toml", "--seeds", "0-6", "--steps", "5", "--solver", "heun", "--outdir", "s"})
              .code == 0);
  const TrajectoryStore store(place.path("a/store"));
  CHECK(store.size() == 7);
  const TrajectoryBatch all = store.all();
  CHECK(all.x.sizes() == at::IntArrayRef({7, 6, 2}));
  CHECK(all.denoised.sizes() == at::IntArrayRef({7, 5, 2}));
  CHECK(all.nfe.eq(9).all().item<bool>());
  CHECK(at::equal(all.x.select(1, 5), read_samples(place.path("s/samples.h5")).x));
  CHECK(at::equal(all.x.select(1, 5), all.denoised.select(1, 4)));  // the last jump

  CHECK(place({"verify", "a/store"}).code == 0);
  CHECK(json::parse(place({"inspect", "a/store", "--json"}).out).at("trajectories") == 7);
  REQUIRE(place({"record", "merge", "a", "b/store", "--outdir", "c"}).code == 0);
  CHECK(TrajectoryStore(place.path("c/store")).size() == 10);
  REQUIRE(
      place({"record", "--model", "gm.toml", "--seeds", "0-1", "--steps", "5", "--save-at", "0,2,5", "--outdir", "d"})
          .code == 0);
  const TrajectoryBatch some = TrajectoryStore(place.path("d/store")).all();
  CHECK(at::equal(some.x, all.x.narrow(0, 0, 2).index_select(1, at::tensor({0, 2, 5}, at::kLong))));
  CHECK(at::equal(some.denoised, all.denoised.narrow(0, 0, 2).index_select(1, at::tensor({0, 2}, at::kLong))));

  std::string shard = slurp(place.path("a/store/shard-000000.h5"));
  REQUIRE_FALSE(shard.empty());
  shard[shard.size() / 2] = static_cast<char>(shard[shard.size() / 2] ^ 1);
  place.write("a/store/shard-000000.h5", shard);
  CHECK(place({"verify", "a/store"}).code == 3);
}

TEST_CASE("cli: fit takes what is fitted, what is compared and how much memory there is") {
  const Place place;
  const std::vector<std::string> few = {"fit",     "--seeds",    "0-7",       "--val-seeds",  "100-107",
                                        "--nfe",   "3",          "--teacher", "heun:steps=8", "--iterations",
                                        "2",       "--restarts", "1",         "--final",      "sigma_min",
                                        "--quiet", "--plan-out", "plan.json", "--json"};
  const auto fit = [&](std::vector<std::string> more) {
    more.insert(more.begin(), few.begin(), few.end());
    return place(more);
  };
  const Outcome grid = fit({"--model", "gm.toml", "--method", "grid", "--fit-memory", "1M"});
  REQUIRE(grid.code == 0);
  const json plan = json::parse(slurp(place.path("plan.json")));
  CHECK(plan.at("scale_time") == json({1.0, 1.0, 1.0}));
  CHECK(plan.at("weights").at(1) == json({1.5, -0.5}));
  CHECK(plan.at("fit").at("parametrisation") == "grid");
  CHECK(plan.at("fit").at("residual") == "pixels");

  for (const char* residual : {"encoder", "features:features-digits"}) {
    INFO(residual);
    REQUIRE(fit({"--model", "digits", "--residual", residual, "--parametrisation", "weights+times"}).code == 0);
    const json made = json::parse(slurp(place.path("plan.json"))).at("fit");
    CHECK(made.at("residual") == residual);
    CHECK(made.at("parametrisation") == "weights+times");
    CHECK(made.at("validation_rmse_pixels") != made.at("validation_rmse"));
  }

  struct Wrong {
    std::vector<std::string> words;
    std::string says;
  };
  for (const Wrong& wrong :
       {Wrong{{"--method", "ld3"}, "stride-encoder"}, Wrong{{"--optimiser", "adam"}, "lm"},
        Wrong{{"--residual", "lpips"}, "features:CARD"}, Wrong{{"--residual", "features"}, "features-digits"},
        Wrong{{"--residual", "encoder"}, "no native UNet"}, Wrong{{"--parametrisation", "grid+order"}, "weights"},
        Wrong{{"--fit-memory", "1K"}, "two rows"}, Wrong{{"--fit-memory", "lots"}, "--fit-memory"}}) {
    INFO(wrong.words[0] << " " << wrong.words[1]);
    std::vector<std::string> words = wrong.words;
    words.insert(words.end(), {"--model", "gm.toml"});
    const Outcome refused = fit(words);
    CHECK(refused.code == 2);
    CHECK(refused.err.find(wrong.says) != std::string::npos);
  }
}

TEST_CASE("cli: list, schedule, doctor and full disks") {
  const Place place;
  const json solvers = json::parse(place({"list", "solvers", "--json"}).out);
  REQUIRE(solvers.is_array());
  CHECK(solvers.size() >= 9);
  for (const json& solver : solvers) CHECK(solver.contains("order"));
  const Outcome all = place({"list"});
  CHECK(all.code == 0);
  for (const char* word : {"dpmpp_2m", "karras", "pi", "cosine"}) CHECK(all.out.find(word) != std::string::npos);
  CHECK(place({"list", "solver"}).code == 2);
  // Where there is no terminal, nothing is wider than 100 columns.
  for (const std::vector<std::string>& words : std::vector<std::vector<std::string>>{{"list"}, {"list", "-v"}}) {
    std::istringstream lines(place(words).out);
    for (std::string line; std::getline(lines, line);) {
      INFO(line);
      CHECK(std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xc0) != 0x80; }) <= 100);
    }
  }
  const std::string brief = place({"list", "solvers"}).out, full = place({"list", "solvers", "-v"}).out;
  CHECK(brief.find("References:") == std::string::npos);
  CHECK(full.find("References:") != std::string::npos);
  CHECK(full.find("also called") != std::string::npos);

  const json grid = json::parse(place({"schedule", "--model", "gm.toml", "--steps", "4", "--json"}).out);
  CHECK(grid.at("sigmas").size() == 5);
  CHECK(grid.at("sigmas").at(0) == 80.0);
  CHECK(grid.at("sigmas").at(4) == 0.0);
  CHECK(grid.at("timesteps").size() == 5);
  const json given = json::parse(place({"schedule", "--model", "gm.toml", "--sigmas", "14.6, 6.3, 0", "--json"}).out);
  CHECK(given.at("sigmas") == json({14.6, 6.3, 0.0}));

  const json doctor = json::parse(place({"doctor", "--json"}).out);
  CHECK(doctor.at("blas").get<std::string>().find("libtorch_cpu") == 0);
  CHECK(doctor.at("hdf5").get<std::string>().find("1.1") == 0);

  if (std::filesystem::exists("/dev/full")) {
    Process process({STRIDE_EXECUTABLE, "list", "solvers"}, place.folder(), "/dev/full");
    CHECK(process.wait().code == 5);
  }
}

}  // namespace stride
