// stride record and merge at scale, through the real executable.
#include "datasets/store/store_index.h"
#include "datasets/store/trajectory_store.h"
#include "tests/apps/process.h"
#include "tests/catch_torch.h"
#include "tests/pipeline/mixture_card.h"
#include "tests/temporary_folder.h"

#include <sys/resource.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

using nlohmann::json;
using testing::Outcome;

class Place final {
 public:
  Place() { std::ofstream(folder_ / "gm.toml") << testing::kMixtureCard; }
  [[nodiscard]] Outcome operator()(const std::vector<std::string>& words) const {
    return testing::run_stride(folder_.path(), words);
  }
  [[nodiscard]] Outcome record(const std::string& seeds, const std::string& outdir,
                               std::vector<std::string> more = {}) const {
    std::vector<std::string> words = {"record", "--model",  "gm.toml", "--seeds",  seeds, "--steps",
                                      "6",      "--solver", "heun",    "--outdir", outdir};
    words.insert(words.end(), more.begin(), more.end());
    return (*this)(words);
  }
  [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }

 private:
  testing::TemporaryFolder folder_;
};

bool same_rows(const TrajectoryStore& a, const TrajectoryStore& b, const std::vector<int64_t>& seeds) {
  const TrajectoryBatch one = a.batch(a.rows_of(seeds)), two = b.batch(b.rows_of(seeds));
  return at::equal(one.x, two.x) && at::equal(one.denoised, two.denoised) && at::equal(one.nfe, two.nfe) &&
         at::equal(one.sigma, two.sigma) && at::equal(one.status, two.status);
}

/// Whether h5py finds true what `script` asserts. Where there is no Python with h5py nothing is checked, and that is
/// said.
bool h5py_agrees(const std::string& script) {
  const char* python = std::getenv("STRIDE_ORACLE_PYTHON");
  if (python == nullptr) {
    std::cerr << "skipped: h5py's view of a store needs STRIDE_ORACLE_PYTHON, which scripts/test sets\n";
    return true;
  }
  const std::string command = std::string(python) + " -c '" + script + "'";
  return std::system(command.c_str()) == 0;
}

}  // namespace

TEST_CASE("cli: recording goes on by configuration and seed, whatever the batch and the number of ranks") {
  const Place place;
  REQUIRE(place.record("0-39", "whole", {"--batch", "64"}).code == 0);
  const std::string store = place.path("shared");
  REQUIRE(place.record("0-19", "half", {"--batch", "7", "--shard-rows", "4", "--store", store}).code == 0);
  for (const std::string rank : {"0", "1"}) {
    const Outcome more =
        place.record("0-39", "rank" + rank, {"--batch", "3", "--shard", rank + "/2", "--store", store});
    INFO(more.err);
    REQUIRE(more.code == 0);
  }
  const StoreIndex index(store);
  CHECK(index.parts().size() == 3);
  CHECK(index.seeds().text() == "0-39");
  const TrajectoryStore whole(place.path("whole/store")), pieces(store);
  CHECK(pieces.size() == 40);
  CHECK(same_rows(whole, pieces, index.seeds().list()));

  CHECK(place.record("0-39", "again", {"--shard", "1/3", "--store", store}).code == 0);
  CHECK(StoreIndex(store).size() == 40);
  CHECK(place.record("0-39", "other", {"--store", store, "--save-at", "0,3,-1"}).code == 2);
  CHECK(place.record("0-9", "bad", {"--shard", "2/2"}).code == 2);
  CHECK(place.record("0-9", "bad", {"--shard", "2"}).code == 2);

  REQUIRE(place({"merge", "all", "shared"}).code == 0);
  CHECK(same_rows(whole, TrajectoryStore(place.path("all")), index.seeds().list()));
  CHECK(place({"merge", "all", "shared"}).code == 2);
  CHECK(place({"merge", "twice", "all", "whole"}).code == 2);
  CHECK(place({"merge", "none", "nowhere"}).code == 3);
  CHECK(place({"merge", "none"}).code == 2);
}

TEST_CASE("cli: --save-at keeps some points, the manifest and h5py say which") {
  const Place place;
  REQUIRE(place.record("0-4", "all").code == 0);
  REQUIRE(place.record("0-4", "some", {"--save-at", "0,3,-2"}).code == 0);
  const TrajectoryBatch all = TrajectoryStore(place.path("all/store")).all();
  const TrajectoryStore store(place.path("some/store"));
  const TrajectoryBatch some = store.all();
  CHECK(store.config().save_at == std::vector<int64_t>{0, 3, 5});
  CHECK(at::equal(some.x, all.x.index_select(1, at::tensor({0, 3, 5}, at::kLong))));
  CHECK(at::equal(some.denoised, all.denoised.index_select(1, at::tensor({0, 3}, at::kLong))));
  CHECK(at::equal(some.sigma, all.sigma.index_select(1, at::tensor({0, 3, 5}, at::kLong))));
  const json inspected = json::parse(place({"inspect", "some/store", "--json"}).out);
  CHECK(inspected.at("save_at") == json({0, 3, 5}));
  CHECK(place({"verify", "some"}).code == 0);
  CHECK(place.record("0-9", "some2", {"--save-at", "0,7"}).code == 2);
  CHECK(h5py_agrees("import h5py; s = h5py.File(\"" + place.path("some/store/shard-000000.h5") +
                    "\"); assert s[\"x\"].shape == (5, 3, 2) and s[\"denoised\"].shape == (5, 2, 2) and "
                    "s[\"sigma\"].shape == (3,) and s.attrs[\"save_at\"] == \"0,3,5\""));
}

