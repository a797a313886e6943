// Somebody else's network through the command line.
#include "datasets/files/samples_file.h"
#include "datasets/store/trajectory_store.h"
#include "framework/files/file.h"
#include "framework/files/safetensors.h"
#include "tests/apps/in_process.h"
#include "tests/catch_torch.h"
#include "tests/pipeline/foreign_folder.h"

#include <ATen/ATen.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

using testing::ForeignFolder;
using testing::Outcome;
using Words = std::vector<std::string>;

// D = 0.1 label + 0.01 sum of the embedding; a batch of one raises, and label 9 is not finite.
ForeignFolder labelled() {
  ForeignFolder model;
  model.shape = "[1, 2, 2]";
  model.code(
      testing::scripted("def forward(self, x, t, y, e):\n  assert x.size(0) != 1, 'never alone'\n"
                        "  d = 0.1 * y.to(x.dtype) + 0.01 * e.sum(1)\n"
                        "  return 0.0 * x + torch.where(y == 9, d / 0.0, d).view(-1, 1, 1, 1)\n"));
  model.more =
      "prediction = \"denoised\"\ntime = \"sigma\"\nconditions = [ { name = \"class\", classes = 10, null = 10 }, { "
      "name = "
      "\"text\", shape = [3] } ]\n";
  model.write();
  write_safetensors(model / "cond.safetensors", {{"text", at::ones({3})}, {"negative.text", at::zeros({3})}},
                    {{"prompt", "three ones"}});
  write_safetensors(model / "wrong.safetensors", {{"text", at::ones({4})}});
  write_file_atomic(model / "labels.txt", "5\n6\n7\n");
  return model;
}

Outcome run(const ForeignFolder& model, Words words) { return testing::run_here(model.folder->path(), words); }

Words sampled(const ForeignFolder& model, const Words& more) {
  Words words = {"sample", "--model",  model.card(), "--solver", "euler",    "--steps",
                 "2",      "--device", "cpu",        "--json",   "--outdir", model / "run"};
  words.insert(words.end(), more.begin(), more.end());
  std::filesystem::remove_all(model / "run");
  return words;
}

std::vector<double> ends(const ForeignFolder& model) {
  const Tensor x = read_samples(model / "run/samples.h5").x.flatten(1).select(1, 0).to(at::kDouble);
  return {x.const_data_ptr<double>(), x.const_data_ptr<double>() + x.numel()};
}

}  // namespace

TEST_CASE("foreign model cli: trust, labels, conditions and guidance", "[foreign]") {
  const ForeignFolder model = labelled();
  const std::string cond = model / "cond.safetensors";
  const Outcome untrusted = run(model, sampled(model, {"--seeds", "0-2", "--cond", cond}));
  CHECK(untrusted.code == 2);
  CHECK_THAT(untrusted.err, contains("network.pt is a program") && contains("give --trust-model"));

  const auto good = [&](const Words& more) {
    Words words = {"--trust-model", "--cond", cond};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome got = run(model, sampled(model, words));
    INFO(got.err);
    REQUIRE(got.code == 0);
    return ends(model);
  };
  CHECK(good({"--seeds", "3-5", "--class", "0-8"})[2] == Approx(0.53));
  CHECK(good({"--seeds", "3-5", "--class", model / "labels.txt"})[1] == Approx(0.63));
  CHECK(good({"--seeds", "3-5"})[0] == Approx(1.03));
  CHECK(good({"--seeds", "3-5", "--class", "2", "--guidance", "2"})[0] == Approx(1.0 + 2 * (0.23 - 1.0)));
  const auto manifest = nlohmann::json::parse(read_file(model / "run/manifest.json"));
  CHECK(manifest.at("inputs").dump().find("cond.safetensors") != std::string::npos);
  CHECK(read_file(model / "run/config.toml").find("class = \"2\"") != std::string::npos);

  const std::vector<std::pair<Words, std::pair<int, std::string>>> bad = {
      {{"--trust-model", "--seeds", "0-2"}, {2, "needs the condition 'text', [3]: give --cond"}},
      {{"--trust-model", "--seeds", "0-2", "--cond", model / "wrong.safetensors"}, {3, "has the shape [4]"}},
      {{"--trust-model", "--seeds", "0-2", "--cond", model / "labels.txt"}, {3, "labels.txt"}},
      {{"--trust-model", "--seeds", "0-2", "--cond", cond, "--class", "10"}, {2, "0 to 9"}},
      {{"--trust-model", "--seeds", "0-2", "--cond", cond, "--class", "some"}, {2, "--class some"}},
      {{"--trust-model", "--seeds", "0-3", "--cond", cond, "--class", model / "labels.txt"}, {3, "4 seeds"}},
      // The script raises in the run, not when it is tried; what it answers is not finite.
      {{"--trust-model", "--seeds", "0", "--cond", cond}, {1, "model 'foreign', "}},
      {{"--trust-model", "--seeds", "0-2", "--cond", cond, "--class", "9"}, {4, "did not end well"}}};
  for (const auto& [more, wanted] : bad) {
    const Outcome got = run(model, sampled(model, more));
    INFO(fmt::format("{}", fmt::join(more, " ")) << ": " << got.err);
    CHECK(got.code == wanted.first);
    if (wanted.first != 1) CHECK_THAT(got.err, contains(wanted.second));
    if (wanted.first == 1) CHECK_THAT(got.err, contains("network.pt: the network failed: ") && contains("never alone"));
  }
  const Outcome unused = run(model, {"sample", "--model", "digits", "--steps", "2", "--seeds", "0", "--cond", cond,
                                     "--outdir", model / "other"});
  CHECK(unused.code == 3);
  CHECK_THAT(unused.err, contains("no condition of the model 'digits'"));
}

