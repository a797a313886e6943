// Numbers that were wrong without a word, by the commands that showed them: noise met again, lost digits, equations
// left unsolved, seeds at the end of their range.
#include "datasets/files/hdf5.h"
#include "datasets/files/samples_file.h"
#include "tests/apps/place.h"
#include "tests/catch_torch.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace stride {
namespace {

using testing::Outcome;
using testing::Place;

using Words = std::vector<std::string>;

// A Gaussian of deviation 0.7 in one dimension.
const char* const kOne =
    "[model]\nkind = \"gaussian_mixture\"\nweights = [1.0]\nmeans = [[0.0]]\nstd = [0.7]\nshape = [1]\n";

Words with(Words words, const Words& more) {
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

Samples samples(const Place& place, const Words& words, const std::string& folder, int code = 0) {
  const Outcome got = place(with({"sample"}, with(words, {"--outdir", folder})));
  INFO(fmt::format("{}\n{}", fmt::join(words, " "), got.err));
  REQUIRE(got.code == code);
  return read_samples(place.path(folder + "/samples.h5"));
}

double rms(const Tensor& x) { return x.to(at::kDouble).square().mean().sqrt().item<double>(); }

}  // namespace

TEST_CASE("numbers: a run's own samples are refined with other noise than they were made of") {
  const Place place;
  place.write("one.toml", kOne);
  const Words one = {"--model", "one.toml", "--seeds", "0-3999", "--batch", "4000"};
  const auto run = [&](const Words& more, const std::string& folder) {
    return rms(samples(place, with(one, more), folder).x);
  };
  const Words refine = {"--steps", "60", "--strength", "0.5", "--start"};
  // The same noise gives 0.87.
  CHECK(run({"--steps", "60"}, "r1") == Approx(0.7).epsilon(0.05));
  CHECK(run(with(refine, {"r1/samples.h5"}), "r2") == Approx(0.7).epsilon(0.05));
  CHECK(run(with(refine, {"r2/samples.h5"}), "r3") == Approx(0.7).epsilon(0.05));
  // An ancestral run, cut in two at σ = 1: other seeds' noise in the second part gives as much as its own.
  const Words er = {"--solver", "er_sde"};
  (void)run(with(er, {"--sigmas", "80,40,20,10,5,3,2,1.4,1"}), "cut");
  const Words rest = with(er, {"--sigmas", "1,0.7,0.5,0.35,0.25,0.15,0.08,0.02,0", "--init", "cut/samples.h5"});
  const double second = run(rest, "own");
  hdf5::ImageWriter alone;  // the same rows without their seeds
  alone.dataset("x", read_samples(place.path("cut/samples.h5")).x.contiguous());
  place.write("rows.h5", alone.finish());
  Words others = rest;
  others.back() = "rows.h5";
  const double other = rms(
      samples(place, with({"--model", "one.toml", "--seeds", "10000-13999", "--batch", "4000"}, others), "other").x);
  CHECK(second == Approx(other).epsilon(0.05));
}

TEST_CASE("numbers: --dtype narrows the network, and no step loses its digits") {
  const Place place;
  const auto distance = [&](const std::string& solver, const std::string& dtype, const std::string& schedule) {
    const Words all = {"--model", "gm.toml",    "--seeds", "0-63",     "--steps",
                       "28",      "--schedule", schedule,  "--solver", solver};
    const auto folder = [&](const std::string& kind) { return fmt::format("{}-{}-{}", solver, kind, schedule); };
    const Samples wide = place.has(folder("float64"))
                             ? read_samples(place.path(folder("float64") + "/samples.h5"))
                             : samples(place, with(all, {"--dtype", "float64"}), folder("float64"));
    const Samples narrow = samples(place, with(all, {"--dtype", dtype}), folder(dtype));
    CHECK(narrow.x.scalar_type() == at::kFloat);
    CHECK(narrow.attributes.at("dtype") == (dtype == "bfloat16" ? "BFloat16" : dtype == "float16" ? "Half" : "Float"));
    return rms(narrow.x.to(at::kDouble) - wide.x);
  };
  for (const char* dtype : {"float32", "bfloat16", "float16"}) {
    CAPTURE(dtype);
    const double ddim = distance("ddim", dtype, "flow:shift=3");
    CHECK(ddim < 0.05);
    CHECK(distance("euler", dtype, "flow:shift=3") <= 4.0 * ddim);
    CHECK(distance("heun", dtype, "flow:shift=3") <= 10.0 * ddim);
  }
  CHECK(distance("euler", "float16", "flow:shift=12") < 0.05);  // σ begins at 49,000
}

TEST_CASE("numbers: an implicit step that finds no solution is a status") {
  const Place place;
  place.write("one.toml", kOne);
  const Words implicit = {"--model", "one.toml", "--steps", "5", "--schedule", "karras", "--seeds", "0-7"};
  for (const char* solver : {"implicit_euler", "implicit_trapezoid:iterations=6"}) {
    CAPTURE(solver);
    const Outcome got = place(with({"sample", "--solver", solver, "--outdir", solver}, implicit));
    CHECK(got.code == 4);
    CHECK_THAT(got.err, contains("8 (status 4) have a step whose equation was left unsolved"));
    CHECK(read_samples(place.path(std::string(solver) + "/samples.h5")).status.eq(4).all().item<bool>());
  }
  const Samples fine = samples(place,
                               {"--model", "one.toml", "--steps", "60", "--schedule", "exponential", "--seeds", "0-7",
                                "--solver", "implicit_euler"},
                               "fine");
  CHECK(fine.status.eq(0).all().item<bool>());
}

TEST_CASE("numbers: what an adaptive run gave up is a status, and levels that a network never saw a warning") {
  const Place place;
  const Outcome tight = place({"sample", "--model", "gm.toml", "--policy", "pi:atol=1e-12", "--solver", "heun",
                               "--dtype", "float32", "--seeds", "0-1", "--outdir", "tight"});
  CHECK(tight.code == 4);
  const Tensor status = read_samples(place.path("tight/samples.h5")).status;
  CHECK(status.eq(1).logical_or(status.eq(2)).all().item<bool>());
  for (const Words& grid : {Words{"--schedule", "flow:shift=3"},
                            Words{"--schedule", "trailing", "--noise-schedule", "scaled_linear:rescale_zero_snr=1"}}) {
    const Outcome got = place(with({"sample", "--model", "digits", "--steps", "2", "--seeds", "0", "--dry-run"}, grid));
    CHECK(got.code == 0);
    CHECK_THAT(got.err, contains("'digits' was trained up to 20 only"));
  }
}

TEST_CASE("numbers: --noise without draws says how many are needed") {
  const Place place;
  hdf5::ImageWriter image;
  image.dataset("eps", at::empty({0, 2, 2}, at::kFloat));
  place.write("none.h5", image.finish());
  const Outcome got = place({"sample", "--model", "gm.toml", "--solver", "euler_ancestral", "--steps", "5", "--seeds",
                             "0-1", "--noise", "none.h5", "--outdir", "r"});
  INFO(got.err);
  CHECK(got.code == 3);
  CHECK_THAT(got.err, contains("consumes 4 draws per sample, but /eps has 0"));
}

TEST_CASE("numbers: seeds, steps and evaluations to the end of 64 bits") {
  const Place place;
  const std::string last = "9223372036854775807", before = "9223372036854775806";
  const Words model = {"--model", "gm.toml", "--steps", "2"};
  const auto says = [&](const Words& words, int code, const std::string& text) {
    const Outcome got = place(words);
    INFO(fmt::format("stride {}\n{}{}", fmt::join(words, " "), got.out, got.err));
    CHECK(got.code == code);
    CHECK_THAT(got.out + got.err, contains(text));
  };
  for (const std::string& seeds : {last, before + "-" + last, "0," + last}) {
    const Samples got = samples(place, with(model, {"--seeds", seeds}), seeds);
    CHECK(got.seed[-1].item<int64_t>() == std::numeric_limits<int64_t>::max());
    says({"record", "--model", "gm.toml", "--steps", "2", "--seeds", seeds, "--outdir", "r" + seeds}, 0, "store");
  }
  says({"sample", "--model", "gm.toml", "--steps", "2", "--seeds", "9223372036854775808"}, 2, "--seeds");
  says({"merge", "both", "r" + last, "r0," + last}, 2, last);  // one seed is in both
  says({"verify", "r" + before + "-" + last}, 0, "ok");
  for (const char* command : {"sample", "record", "evaluate", "fit"}) {
    CAPTURE(command);
    // A million million, and all that there are: a plan needs their number alone.
    Words dry = {command, "--model", "gm.toml", "--dry-run"};
    if (dry.front() == "fit") dry.insert(dry.end(), {"--val-seeds", "0"});  // which is none of those
    says(with(dry, {"--seeds", "1-1000000000000"}), 0, "1000000000000");
    says(with(dry, {"--seeds", "1-" + last}), 0, last);
    says({command, "--model", "gm.toml", "--seeds", "0-999999999999"}, 2, "split it, 0-9999999 first");
  }
  says({"fit", "--model", "gm.toml", "--seeds", "0-3", "--val-seeds", last, "--dry-run"}, 0, "1 to choose by");
  says({"fit", "--model", "gm.toml", "--seeds", "0-3", "--val-seeds", "9-" + last, "--dry-run"}, 2,
       "--val-seeds 9-" + last);
  says({"sample", "--model", "gm.toml", "--steps", last, "--dry-run"}, 2, "--steps " + last);
  says({"sample", "--model", "gm.toml", "--nfe", last, "--dry-run"}, 2, "--nfe " + last);
  says({"sample", "--model", "gm.toml", "--hybrid", "ddim@" + last + ",heun@" + last, "--dry-run"}, 2, "too many");
  says({"evaluate", "--model", "gm.toml", "--nfe", "3-" + last, "--dry-run"}, 2, "--nfe 3-" + last);
  says({"evaluate", "--model", "gm.toml", "--steps", last, "--dry-run"}, 2, last);
  says({"evaluate", "--model", "gm.toml", "--blocks", last, "--dry-run"}, 2, "blocks");
  says({"record", "--model", "gm.toml", "--shard", before + "/" + last, "--dry-run"}, 0, "rank");
  says({"record", "--model", "gm.toml", "--shard", last + "/" + last, "--dry-run"}, 2, "--shard");
  says({"sample", "--model", "gm.toml", "--seeds", "0-3", "--batch", last, "--steps", "2", "--outdir", "batch"}, 0,
       "samples  4");
}

}  // namespace stride
