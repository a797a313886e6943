// What comes from outside: missing, of another kind, with numbers that no double holds, or too large.
#include "datasets/files/samples_file.h"
#include "tests/apps/place.h"
#include "tests/catch_torch.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <chrono>

namespace stride {
namespace {

using nlohmann::json;
using testing::Outcome;
using testing::Place;

using Words = std::vector<std::string>;

struct Row {
  Words words;
  int code;
  std::string says;
};

void check(const Place& place, const std::vector<Row>& rows) {
  for (const Row& row : rows) {
    INFO(fmt::format("stride {}", fmt::join(row.words, " ")));
    const auto begin = std::chrono::steady_clock::now();
    const Outcome got = place(row.words);
    CHECK(got.code == row.code);
    CHECK_THAT(got.err, contains(row.says));
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(60));
  }
}

}  // namespace

TEST_CASE("inputs: what is missing ends with exit code 3, whatever names it") {
  const Place place;
  REQUIRE(place({"sample", "--model", "gm.toml", "--seeds", "0-7", "--steps", "4", "--outdir", "run"}).code == 0);
  const Words sample = {"sample", "--model", "gm.toml"};
  const auto with = [&](const Words& more) {
    Words words = sample;
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  check(place, {{{"sample", "--model", "no.toml"}, 3, "no.toml"},
                {{"sample", "--model", "nomodel"}, 3, "nomodel"},
                {{"sample", "--model", "no.safetensors"}, 3, "no.safetensors"},
                {{"sample", "--model", "./nofolder"}, 3, "nofolder"},
                {with({"--config", "no.json"}), 3, "no.json"},
                {with({"--solver", "plan:no.json"}), 3, "no.json"},
                {with({"--schedule", "custom:no.txt"}), 3, "no.txt"},
                {with({"--noise-schedule", "custom:no.txt", "--schedule", "linspace"}), 3, "no.txt"},
                {with({"--policy", "predictor:no.safetensors,tolerance=0.1"}), 3, "no.safetensors"},
                {with({"--init", "no.h5"}), 3, "no.h5"},
                {with({"--noise", "no.h5"}), 3, "no.h5"},
                {with({"--start", "no.h5"}), 3, "no.h5"},
                {with({"--seeds", "0-7", "--start", "run", "--mask", "no.png"}), 3, "no.png"},
                {with({"--resume", "norun"}), 3, "norun"},
                {{"fit", "--model", "gm.toml", "--init-plan", "no.json"}, 3, "no.json"},
                {{"train-predictor", "--store", "nostore"}, 3, "nostore"},
                {{"train-denoiser", "--data", "nodata", "--out", "m"}, 3, "--data nodata"},
                {{"stats", "--data", "nodata", "--out", "s.npz"}, 3, "nodata"},
                {{"metrics", "--samples", "nosamples", "--ref", "digits", "--metric", "swd"}, 3, "nosamples"},
                {{"metrics", "--samples", "run", "--ref", "noref", "--metric", "swd"}, 3, "noref"},
                {{"metrics", "--samples", "run", "--ref", "run", "--features", "nonet"}, 3, "nonet"},
                {{"evaluate", "--model", "gm.toml", "--features", "nonet"}, 3, "nonet"},
                {{"merge", "out", "nostore"}, 3, "nostore"},
                {{"report", "norun"}, 3, "norun"},
                {{"inspect", "nothing"}, 3, "nothing"},
                {{"verify", "nothing"}, 3, "nothing"}});
}

TEST_CASE("inputs: a number that no double holds, and nesting without end, are errors of the file") {
  const Place place;
  const std::string deep(50'000, '[');
  place.write("plan.json", "{\"format\": \"stride-plan\",\n \"version\": 1, \"sigmas\": [1e999, 0]}");
  place.write("config.json", "{\"sampling.steps\": 4,\n\n\"sampling.sigma_max\": 1e999}");
  place.write("config.toml", "[sampling]\nsteps = 4\nsigma_max = 1e999\n");
  place.write("infinite.toml", "[sampling]\nsigma_max = inf\n");
  place.write("card.toml", std::string(testing::kMixtureCard) + "sigma_max = 1e999\n");
  place.write("means.toml",
              "[model]\nkind = \"gaussian_mixture\"\nweights = [1.0]\nmeans = [[inf, 0.0]]\nstd = [1.0]\n"
              "shape = [2]\n");
  place.write("deep.json", "{\"sampling.steps\": " + deep);
  place.write("deepplan.json", "{\"format\": \"stride-plan\", \"fit\": " + deep);
  place.make_folder("images");
  place.write("images/dataset.json", "{\"labels\": [[\"a.png\", 1e999]]}");
  place.write("images/a.png", "no picture either");
  place.make_folder("run");
  place.write("run/results.json", "{\"format\": \"stride-evaluation\",\n\"n\": 1e999}");
  const Words sample = {"sample", "--model", "gm.toml"};
  check(place,
        {{{"sample", "--model", "gm.toml", "--solver", "plan:plan.json"}, 3, "plan.json, line 2: the number 1e999"},
         {{"sample", "--model", "gm.toml", "--config", "config.json"}, 3, "config.json, line 3: the number 1e999"},
         {{"sample", "--model", "gm.toml", "--config", "config.toml"}, 3, "config.toml, line 3"},
         {{"sample", "--model", "gm.toml", "--config", "infinite.toml"}, 2, "infinite.toml: sampling.sigma_max"},
         {{"sample", "--model", "card.toml"}, 3, "card.toml, line"},
         {{"sample", "--model", "means.toml"}, 3, "means.toml, line 4"},
         {{"sample", "--model", "gm.toml", "--config", "deep.json"}, 3, "deep.json: nested more than 64"},
         {{"inspect", "deepplan.json"}, 3, "deepplan.json: nested more than 64"},
         {{"verify", "deepplan.json"}, 3, "deepplan.json: 1 problems"},
         {{"train-denoiser", "--data", "images", "--out", "m"}, 3, "dataset.json, line 1: the number 1e999"},
         {{"report", "run"}, 3, "results.json, line 2: the number 1e999"}});
}

TEST_CASE("inputs: what is too large is named") {
  const Place place;
  const auto sample = [](const Words& more) {
    Words words = {"sample", "--model", "gm.toml"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  check(place, {{sample({"--steps", "100000000"}), 2, "--steps 100000000 are too many"},
                {sample({"--steps", "9000000000000000000", "--dry-run"}), 2, "--steps"},
                {sample({"--nfe", "1000000000"}), 2, "--nfe 1000000000"},
                {sample({"--hybrid", "ddim@100000000,heun@5"}), 2, "--steps 100000005 are too many"},
                {sample({"--seeds", "0-1000000000"}), 2, "--seeds 0-1000000000: 1000000001 are more"},
                {{"schedule", "--steps", "1000000000"}, 2, "--steps"},
                {{"evaluate", "--model", "gm.toml", "--steps", "100000000"}, 2, "--steps"},
                {{"evaluate", "--model", "gm.toml", "--teacher", "heun:steps=100000000"}, 2, "--steps"},
                {{"fit", "--model", "gm.toml", "--teacher", "heun:steps=100000000"}, 2, "--steps"},
                {{"fit", "--model", "gm.toml", "--nfe", "100000000"}, 2, "1 to 1000 evaluations"}});
}

TEST_CASE("inputs: where memory runs out, what is large is named") {
  const Place place;
  // Distances to five thousand means are thirty-six gigabytes, and thirty are allowed whatever the machine has.
  const std::vector<std::string> ones(5000, "1.0"), means(5000, "[0.0, 1.0]");
  place.write("many.toml", fmt::format("[model]\nkind = \"gaussian_mixture\"\nshape = [2]\nweights = [{0}]\n"
                                       "means = [{1}]\nstd = [{0}]\n",
                                       fmt::join(ones, ", "), fmt::join(means, ", ")));
#ifdef __SANITIZE_ADDRESS__
  // Its shadow takes terabytes of addresses: the allocator itself says no instead.
  const std::string limit =
      "export ASAN_OPTIONS=$ASAN_OPTIONS:allocator_may_return_null=1:max_allocation_size_mb=30000";
#else
  const std::string limit = "ulimit -v 30000000";
#endif
  const Outcome got = testing::Process({"/bin/sh", "-c",
                                        fmt::format("{}; exec {} sample --model many.toml --seeds 0-999999 "
                                                    "--batch 900000 --steps 70000 --device cpu",
                                                    limit, STRIDE_EXECUTABLE)},
                                       place.folder())
                          .wait();
  INFO(got.err);
  CHECK(got.code == 5);
  for (const char* says : {"out of memory", "fewer --seeds than 1000000", "a smaller --batch than 900000",
                           "a smaller --steps than 70000", "--oom backoff"})
    CHECK_THAT(got.err, contains(says));
}

TEST_CASE("inputs: a run folder stands for its samples, and rows are those of the seeds") {
  const Place place;
  const auto run = [&](const Words& more) {
    Words words = {"sample", "--model", "gm.toml", "--steps", "6", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome got = place(words);
    INFO(got.err);
    REQUIRE(got.code == 0);
    return read_samples(place.path(json::parse(got.out).at("file").get<std::string>())).x;
  };
  (void)run({"--seeds", "0-63", "--outdir", "all"});
  (void)run({"--seeds", "5-7", "--outdir", "some"});
  const Outcome part = place({"sample", "--model", "gm.toml", "--steps", "6", "--strength", "0.5", "--start",
                              "all/samples.h5", "--seeds", "32-95", "--dry-run"});
  CHECK(part.code == 2);
  CHECK_THAT(part.err, contains("not for seed") && contains("all/samples.h5"));
  const Words refine = {"--strength", "0.5", "--start"};
  const auto start = [&](const std::string& from, const std::string& seeds) {
    return run({"--strength", "0.5", "--start", from, "--seeds", seeds});
  };
  CHECK(at::equal(start("all/samples.h5", "5-7"), start("some/samples.h5", "5-7")));
  CHECK(at::equal(start("all", "7,5"), start("some", "5-7").index_select(0, at::tensor({2, 0}, at::kLong))));
  CHECK(at::equal(run({"--init", "all", "--seeds", "5-7"}), run({"--init", "some", "--seeds", "5-7"})));
  // Other seeds take the rows in their order, where there are as many.
  CHECK(start("some", "100-102").size(0) == 3);
  const Outcome few = place({"sample", "--model", "gm.toml", "--start", "all", "--seeds", "100-102"});
  CHECK(few.code == 3);
  CHECK_THAT(few.err, contains("/seed"));

  const auto rmse = [&](const std::string& samples, const std::string& reference) {
    return place({"metrics", "--samples", samples, "--ref", reference, "--metric", "rmse", "--json"});
  };
  const Outcome by_folder = rmse("all", "all/samples.h5");
  INFO(by_folder.err);
  REQUIRE(by_folder.code == 0);
  CHECK(json::parse(by_folder.out).at("metrics").at("rmse").at("value") == 0.0);
  CHECK(rmse("some", "all").code == 2);
}

TEST_CASE("inputs: a file of levels that holds none is an error of that file; a finished run stays as it is") {
  const Place place;
  place.write("none.txt", "");
  place.make_folder("folder");
  for (const std::string file : {"none.txt", "folder"}) {
    const Outcome got = place({"sample", "--model", "gm.toml", "--schedule", "custom:" + file, "--dry-run"});
    INFO(got.err);
    CHECK(got.code == 3);
    CHECK_THAT(got.err, contains(file));
  }
  const std::string results = "done/results.json";
  CHECK(place({"sample", "--model", "gm.toml", "--steps", "3", "--seeds", "0-3", "--outdir", "done"}).code == 0);
  const std::string before = place.text(results);
  CHECK(place({"sample", "--resume", "done"}).code == 0);
  CHECK(place.text(results) == before);
  const Outcome levels = place({"schedule", "--sigma-max", "5000", "--noise-schedule", "linear", "--steps", "3"});
  CHECK_THAT(levels.err, contains("5000"));
  const Outcome long_name = place({"metrics", "--samples", std::string(300, 'x'), "--ref", "digits"});
  INFO(long_name.err);
  CHECK(long_name.code == 3);
}

TEST_CASE("inputs: blanks in lists, and a strength that is what it says") {
  const Place place;
  const auto grid = [&](const Words& more) {
    Words words = {"schedule", "--model", "gm.toml", "--json"};
    words.insert(words.end(), more.begin(), more.end());
    return json::parse(place(words).out).at("sigmas");
  };
  CHECK(grid({"--sigmas", "14.6, 6.3, 0"}) == json({14.6, 6.3, 0.0}));
  REQUIRE(place({"sample", "--model", "gm.toml", "--seeds", "0", "--steps", "4", "--outdir", "run"}).code == 0);
  const auto steps = [&](const std::string& of, const std::string& strength) {
    const Outcome got = place({"sample", "--model", "gm.toml", "--seeds", "0", "--steps", of, "--strength", strength,
                               "--start", "run", "--dry-run", "--json"});
    return got.code == 0 ? json::parse(got.out).at("plan").at("steps").get<std::string>() : got.err;
  };
  CHECK(steps("100", "0.29") == "29");
  CHECK(steps("100", "0.58") == "58");
  CHECK(steps("100", "1") == "100");
  CHECK_THAT(steps("3", "0.333"), contains("at least 0.334"));
  CHECK(steps("3", "0.334") == "1");
}

TEST_CASE("inputs: messages say what a value means and what to do") {
  const Place place;
  place.write("kind.toml", "[model]\nkind = \"vae\"\nshape = [2]\n");
  check(place, {{{"train-predictor", "--store", ".", "--learning-rate", "1e9"}, 2, "between 0 and 10, not 1000000000"},
                {{"train-denoiser", "--out", "m", "--learning-rate", "1e9"}, 2, "between 0 and 10, not 1000000000"},
                {{"sample", "--model", "kind.toml"}, 3, "must be one of gaussian_mixture, unet, torchscript, aoti"},
                {{"sample", "--model", "gm.toml", "--seeds", "0-1", "--policy", "pi:atol=1e-300"}, 4, "(status "}});
}

}  // namespace stride
