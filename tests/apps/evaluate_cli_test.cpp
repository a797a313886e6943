// What `stride evaluate` says of itself: samples that gave up, options that change nothing.
#include "tests/apps/place.h"
#include "tests/catch_torch.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

using Words = std::vector<std::string>;
using testing::Outcome;
using testing::Place;

Outcome evaluate(const Place& place, const Words& more) {
  Words words = {"evaluate", "--model", "gm.toml", "--seeds", "0-3", "--blocks", "2", "--teacher", "heun:steps=5"};
  words.insert(words.end(), more.begin(), more.end());
  return place(words);
}

TEST_CASE("evaluate: samples that gave up end it with exit code 4, as they do in sample") {
  const Place place;
  const Outcome got = evaluate(place, {"--solver", "heun", "--policy", "pi:atol=1e-13", "--outdir", "tired"});
  INFO(got.err);
  CHECK(got.code == 4);
  CHECK_THAT(got.err, contains("4 samples ran out of steps"));
  CHECK(nlohmann::json::parse(place.text("tired/results.json")).at("samplers").at(0).at("gave_up") == 4);
  CHECK(place.has("tired/DONE"));
}

TEST_CASE("evaluate: what changes nothing is said on the terminal, in the results and on the page") {
  const Place place;
  const Outcome got = evaluate(place, {"--solver", "heun", "--policy", "pi:atol=0.1", "--nfe", "5", "--schedule",
                                       "exponential", "--final", "both", "--outdir", "run"});
  INFO(got.err);
  CHECK(got.code == 0);
  const std::string results = place.text("run/results.json"), page = place.text("run/report.html");
  for (const std::string name : {"nfe", "schedule"}) {
    CHECK_THAT(got.err, contains("--" + name + " has no effect"));
    CHECK_THAT(results, contains("`" + name + "` has no effect"));
    CHECK_THAT(page, contains("<code>" + name + "</code> has no effect"));
  }
  CHECK_THAT(got.err, contains("--final both: adaptive policies are run to one end"));
  const Outcome named = evaluate(place, {"--solver", "DPM++ 2M Karras", "--schedule", "exponential", "--dry-run"});
  INFO(named.err);
  CHECK_THAT(named.err, contains("--schedule has no effect on DPM++ 2M Karras"));
  const Outcome left = evaluate(place, {"--solver", "heun", "--solver", "ddim", "--nfe", "4", "--dry-run"});
  CHECK_THAT(left.err, contains("left out: heun at 4 NFE") && !contains("`nfe`"));
  CHECK_THAT(evaluate(place, {"--nfe", "1-100000000"}).err, contains("at most 1000"));
}

TEST_CASE("evaluate: a teacher may have another project's name") {
  const Place place;
  Words words = {"evaluate", "--model", "gm.toml", "--seeds", "0-3", "--blocks", "2", "--dry-run", "--teacher"};
  words.push_back("DPM++ 2M Exponential:steps=20");
  const Outcome got = place(words);
  INFO(got.err);
  CHECK(got.code == 0);
  CHECK_THAT(got.out, contains("dpmpp_2m") && contains("exponential"));
  words.back() = "DPM++ 2M Exponential:steps=20,schedule=karras";
  CHECK_THAT(place(words).err, contains("leave schedule= out"));
}

}  // namespace
}  // namespace stride
