// Files of other projects through the real command: what JSON's writers add to JSON, and what is said of settings.
#include "datasets/files/samples_file.h"
#include "tests/apps/place.h"
#include "tests/catch_torch.h"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

namespace stride {

using nlohmann::json;
using testing::Outcome;
using testing::Place;

TEST_CASE("foreign configurations: a published scheduler_config.json runs as it is, and is told apart from mistakes") {
  const Place place;
  // As diffusers writes it: null, Infinity, a byte-order mark before it, and settings of another class.
  place.write("scheduler_config.json",
              "\xEF\xBB\xBF"
              R"({
  "_class_name": "DPMSolverMultistepScheduler", "_diffusers_version": "0.30.0", "algorithm_type": "dpmsolver++",
  "beta_end": 0.012, "beta_schedule": "scaled_linear", "beta_start": 0.00085, "final_sigmas_type": "zero",
  "lambda_min_clipped": -Infinity, "lower_order_final": true, "num_train_timesteps": 1000, "prediction_type": "epsilon",
  "skip_prk_steps": true, "solver_order": 2, "steps_offset": 1, "timestep_spacing": "leading", "trained_betas": null,
  "use_karras_sigmas": true, "variance_type": null, "sampling.model": "gm.toml", "seed": 3
})");
  const Outcome run =
      place({"sample", "--config", "scheduler_config.json", "--steps", "6", "--outdir", "run", "--json"});
  INFO(run.err);
  REQUIRE(run.code == 0);
  CHECK(run.err.find("skip_prk_steps: no settings of DPMSolverMultistepScheduler") != std::string::npos);
  CHECK(run.err.find("prediction_type: the model's card") != std::string::npos);
  const Samples samples = read_samples(place.path("run/samples.h5"));
  CHECK(samples.attributes.at("solver") == "dpmpp_2m:lower_order_final=true,solver_type=midpoint");
  CHECK(samples.attributes.at("schedule") == "diffusers:curve=karras,family=dpm_solver,offset=1,spacing=leading");
  CHECK(samples.sigmas[0].item<double>() == Approx(14.6146).epsilon(1e-4));
  CHECK(samples.seed.numel() == 1);
  // The options of a command by their names: evaluate has its own keys.
  CHECK(place({"evaluate", "--config", "scheduler_config.json", "--steps", "6", "--seeds", "0-7", "--dry-run"}).code ==
        0);

  const auto refused = [&](const std::string& text, int code, const std::string& says) {
    place.write("bad.json", text);
    const Outcome bad = place({"sample", "--config", "bad.json", "--model", "gm.toml", "--steps", "4"});
    INFO(text << ": " << bad.err);
    CHECK(bad.code == code);
    CHECK(bad.err.find(says) != std::string::npos);
  };
  refused(R"({"_class_name": "EulerDiscreteScheduler", "trained_betas": [0.1, 0.2]})", 2,
          "--noise-schedule custom:FILE");
  refused(R"({"_class_name": "ScoreSdeVeScheduler"})", 2, "no counterpart here");
  refused(R"({"sampling.steps": null})", 2, "holds null");
  refused(R"({"sampler": "euler", "schedule": "Infinity)", 3, "bad.json");  // a word in a text is a word
  refused(
      "\xEF\xBB\xBF"
      "steps = = 3",
      3, "bad.json");
}

TEST_CASE("foreign configurations: a file's name keeps its case, and a grid that is betas too is the grid") {
  const Place place;
  place.make_folder("tmp");
  place.write("tmp/Levels.txt", "20, 5, 1, 0");
  place.write("levels.json", R"({"sampler": "euler", "schedule": "custom:tmp/Levels.txt"})");
  const Outcome levels = place({"schedule", "--config", "levels.json", "--json"});
  INFO(levels.err);
  REQUIRE(levels.code == 0);
  CHECK(json::parse(levels.out).at("sigmas") == json({20.0, 5.0, 1.0, 0.0}));

  place.write("flow.json", R"({"sampler": "euler", "steps": 10, "scheduler": "flow:shift=3"})");
  const Outcome flow = place({"schedule", "--config", "flow.json", "--json"});
  REQUIRE(flow.code == 0);
  CHECK(flow.err.find("'flow:shift=3' is read as the grid") != std::string::npos);
  const json read = json::parse(flow.out);
  CHECK(read == json::parse(place({"schedule", "--schedule", "flow:shift=3", "--steps", "10", "--json"}).out));
  CHECK(read.at("sigmas").at(0).get<double>() == Approx(12285));
  // Flow times, not the places of 12285 … on the linear betas.
  for (std::size_t i = 0; i < 11; ++i) {
    const double sigma = read.at("sigmas").at(i);
    CHECK(read.at("timesteps").at(i).get<double>() == Approx(1000.0 * sigma / (1.0 + sigma)).margin(1e-9));
  }
  const json named = json::parse(
      place({"schedule", "--schedule", "flow", "--noise-schedule", "linear", "--steps", "3", "--json"}).out);
  CHECK(named.at("timesteps").at(0).get<double>() == 999.0);
}