TEST_CASE("foreign model cli: record, merge, fit and evaluate carry classes and conditions", "[foreign]") {
  const ForeignFolder model = labelled();
  const auto good = [&](Words words) {
    words.insert(words.end(), {"--model", model.card(), "--trust-model", "--cond", model / "cond.safetensors",
                               "--device", "cpu", "--quiet"});
    const Outcome got = run(model, words);
    INFO(words[0] << ": " << got.err);
    REQUIRE(got.code == 0);
  };
  good({"record", "--solver", "euler", "--steps", "4", "--seeds", "0-7", "--class", "0-3", "--outdir", model / "a"});
  good(
      {"record", "--solver", "euler", "--steps", "4", "--seeds", "8-15", "--class", "random", "--outdir", model / "b"});
  const Outcome merged = run(model, {"merge", model / "both", model / "a", model / "b"});
  INFO(merged.err);
  REQUIRE(merged.code == 0);
  const auto store = nlohmann::json::parse(read_file(model / "both/manifest.json"));
  CHECK(store.dump().find("\"class\":\"0-3,random\"") != std::string::npos);
  const TrajectoryStore both(model / "both");
  const Tensor labels = both.labels(both.rows_of({0, 1, 6, 7}));
  CHECK(labels.equal(at::tensor({0, 1, 2, 3}, at::kLong)));
  const Tensor random = both.labels(both.rows_of({8, 9, 10, 11, 12, 13, 14, 15}));
  CHECK(
      (random.ge(0).all().item<bool>() && random.le(9).all().item<bool>() && random.ne(random[0]).any().item<bool>()));
  good({"fit", "--nfe", "2", "--teacher", "euler:steps=4", "--seeds", "0-3", "--val-seeds", "10-13", "--restarts", "1",
        "--iterations", "1", "--class", "0-8", "--outdir", model / "fitted"});
  good({"fit", "--nfe", "2", "--teacher", "euler:steps=4", "--seeds", "0-3", "--val-seeds", "10-13", "--restarts", "1",
        "--iterations", "1", "--class", "0-8", "--guidance", "2", "--outdir", model / "guided"});
  const auto plan = nlohmann::json::parse(read_file(model / "fitted/plan.json"));
  CHECK(plan.at("made_with").at("class") == "0-8");
  CHECK(plan.at("made_with").at("condition") == sha256_file(model / "cond.safetensors"));
  const std::string solver = "plan:" + (model / "fitted/plan.json");
  good({"sample", "--solver", solver, "--seeds", "0-3", "--class", "4", "--outdir", model / "one"});
  good({"evaluate", "--solver", solver, "--solver", "euler", "--nfe", "2", "--teacher", "euler:steps=4", "--seeds",
        "20-27", "--blocks", "2", "--class", "0-8", "--outdir", model / "judged"});
  CHECK(read_file(model / "judged/results.json").find("\"0-8\"") != std::string::npos);
  const Outcome none = run(model, {"sample", "--solver", solver, "--seeds", "0-3", "--model", model.card(),
                                   "--trust-model", "--cond", model / "cond.safetensors", "--outdir", model / "two"});
  CHECK(none.code == 2);
  CHECK_THAT(none.err, contains("was made with class 0-8, and this run has no class"));

  // A step predictor that is trained on two such stores is for the classes of both, and no others.
  good({"record", "--solver", "euler", "--steps", "8", "--seeds", "0-15", "--class", "0-3", "--outdir", model / "c"});
  good({"record", "--solver", "euler", "--steps", "8", "--seeds", "16-31", "--class", "6", "--outdir", model / "d"});
  REQUIRE(run(model, {"merge", model / "cd", model / "c", model / "d"}).code == 0);
  const Outcome trained = run(model, {"train-predictor", "--store", model / "cd", "--training-steps", "20", "--out",
                                      model / "predictor.safetensors", "--outdir", model / "trained", "--quiet"});
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  for (const char* label : {"1", "6", "2-3"})
    good({"sample", "--solver", "dpmpp_2m", "--policy", "predictor:" + (model / "predictor.safetensors"), "--seeds",
          "40-43", "--class", label, "--outdir", model / ("class-" + std::string(label))});
  const Outcome other =
      run(model, {"sample", "--solver", "dpmpp_2m", "--policy", "predictor:" + (model / "predictor.safetensors"),
                  "--seeds", "40-43", "--class", "5", "--model", model.card(), "--trust-model", "--cond",
                  model / "cond.safetensors", "--device", "cpu", "--outdir", model / "five"});
  CHECK(other.code == 2);
  CHECK_THAT(other.err, contains("was made with class 0-3,6, and this run has class 5"));
}

TEST_CASE("foreign model cli: memory that runs out in a network is told, and backed off from", "[foreign]") {
#ifndef __SANITIZE_ADDRESS__  // whose own allocator ends the process
  ForeignFolder model;
  model.shape = "[1, 2, 2]";
  model.code(
      testing::scripted("def forward(self, x, t):\n  n = 1\n  if x.size(0) > 2:\n    n = 288230376151711744\n"
                        "  return x * torch.ones([n])[0]\n"));
  model.more = "prediction = \"denoised\"\ntime = \"sigma\"\n";
  model.write();
  const Outcome out = run(model, sampled(model, {"--trust-model", "--seeds", "0-7", "--batch", "8"}));
  CHECK(out.code == 5);
  CHECK_THAT(out.err, contains("out of memory; try a smaller --batch than 8, or --oom backoff"));
  const Outcome less =
      run(model, sampled(model, {"--trust-model", "--seeds", "0-7", "--batch", "8", "--oom", "backoff"}));
  INFO(less.err);
  CHECK(less.code == 0);
  CHECK(ends(model).size() == 8);
#endif
}

}  // namespace stride
