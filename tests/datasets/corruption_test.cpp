// Damaged files end in InputError: never a crash, never wrong data.
#include "datasets/files/samples_file.h"
#include "datasets/store/trajectory_store.h"
#include "datasets/store/trajectory_writer.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "tests/catch_torch.h"
#include "tests/mutation.h"
#include "tests/temporary_folder.h"
#include "tests/trajectory_content.h"

using namespace stride;
using namespace stride::testing;

namespace {

struct Outcome {
  unsigned refused = 0;
  unsigned harmless = 0;  ///< read, and all of it right
  unsigned wrong = 0;     ///< read, and not right
  unsigned same = 0;      ///< the mutation changed nothing
};

/// Damages the file `count` times; `right` opens whatever uses it and says whether all is right.
template <typename Right>
Outcome damage(const std::string& path, unsigned count, const Right& right) {
  const std::string good = read_file(path);
  Outcome outcome;
  for (unsigned seed = 0; seed < count; ++seed) {
    const std::string bad = mutate(good, seed);
    if (bad == good) {
      ++outcome.same;
      continue;
    }
    INFO("mutation " << seed << " of " << path);
    write_file_atomic(path, bad);
    try {
      ++(right() ? outcome.harmless : outcome.wrong);
    } catch (const InputError&) {
      ++outcome.refused;
    }
  }
  write_file_atomic(path, good);
  return outcome;
}

void damage_stores(unsigned count) {
  const TemporaryFolder folder;
  const std::string path = folder / "store";
  const TrajectoryConfig config = small_config();
  {
    TrajectoryWriter writer(path, config, {.shard_bytes = 1 << 20, .shard_rows = 4, .run_id = ""});
    (void)writer.append(trajectories_of(seeds_from(0, 8), config));
  }
  const auto right = [&] {
    const TrajectoryStore store(path);
    return store.size() == 8 && store.config().difference(config).empty() &&
           is_content_of(store.all(), store.seeds(), config);
  };
  REQUIRE(right());
  const Outcome shard = damage(path + "/shard-000001.h5", count, right);
  CHECK(shard.wrong == 0);
  CHECK(shard.harmless == 0);
  CHECK(shard.refused + shard.same == count);
  CHECK(shard.same < count / 4);
  const Outcome manifest = damage(path + "/manifest.json", count, right);
  CHECK(manifest.wrong == 0);
  CHECK(manifest.harmless < count / 5);  // spaces between tokens mean nothing
  CHECK(manifest.refused > count / 2);
  CHECK(right());
}

Samples some_samples() {
  Samples samples;
  samples.x = values_of(seeds_from(0, 5), {3, 4, 4}, 0);
  samples.seed = torch::arange(5);
  samples.nfe = torch::full({5}, 18, torch::kLong);
  samples.model_evals = torch::full({5}, 36, torch::kInt);
  samples.status = torch::zeros({5}, torch::kChar);
  samples.sigmas = torch::tensor({80.0, 1.0, 0.0}, torch::kDouble);
  samples.attributes = {{"solver", "heun"}, {"schedule", "karras:rho=7"}, {"model_sha256", "abc"}};
  return samples;
}

void damage_samples(unsigned count) {
  const TemporaryFolder folder;
  const std::string path = folder / "samples.h5";
  const Samples good = some_samples();
  write_samples(path, good);
  const auto right = [&] {
    const Samples found = read_samples(path);
    return torch::equal(found.x, good.x) && torch::equal(found.seed, good.seed) && found.attributes == good.attributes;
  };
  REQUIRE(right());
  const Outcome outcome = damage(path, count, right);
  CHECK(outcome.wrong == 0);
  CHECK(outcome.harmless == 0);
  CHECK(outcome.refused + outcome.same == count);
  CHECK(outcome.same < count / 4);
}

/// HDF5 without a checksum: damage to the values cannot be seen, but nothing crashes.
void damage_foreign(unsigned count) {
  const TemporaryFolder folder;
  const std::string path = folder / "foreign.h5";
  write_file_atomic(path, read_file(STRIDE_SOURCE_DIR "/tests/datasets/data/h5py.h5"));
  const Outcome outcome = damage(path, count, [&] {
    const Tensor eps = read_dataset(path, "eps");
    return eps.numel() < 8'000'000;  // what the file can hold at most, packed
  });
  CHECK(outcome.wrong == 0);
  CHECK(outcome.refused > count / 10);
}

}  // namespace

TEST_CASE("corruption: damaged shards and manifests are errors") { damage_stores(300); }
TEST_CASE("corruption: 5000 damaged shards and manifests are errors", "[slow]") { damage_stores(5000); }
TEST_CASE("corruption: damaged samples are errors") { damage_samples(300); }
TEST_CASE("corruption: 5000 damaged samples are errors", "[slow]") { damage_samples(5000); }
TEST_CASE("corruption: damaged HDF5 files from elsewhere do not crash") { damage_foreign(200); }
TEST_CASE("corruption: 5000 damaged HDF5 files from elsewhere do not crash", "[slow]") { damage_foreign(5000); }