TEST_CASE("cli: --features-only keeps no pixels, and the predictor trains from it as from the states") {
  const Place place;
  const auto record = [&](const std::string& outdir, const std::vector<std::string>& more) {
    std::vector<std::string> words = {"record",  "--model", "gm.toml",  "--seeds", "0-39",
                                      "--steps", "40",      "--outdir", outdir};
    words.insert(words.end(), more.begin(), more.end());
    return place(words).code;
  };
  REQUIRE(record("full", {}) == 0);
  REQUIRE(record("features", {"--features-only"}) == 0);
  CHECK(record("both", {"--features-only", "--store-dtype", "float16"}) == 2);
  const auto train = [&](const std::string& store) {
    const Outcome trained =
        place({"train-predictor", "--store", store, "--training-steps", "150", "--outdir", store + "-p", "--json"});
    INFO(trained.err);
    REQUIRE(trained.code == 0);
    return json::parse(trained.out);
  };
  const json full = train("full"), features = train("features");
  CHECK(full.at("examples") == features.at("examples"));
  CHECK(features.at("loss").get<double>() == Approx(full.at("loss").get<double>()).epsilon(0.02));
  CHECK(json::parse(place({"inspect", "features/store", "--json"}).out).at("content") == "features");
  CHECK(place({"verify", "features"}).code == 0);
  CHECK(h5py_agrees("import h5py; s = h5py.File(\"" + place.path("features/store/shard-000000.h5") +
                    "\"); assert s[\"gram\"].shape == (40, 81, 81) and s[\"pooled\"].shape == (40, 40, 7) and "
                    "s[\"start\"].shape == (40, 6) and \"x\" not in s"));
}

TEST_CASE("cli: train-predictor learns the steps of the solver that it is given, and no other runs under them") {
  const Place place;
  REQUIRE(place({"record", "--model", "gm.toml", "--seeds", "0-39", "--steps", "30", "--outdir", "teacher"}).code == 0);
  const auto train = [&](const std::string& solver, const std::string& out) {
    return place({"train-predictor", "--store", "teacher", "--solver", solver, "--training-steps", "50", "--tolerance",
                  "0.002, 0.5", "--out", out});
  };
  const auto sample = [&](const std::string& solver) {
    return place({"sample", "--model", "gm.toml", "--seeds", "0-3", "--solver", solver, "--policy",
                  "predictor:p.safetensors,tolerance=0.1"});
  };
  REQUIRE(train("deis:type=rhoab", "p.safetensors").code == 0);
  const json inspected = json::parse(place({"inspect", "p.safetensors", "--json"}).out);
  CHECK(json::parse(inspected.at("metadata").at("predictor").get<std::string>()).at("base") == "deis:type=rhoab");
  const Outcome runs = sample("DEIS:type=rhoab");
  INFO(runs.err);
  CHECK(runs.code == 0);
  for (const char* other : {"deis", "dpmpp_2m"}) {
    INFO(other);
    const Outcome refused = sample(other);
    CHECK(refused.code == 2);
    CHECK_THAT(refused.err, contains("--solver deis:type=rhoab"));
  }
  struct Wrong {
    const char *solver, *says;
  };
  for (const Wrong& wrong : {Wrong{"heun", "evaluations other than"}, Wrong{"ddpm", "draws noise"},
                             Wrong{"unipc:lower_order_final=1", "how many are left"}, Wrong{"dpmpp_2n", "dpmpp_2m"}}) {
    INFO(wrong.solver);
    const Outcome refused = train(wrong.solver, "never.safetensors");
    CHECK(refused.code == 2);
    CHECK_THAT(refused.err, contains(wrong.says));
  }
  CHECK_FALSE(std::filesystem::exists(place.path("never.safetensors")));
}

TEST_CASE("cli: a file size limit that the writer's thread meets ends the recording with exit code 5") {
  const Place place;
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit lower{64 << 10, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &lower);
  const Outcome outcome = place.record("0-1999", "out", {"--batch", "50"});
  setrlimit(RLIMIT_FSIZE, &before);
  CHECK(outcome.code == 5);
  CHECK_THAT(outcome.err, contains("file size limit"));
}

}  // namespace stride
