// stride run, by the real executable: what is done is not done again, whatever ends it.
#include "tests/apps/place.h"
#include "tests/catch_torch.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

std::string experiment(const std::string& nfe, const std::string& seeds = "0-15") {
  return fmt::format(R"(
[experiment]
name = "study"
out = "out"
[axes]
nfe = {}
[[stage]]
name = "draw"
command = "sample"
sampling.model = "gm.toml"
sampling.solver = "ddim"
sampling.nfe = "{{nfe}}"
run.seeds = "{}"
[[stage]]
name = "again"
command = "evaluate"
needs = ["draw"]
sampling.model = "gm.toml"
evaluate.solver = ["heun", "ddim"]
evaluate.nfe = 5
run.seeds = "0-31"
axes = ["nfe"]
sampling.init = "{{draw}}"
[[table]]
name = "cost"
from = "draw"
rows = ["nfe"]
value = "nfe_mean"
)",
                     nfe, seeds);
}

// Without the second stage.
std::string draws(const std::string& nfe, const std::string& seeds = "0-15") {
  std::string text = experiment(nfe, seeds);
  const auto from = text.find("[[stage]]\nname = \"again\""), to = text.find("[[table]]");
  return text.erase(from, to - from);
}

nlohmann::json run(const testing::Place& place, int code, std::vector<std::string> more = {}) {
  std::vector<std::string> words = {"run", "study.toml", "--json", "--quiet"};
  words.insert(words.end(), more.begin(), more.end());
  const testing::Outcome done = place(words);
  INFO(done.err);
  REQUIRE(done.code == code);
  return nlohmann::json::parse(done.out);
}

bool some_cell_has(const testing::Place& place, const std::string& file) {
  if (!place.has("out/cells")) return false;
  for (const auto& entry : std::filesystem::directory_iterator(place.path("out/cells")))
    if (std::filesystem::exists(entry.path().string() + file)) return true;
  return false;
}

std::string state(const nlohmann::json& result, std::size_t cell) { return result.at("cells").at(cell).at("state"); }

}  // namespace

TEST_CASE("run: a cell is run once, and a new value of an axis adds its own alone") {
  const testing::Place place;
  place.write("study.toml", draws("[2, 3]"));
  const auto first = run(place, 0);
  CHECK(first.at("ran") == 2);
  CHECK(place.text("out/cost.csv") == "nfe,column,value,low,high,count\n2,nfe_mean,2,,,1\n3,nfe_mean,3,,,1\n");
  CHECK(run(place, 0).at("ran") == 0);
  place.write("study.toml", draws("[2, 3, 4]"));
  CHECK(state(run(place, 0, {"--list"}), 2) == "to do");
  CHECK(run(place, 0, {"--jobs", "2"}).at("ran") == 1);
  CHECK(place.text("out/cost.csv").ends_with("4,nfe_mean,4,,,1\n"));
  // Another setting, and another model in the card's file, are other cells.
  place.write("study.toml", draws("[2]", "0-16"));
  CHECK(run(place, 0).at("ran") == 1);
  std::string card = place.text("gm.toml");
  place.write("gm.toml", card.replace(card.find("0.3, 0.7"), 8, "0.4, 0.6"));
  CHECK(run(place, 0).at("ran") == 1);
}

