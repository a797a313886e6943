// Plans and predictors through the real executable: what they were made with, and where they are refused.
#include "framework/files/file.h"
#include "tests/apps/process.h"
#include "tests/catch_torch.h"
#include "tests/pipeline/mixture_card.h"
#include "tests/temporary_folder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

using nlohmann::json;
using testing::Outcome;
using Words = std::vector<std::string>;

class Place final {
 public:
  Place() { write_file_atomic(folder_ / "gm.toml", std::string(testing::kMixtureCard) + "classes = [0, 1]\n"); }
  [[nodiscard]] Outcome operator()(const std::string& command, const Words& more) const {
    Words words = {command};
    if (command != "train-predictor" && command != "report") words.insert(words.end(), {"--model", "gm.toml"});
    words.insert(words.end(), more.begin(), more.end());
    return testing::run_stride(folder_.path(), words);
  }
  // A run that must end well.
  Outcome done(const std::string& command, const Words& more) const {
    Outcome got = (*this)(command, more);
    INFO(fmt::format("stride {} {}: {}", command, fmt::join(more, " "), got.err));
    REQUIRE(got.code == 0);
    return got;
  }
  void fit(const std::string& out, const Words& more) const {
    Words words = {"--nfe",        "3", "--seeds",    "0-15", "--val-seeds", "100-107",    "--teacher", "heun:steps=8",
                   "--iterations", "2", "--restarts", "1",    "--quiet",     "--plan-out", out};
    words.insert(words.end(), more.begin(), more.end());
    done("fit", words);
  }
  [[nodiscard]] json read(const std::string& name) const { return json::parse(read_file(folder_ / name)); }

 private:
  testing::TemporaryFolder folder_;
};

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("made with: a plan carries its class, guidance, teacher and seeds, and is refused elsewhere") {
  const Place place;
  place.fit("plan.json", {"--class", "1", "--guidance", "2"});
  const json made = place.read("plan.json").at("made_with");
  CHECK(made.at("class") == 1);
  CHECK(made.at("guidance") == "2");
  CHECK(made.at("teacher") == "heun:steps=8,schedule=karras,final=zero");
  CHECK(made.at("teacher_sigmas").size() == 9);
  CHECK(made.at("seeds") == "0-15");
  CHECK(made.at("validation_seeds") == "100-107");
  CHECK(made.at("dtype") == "float32");

  const Words with = {"--solver", "plan:plan.json", "--seeds", "200-203"};
  const auto words = [&](const Words& more) {
    Words all = with;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  };
  const Outcome bare = place("sample", words({"--dry-run"}));
  CHECK(bare.code == 2);
  CHECK(has(bare.err, "plan.json was made with class 1, guidance 2, and this run has no class, no guidance"));
  CHECK(has(bare.err, "--allow-model-mismatch"));
  CHECK(place("sample", words({"--dry-run", "--class", "1", "--guidance", "2.0"})).code == 0);
  CHECK(place("sample", words({"--allow-model-mismatch", "--outdir", "s"})).code == 0);
  const Outcome other = place("evaluate", words({"--class", "0", "--guidance", "5", "--blocks", "2", "--dry-run"}));
  CHECK(other.code == 2);
  CHECK(has(other.err, "class 1, guidance 2, and this run has class 0, guidance 5"));
}

TEST_CASE("made with: a predictor takes class and guidance from its store") {
  const Place place;
  place.done("record", {"--class", "1", "--guidance", "2", "--steps", "12", "--seeds", "0-31", "--outdir", "r"});
  place.done("train-predictor", {"--store", "r", "--out", "p.safetensors", "--training-steps", "20"});
  const Words with = {"--solver", "dpmpp_2m", "--policy", "predictor:p.safetensors,tolerance=0.1", "--seeds", "16-47",
                      "--blocks", "2",        "--dry-run"};
  const Outcome bare = place("evaluate", with);
  CHECK(bare.code == 2);
  CHECK(has(bare.err, "p.safetensors was made with class 1, guidance 2"));
  Words right = with;
  right.insert(right.end(), {"--class", "1", "--guidance", "2"});
  const Outcome good = place("evaluate", right);
  CHECK(good.code == 0);
  CHECK(has(good.err, "p.safetensors was fitted to, or chosen on, 16 of these 32 seeds (16-31)"));
}

TEST_CASE("made with: evaluating on a plan's own seeds, or past the card's range, is said in results and report") {
  const Place place;
  place.fit("plan.json", {});
  const Outcome run =
      place.done("evaluate", {"--solver", "plan:plan.json", "--solver", "ipndm", "--nfe", "3", "--seeds", "8-23",
                              "--blocks", "4", "--teacher", "heun:steps=8", "--outdir", "e"});
  CHECK(has(run.err, "plan.json was fitted to, or chosen on, 8 of these 16 seeds (8-15)"));
  CHECK(has(run.out, "the fitted plan has"));
  CHECK(has(run.out, "than ipndm · karras · zero, the only other run on a fixed grid"));
  CHECK(has(run.out, "Plans were fitted to, or chosen on, some of these seeds"));
  const json results = place.read("e/results.json");
  CHECK(results.at("samplers").at(0).at("seeds_seen") == "8-15");
  CHECK_FALSE(results.at("samplers").at(1).contains("seeds_seen"));
  CHECK(has(results.at("warnings").at(0).get<std::string>(), "8 of these 16 seeds"));
  CHECK(place.read("e/manifest.json").at("warnings") == results.at("warnings"));
  const Outcome report = place("report", {"e", "--out", "r.html"});
  CHECK(report.code == 0);

  const Outcome fresh = place.done(
      "evaluate", {"--solver", "plan:plan.json", "--nfe", "3", "--seeds", "200-207", "--blocks", "2", "--dry-run"});
  CHECK_FALSE(has(fresh.err, "seeds"));
  const Outcome beyond = testing::run_stride(testing::TemporaryFolder().path(),
                                             {"sample", "--model", "digits", "--sigma-max", "5000", "--dry-run"});
  CHECK(beyond.code == 0);
  CHECK(has(beyond.err, "starts at the noise level 5000, but 'digits' was trained up to 20 only"));
}

TEST_CASE("made with: a stochastic teacher is refused where something is measured from it") {
  const Place place;
  const Words base = {"--solver", "ipndm", "--seeds", "0-15", "--blocks", "2", "--teacher", "euler_ancestral:steps=20",
                      "--dry-run"};
  const auto with = [&](const std::string& metric) {
    Words words = base;
    words.insert(words.end(), {"--metric", metric});
    return place("evaluate", words);
  };
  const Outcome refused = with("rmse");
  CHECK(refused.code == 2);
  CHECK(has(refused.err, "--teacher euler_ancestral: it draws noise"));
  CHECK(with("exact").code == 0);
  CHECK(place("fit", {"--teacher", "euler_ancestral:steps=20", "--dry-run"}).code == 2);
  const Outcome demo = testing::run_stride(testing::TemporaryFolder().path(),
                                           {"demo", "--teacher", "euler_ancestral:steps=20", "--dry-run"});
  CHECK(demo.code == 2);
  CHECK(has(demo.err, "--teacher euler_ancestral"));
}

}  // namespace stride
