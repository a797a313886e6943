// --tile, through the real executable.
#include "datasets/files/samples_file.h"
#include "tests/apps/place.h"
#include "tests/catch_torch.h"

#include <filesystem>

namespace stride {
namespace {

using testing::Outcome;
using testing::Place;

std::vector<std::string> words(const std::string& outdir, const std::vector<std::string>& more) {
  std::vector<std::string> out = {"sample", "--seeds", "0-3", "--steps", "4", "--outdir", outdir};
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

Tensor samples_of(const Place& place, const std::string& outdir, const std::vector<std::string>& more) {
  const Outcome got = place(words(outdir, more));
  INFO(got.err);
  REQUIRE(got.code == 0);
  return read_samples(place.path(outdir + "/samples.h5")).x;
}

}  // namespace

TEST_CASE("tiles: a run of digits is recorded and resumed with them", "[tiles]") {
  const Place place;
  const Tensor whole = samples_of(place, "whole", {});
  const Tensor tiled = samples_of(place, "tiled", {"--tile", "2x2:overlap=2"});
  // Group normalisation sees a tile: other samples, of the same kind.
  CHECK_FALSE(tiled.equal(whole));
  CHECK(tiled.isfinite().all().item<bool>());
  CHECK((tiled - whole).abs().mean().item<double>() < 1.0);
  CHECK_THAT(place.text("tiled/config.toml"), contains("tile = \"2x2:overlap=2\""));
  CHECK(samples_of(place, "again", {"--config", place.path("tiled/config.toml")}).equal(tiled));
  CHECK(samples_of(place, "one", {"--tile", "1x1"}).equal(whole));
  CHECK(samples_of(place, "all", {"--tile", "2x2:context=8"}).equal(whole));  // every pass sees all of the image

  std::filesystem::remove(place.path("tiled/DONE"));
  std::filesystem::remove(place.path("tiled/samples.h5"));
  const Outcome resumed = place({"sample", "--resume", "tiled"});
  INFO(resumed.err);
  REQUIRE(resumed.code == 0);
  CHECK(read_samples(place.path("tiled/samples.h5")).x.equal(tiled));
  CHECK(place({"sample", "--resume", "tiled", "--tile", "1x2"}).code == 2);
}

TEST_CASE("tiles: with the other options", "[tiles]") {
  const Place place;
  const std::vector<std::string> guided = {"--class", "3", "--guidance", "2", "--numerics", "exact"};
  const Tensor whole = samples_of(place, "whole", guided);
  std::vector<std::string> tiled = guided;
  tiled.insert(tiled.end(), {"--tile", "1x2:context=8,at_once=2"});
  CHECK((samples_of(place, "tiled", tiled) - whole).abs().max().item<double>() < 1e-3);
  CHECK_FALSE(samples_of(place, "kept", {"--start", "whole", "--strength", "0.5", "--tile", "1x2"}).equal(whole));
  CHECK(samples_of(place, "noise", {"--start", "whole", "--invert", "--tile", "1x2"})
            .ne(samples_of(place, "noise of the whole", {"--start", "whole", "--invert"}))
            .any()
            .item<bool>());
}

TEST_CASE("tiles: what cannot be is refused before anything is written", "[tiles]") {
  const Place place;
  const auto refused = [&](const std::vector<std::string>& more, const std::string& says) {
    const Outcome got = place(words("out", more));
    CHECK(got.code == 2);
    CHECK_THAT(got.err, contains(says));
    CHECK_FALSE(place.has("out"));
  };
  refused({"--tile", "2"}, "--tile 2: rows by columns");
  refused({"--tile", "5x1"}, "multiples of 2: at most 4");
  refused({"--tile", "4x4:overlap=2"}, "at most 1");
  refused({"--tile", "2x2:overlp=2"}, "overlap");
  refused({"--tile", "2x2", "--model", "gm.toml"}, "leave --tile out");
  refused({"--tile", "9x9", "--dry-run"}, "--tile");
  CHECK(place({"record", "--tile", "2x2"}).code == 2);
}

}  // namespace stride
