// `stride compare` as a person types it.
#include "tests/apps/place.h"
#include "tests/catch_torch.h"

#include <nlohmann/json.hpp>

namespace stride {
namespace {

using Words = std::vector<std::string>;
using testing::Outcome;
using testing::Place;

TEST_CASE("compare: rows of runs, from the run to the files of a manuscript") {
  const Place place;
  const auto evaluate = [&](const std::string& out, const std::string& seeds, const Words& more) {
    Words words = {"evaluate", "--model",   "gm.toml",       "--seeds",  seeds, "--blocks",
                   "4",        "--teacher", "heun:steps=12", "--outdir", out,   "--quiet"};
    words.insert(words.end(), more.begin(), more.end());
    const Outcome got = place(words);
    INFO(got.err);
    REQUIRE(got.code == 0);
  };
  evaluate("a", "0-39", {"--solver", "euler", "--solver", "dpmpp_2m", "--nfe", "4,6"});
  evaluate("b", "8-47", {"--solver", "ipndm", "--nfe", "4,5"});
  CHECK(place.has("a/seeds-003.npz"));

  const Outcome table = place({"compare", "a:euler", "a:dpmpp_2m"});
  INFO(table.err);
  CHECK(table.code == 0);
  CHECK_THAT(table.out, contains("euler · karras · zero @ 4") && contains("dpmpp_2m · karras · zero @ 6"));
  CHECK_THAT(table.out, contains("Of 2 runs of dpmpp_2m on karras · zero"));

  const Outcome files = place({"compare", "a", "b", "--against", "a:1", "--out", "t/table.tex", "--bibtex", "used.bib",
                               "--methods", "methods.md", "--json"});
  INFO(files.err);
  CHECK(files.code == 0);
  const auto json = nlohmann::json::parse(files.out);
  CHECK(json.at("n") == 32);
  CHECK(json.at("seeds") == "8-39");
  CHECK(json.at("rows").size() == 5);
  CHECK_THAT(files.err, contains("32 of the 40 seeds of a are common to all rows"));
  CHECK_THAT(place.text("t/table.tex"), contains("\\toprule"));
  CHECK_THAT(place.text("used.bib"), contains("@inproceedings{zhang2023deis,"));
  CHECK_THAT(place.text("methods.md"), contains("euler [@karras2022edm], dpmpp_2m [@lu2022dpmpp]"));
  CHECK(place({"verify", "a"}).code == 0);

  const Outcome unpaired = place({"evaluate", "--model", "gm.toml", "--class", "1", "--seeds", "0-39", "--teacher",
                                  "heun:steps=12", "--nfe", "4", "--outdir", "c", "--quiet"});
  REQUIRE(unpaired.code == 0);
  const auto refused = [&](const Words& words, const std::string& why, int code = 2) {
    const Outcome got = place(words);
    INFO(got.err);
    CHECK(got.code == code);
    CHECK_THAT(got.err, contains(why));
  };
  refused({"compare", "a", "c"}, "other conditions: no class, guidance or bound there, class 1 here");
  refused({"compare"}, "name runs");
  refused({"compare", "a", "--out", "table.pdf"}, "--out table.pdf");
  refused({"compare", "a", "--metric", "fd"}, "has no fd");
  refused({"compare", "a:euler", "a:1"}, "nothing is left to compare");
  refused({"compare", "nothing"}, "no results.json", 3);
  refused({"compare", "a", "--resamples", "5"}, "--resamples 5");
}

}  // namespace
}  // namespace stride