TEST_CASE("run: a run that was killed goes on with what it left, and ends with the same files") {
  const testing::Place place, undisturbed;
  for (const testing::Place* each : {&place, &undisturbed})
    each->write("study.toml", draws("[40, 41, 42, 43]", "0-4095"));
  (void)run(undisturbed, 0);
  // Once while the first cells run, once as soon as one of them is done.
  for (const char* sign : {"/config.toml", "/DONE"}) {
    const std::vector<std::string> words = {STRIDE_EXECUTABLE, "run", "study.toml", "--quiet", "--jobs", "2"};
    testing::Process process(words, place.folder());
    for (int i = 0; i < 2000 && !some_cell_has(place, sign); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    process.send(SIGKILL);
    CHECK(process.wait().code == 1000 + SIGKILL);
  }
  const auto result = run(place, 0);
  CHECK(place.text("out/cost.csv") == undisturbed.text("out/cost.csv"));
  for (const auto& cell : result.at("cells")) {
    const std::string samples = cell.at("folder").get<std::string>() + "/samples.h5";
    CHECK(place.text(samples) == undisturbed.text(samples));
    CHECK_FALSE(place.text(samples).empty());
  }
}

TEST_CASE("run: what needs a cell that failed is left out, the rest runs, and the exit code says so") {
  const testing::Place place;
  place.write("study.toml", experiment("[2, 3]"));  // the samples' seeds are not the evaluation's
  const auto result = run(place, 1);
  CHECK(state(result, 0) == "done");
  CHECK(state(result, 1) == "done");
  CHECK(state(result, 2) == "failed");
  const std::string folder = result.at("cells").at(2).at("folder");
  CHECK(place.text(folder + ".log").find("error: ") != std::string::npos);
  CHECK(place.has("out/cost.csv"));
}

TEST_CASE("run: SIGINT stops the cells, and says how far it came") {
  const testing::Place place;
  place.write("study.toml", draws("[400]", "0-65535"));
  testing::Process process({STRIDE_EXECUTABLE, "run", "study.toml"}, place.folder());
  for (int i = 0; i < 200 && place.text("stderr.txt").find("begins") == std::string::npos; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  std::this_thread::sleep_for(std::chrono::milliseconds(1500));
  process.send(SIGINT);
  const testing::Outcome done = process.wait();
  CHECK(done.code == 130);
  CHECK(done.err.find("0 of 1 cells are done") != std::string::npos);
}

TEST_CASE("run: shares of the cells, together all of them") {
  const testing::Place place;
  place.write("study.toml", draws("[2, 3, 4]"));
  testing::Process other({STRIDE_EXECUTABLE, "run", "study.toml", "--quiet", "--shard", "1/2", "--json"},
                         place.folder());
  const auto mine = [&] {
    const std::string out = place.path("mine.txt");
    return testing::Process({STRIDE_EXECUTABLE, "run", "study.toml", "--quiet", "--shard", "0/2", "--json"},
                            place.folder(), out)
        .wait();
  }();
  const testing::Outcome theirs = other.wait();
  INFO(mine.err << theirs.err);
  REQUIRE(mine.code == 0);
  REQUIRE(theirs.code == 0);
  CHECK(nlohmann::json::parse(mine.out).at("ran") == 2);
  CHECK(nlohmann::json::parse(theirs.out).at("ran") == 1);
  const testing::Outcome script = place({"run", "study.toml", "--slurm", "4"});
  CHECK(script.out.find("#SBATCH --array=0-3") != std::string::npos);
}

TEST_CASE("repro: a run again gives the same bits, and what does not is found") {
  const testing::Place place;
  const std::vector<std::string> draw = {"sample", "--model", "gm.toml", "--solver", "dpmpp_sde", "--steps",
                                         "4",      "--seeds", "0-7",     "--outdir", "first"};
  REQUIRE(place(draw).code == 0);
  const testing::Outcome same = place({"repro", "first", "--json"});
  INFO(same.err);
  CHECK(same.code == 0);
  const auto result = nlohmann::json::parse(same.out);
  CHECK(result.at("files").at("samples.h5") == "the same bits");
  CHECK(result.at("files").at("results.json") == "the same but for times");
  // Another model behind the same name.
  std::string card = place.text("gm.toml");
  place.write("gm.toml", card.replace(card.find("0.3, 0.7"), 8, "0.4, 0.6"));
  const testing::Outcome other = place({"repro", "first", "--out", "second"});
  CHECK(other.code == 4);
  CHECK(other.out.find("samples.h5  ") != std::string::npos);
  CHECK(other.out.find("NOT reproduced") != std::string::npos);
  CHECK(place({"repro", "nowhere"}).code == 3);
}

TEST_CASE("run: a setting or command that is none is refused before anything runs") {
  const testing::Place place;
  std::string text = draws("[2]");
  place.write("study.toml", text.replace(text.find("sampling.nfe"), 12, "sampling.nef"));
  const testing::Outcome done = place({"run", "study.toml"});
  CHECK(done.code == 2);
  CHECK(done.err.find(
            "study.toml: stage draw: this command has no setting 'sampling.nef'; did you mean 'sampling.nfe'?") !=
        std::string::npos);
  place.write("study.toml", [&] {
    std::string other = draws("[2]");
    return other.replace(other.find("\"sample\""), 8, "\"simple\"");
  }());
  CHECK(place({"run", "study.toml"}).err.find("did you mean 'sample'") != std::string::npos);
  CHECK(place({"run"}).code == 2);
  CHECK_FALSE(place.has("out"));
}

}  // namespace stride