TEST_CASE("foreign configurations: a name that leaves out a level does so on every grid, and the result says it") {
  const Place place;
  const auto sigmas = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words = {"schedule", "--model",          "gm.toml",       "--schedule",
                                      "normal",   "--noise-schedule", "scaled_linear", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome out = place(words);
    INFO(out.err);
    REQUIRE(out.code == 0);
    return json::parse(out.out).at("sigmas").get<std::vector<double>>();
  };
  const std::vector<double> ten = sigmas({"--solver", "dpm_2", "--steps", "10"});
  const std::vector<double> eleven = sigmas({"--solver", "dpm2", "--steps", "11"});
  REQUIRE(ten.size() == 11);
  CHECK(ten[9] == Approx(0.344).margin(5e-4));
  CHECK(ten[9] == eleven[9]);
  CHECK(ten[10] == 0.0);
  CHECK(sigmas({"--solver", "dpm_2", "--steps", "10", "--final", "sigma_min"}).size() == 11);
  // A person's own levels are theirs.
  const json own = json::parse(place({"schedule", "--solver", "uni_pc", "--sigmas", "14.6, 6.3, 1, 0", "--json"}).out);
  CHECK(own.at("sigmas") == json({14.6, 6.3, 1.0, 0.0}));
  const Outcome plan =
      place({"sample", "--model", "gm.toml", "--solver", "DPM2 a Karras", "--steps", "4", "--dry-run"});
  CHECK(plan.out.find("karras:drop_next_to_last=true") != std::string::npos);
}

TEST_CASE("foreign configurations: ComfyUI's workflow and A1111's parameters run, and say what is not theirs to say") {
  const Place place;
  place.write("workflow.json", R"({
  "3": {"class_type": "KSampler", "inputs": {"model": ["4", 0], "positive": ["6", 0], "negative": ["6", 0],
    "latent_image": ["5", 0], "sampler_name": "dpmpp_2m", "scheduler": "karras", "steps": 6, "cfg": 3.0, "seed": 7,
    "denoise": 1.0}},
  "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "a.safetensors"}},
  "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 64, "batch_size": 2}},
  "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat", "clip": ["4", 1]}}})");
  const Outcome run =
      place({"sample", "--config", "workflow.json", "--model", "gm.toml", "--class", "1", "--outdir", "a"});
  INFO(run.err);
  REQUIRE(run.code == 0);
  CHECK(run.err.find("node 3 (KSampler) is read") != std::string::npos);
  const Samples theirs = read_samples(place.path("a/samples.h5"));
  CHECK(theirs.seed.numel() == 2);
  REQUIRE(place({"sample", "--model", "gm.toml", "--class", "1", "--solver", "dpmpp_2m", "--schedule", "karras",
                 "--steps", "6", "--guidance", "3", "--seeds", "7-8", "--init-scale", "vp", "--outdir", "b"})
              .code == 0);
  CHECK(at::equal(theirs.x, read_samples(place.path("b/samples.h5")).x));
  // A command that draws nothing has no use for seeds and scales; the command line wins, and the run is reproducible.
  CHECK(place({"schedule", "--config", "workflow.json", "--model", "gm.toml", "--json"}).code == 0);
  CHECK(place({"sample", "--config", "a/config.toml", "--outdir", "c"}).code == 0);
  CHECK(at::equal(theirs.x, read_samples(place.path("c/samples.h5")).x));

  place.write("refined.txt",
              "a cat\nSteps: 10, Sampler: Euler, Schedule type: Karras, CFG scale: 1, Seed: 3, Size: 64x64, Denoising "
              "strength: 0.5");
  const Outcome lost = place({"sample", "--config", "refined.txt", "--model", "gm.toml"});
  CHECK(lost.code == 2);
  CHECK(lost.err.find("--start") != std::string::npos);
  place.write("start.h5", "");
  const json levels = json::parse(place({"schedule", "--config", "refined.txt", "--model", "gm.toml", "--json"}).out);
  CHECK(levels.at("sigmas").size() == 7);  // int(0.5·10) + 1 intervals

  place.write("bad.json", R"({"3": {"class_type": "KSampler", "inputs": {"model": ["9", 0]}}})");
  const Outcome bad = place({"sample", "--config", "bad.json", "--model", "gm.toml"});
  CHECK(bad.code == 2);
  CHECK(bad.err.find("bad.json: node 3 (KSampler): model") != std::string::npos);
  place.write("bad.png", "\x89PNG\r\n\x1a\n");
  CHECK(place({"sample", "--config", "bad.png", "--model", "gm.toml"}).code == 3);
  place.make_folder("empty");
  CHECK(place({"sample", "--config", "empty", "--model", "gm.toml"}).code == 3);
}

TEST_CASE("foreign configurations: a grid goes out as a table and comes back as it was") {
  const Place place;
  const Outcome out = place({"export", "karras:rho=5", "--steps", "7", "--model", "gm.toml", "--out", "to/levels.txt"});
  INFO(out.err);
  REQUIRE(out.code == 0);
  const json there = json::parse(
      place({"schedule", "--schedule", "karras:rho=5", "--steps", "7", "--model", "gm.toml", "--json"}).out);
  const json back =
      json::parse(place({"schedule", "--schedule", "custom:to/levels.txt", "--model", "gm.toml", "--json"}).out);
  CHECK(back.at("sigmas") == there.at("sigmas"));
  CHECK(place({"export", "karras:rho=5", "--steps", "7", "--model", "gm.toml"}).out == place.text("to/levels.txt"));
  CHECK(place({"export", "plan.json"}).code == 3);  // a plan that is not there
  CHECK(place({"export", "karas"}).code == 2);
  CHECK(place({"export", "karras", "--schedule", "exponential"}).code == 2);
  CHECK(place({"export", "karras", "--to", "tabel"}).code == 2);
  CHECK(place({"export", "karras", "exponential"}).code == 2);
}

TEST_CASE("foreign configurations: a threshold is above 0, and says so") {
  const Place place;
  const Outcome zero = place({"sample", "--model", "gm.toml", "--threshold", "0", "--dry-run"});
  CHECK(zero.code == 2);
  CHECK(zero.err.find("must be above 0 and at most 1") != std::string::npos);
}

}  // namespace stride
