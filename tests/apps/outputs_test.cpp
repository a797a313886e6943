// Where results go: looked at before the work, kept in the run folder too.
#include "apps/cli/outputs.h"
#include "framework/error.h"
#include "tests/apps/place.h"
#include "tests/catch_torch.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

using nlohmann::json;
using testing::Outcome;
using testing::Place;

const std::vector<std::string> kFit = {"fit",     "--model",      "gm.toml", "--seeds",   "0-7",          "--val-seeds",
                                       "100-107", "--nfe",        "3",       "--teacher", "heun:steps=8", "--restarts",
                                       "1",       "--iterations", "1",       "--final",   "sigma_min"};

std::vector<std::string> operator+(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

TEST_CASE("outputs: a place where nothing can be written is refused before the work, in a dry run too") {
  const Place place;
  place.write("file", "not a folder");
  place.write("full/thing", "");
  place.make_folder("full");
  place.write("full/thing", "");
  const std::vector<std::string> record = {"record", "--model", "gm.toml", "--seeds", "0-7", "--steps", "4"};
  REQUIRE(place(record + std::vector<std::string>{"--outdir", "teacher"}).code == 0);
  struct Row {
    std::vector<std::string> words;
    std::string says;
  };
  const std::vector<std::string> train = {"train-predictor", "--store", "teacher"};
  const std::vector<std::string> stats = {"stats", "--data", "digits"};
  for (const Row& row : {Row{train + std::vector<std::string>{"--out", "file/p.safetensors"}, "file is no folder"},
                         Row{train + std::vector<std::string>{"--out", "full"}, "name a file in it"},
                         Row{train + std::vector<std::string>{"--out", "new/"}, "name a file in it"},
                         Row{train + std::vector<std::string>{"--out", "/dev/null"}, "no file that could be replaced"},
                         Row{train + std::vector<std::string>{"--outdir", "full"}, "not empty"},
                         Row{train + std::vector<std::string>{"--out", "./same", "--outdir", "same"}, "writes too"},
                         Row{train + std::vector<std::string>{"--outdir", "file/run"}, "file is no folder"},
                         Row{kFit + std::vector<std::string>{"--plan-out", "full"}, "name a file in it"},
                         Row{kFit + std::vector<std::string>{"--plan-out", "file/deep/plan.json"}, "no folder"},
                         Row{stats + std::vector<std::string>{"--out", "file/s.npz"}, "no folder"},
                         Row{record + std::vector<std::string>{"--store", "file/store"}, "no folder"},
                         Row{{"train-denoiser", "--out", "file"}, "no folder"},
                         Row{{"evaluate", "--model", "gm.toml", "--outdir", "full"}, "not empty"},
                         Row{{"demo", "--outdir", "file/demo"}, "no folder"},
                         Row{{"report", "teacher", "--out", "full"}, "name a file in it"}}) {
    for (const bool dry : {false, true}) {
      const auto words = dry ? row.words + std::vector<std::string>{"--dry-run"} : row.words;
      INFO(fmt::format("stride {}", fmt::join(words, " ")));
      const Outcome got = place(words);
      CHECK(got.code == 2);
      CHECK_THAT(got.err, contains(row.says));
      CHECK_FALSE(place.has("runs"));
    }
  }
}

TEST_CASE("outputs: folders are made, and the run folder keeps what went elsewhere") {
  const Place place;
  REQUIRE(place({"record", "--model", "gm.toml", "--seeds", "0-15", "--steps", "6", "--outdir", "teacher"}).code == 0);
  const Outcome trained = place({"train-predictor", "--store", "teacher", "--training-steps", "60", "--outdir", "run",
                                 "--out", "not/there/yet/p.safetensors"});
  INFO(trained.err);
  REQUIRE(trained.code == 0);
  CHECK_FALSE(place.text("run/predictor.safetensors").empty());
  CHECK(place.text("run/predictor.safetensors") == place.text("not/there/yet/p.safetensors"));

  const Outcome fit = place(kFit + std::vector<std::string>{"--outdir", "fit", "--plan-out", "plans/plan.json"});
  INFO(fit.err);
  REQUIRE(fit.code == 0);
  CHECK_FALSE(place.text("fit/plan.json").empty());
  CHECK(place.text("fit/plan.json") == place.text("plans/plan.json"));

  const Outcome model =
      place({"train-denoiser", "--out", "models/mine", "--outdir", "training", "--images", "64", "--minibatch", "16",
             "--channels", "8", "--embedding", "8", "--blocks", "1", "--look-every", "0", "--threads", "1"});
  INFO(model.err);
  REQUIRE(model.code == 0);
  for (const char* name : {"card.toml", "unet.safetensors"}) {
    CHECK_FALSE(place.text(std::string("models/mine/") + name).empty());
    CHECK(place.text(std::string("training/model/") + name) == place.text(std::string("models/mine/") + name));
  }
  // A model is named by its folder, its card, or its weights.
  for (const char* name : {"models/mine", "models/mine/card.toml", "models/mine/unet.safetensors"})
    CHECK(place({"sample", "--model", name, "--dry-run"}).code == 0);
  std::filesystem::copy(place.path("models/mine/unet.safetensors"), place.path("alone.safetensors"));
  const Outcome alone = place({"sample", "--model", "alone.safetensors", "--dry-run"});
  CHECK(alone.code == 3);
  CHECK_THAT(alone.err, contains("give the card (TOML)"));
  place.make_folder("empty");
  const Outcome empty = place({"sample", "--model", "./empty", "--dry-run"});
  CHECK(empty.code == 3);
  CHECK_THAT(empty.err, contains("card.toml"));
}

TEST_CASE("outputs: what cannot be copied out says where it is kept") {
  const Place place;
  place.write("kept", "the result");
  place.write("file", "");
  copy_out(place.path("kept"), place.path("a/b"));
  CHECK(place.text("a/b") == "the result");
  try {
    copy_out(place.path("kept"), place.path("file/b"));
    FAIL("nothing was thrown");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    CHECK_THAT(error.what(), contains("kept in " + place.path("kept")));
  }
}

TEST_CASE("outputs: a finished run is finished, and one without its result is not") {
  const Place place;
  const auto fit = [&](const std::vector<std::string>& more) { return place(kFit + more); };
  REQUIRE(fit({"--outdir", "run"}).code == 0);
  const std::string plan = place.text("run/plan.json"), log = place.text("run/command.txt");
  const Outcome again = place({"fit", "--resume", "run"});
  CHECK(again.code == 0);
  CHECK_THAT(again.err, contains("finished"));
  CHECK_THAT(again.out, contains("run/plan.json"));
  CHECK(place.text("run/command.txt") == log);
  CHECK(place.has("run/DONE"));
  CHECK(json::parse(place({"fit", "--resume", "run", "--json"}).out).at("nfe") == 3);
  std::filesystem::remove(place.path("run/plan.json"));
  const Outcome anew = place({"fit", "--resume", "run"});
  CHECK(anew.code == 0);
  CHECK_THAT(anew.err, contains("begins again"));
  CHECK(json::parse(place.text("run/plan.json")).at("weights") == json::parse(plan).at("weights"));
}

TEST_CASE("outputs: a budget that is spent is success") {
  const Place place;
  for (const char* budget : {"1", "100"}) {
    const Outcome spent =
        place(kFit + std::vector<std::string>{"--budget-evals", budget, "--plan-out", "p.json", "--json"});
    INFO(budget << spent.err);
    CHECK(spent.code == 0);
    CHECK(json::parse(spent.out).at("fit").at("end") == "budget");
    CHECK(json::parse(place.text("p.json")).at("nfe") == 3);
    CHECK(spent.err.find("--resume") == std::string::npos);
    CHECK(place({"sample", "--model", "gm.toml", "--solver", "plan:p.json", "--seeds", "0-3"}).code == 0);
  }
}

}  // namespace stride
