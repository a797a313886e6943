#include "datasets/store/trajectory_store.h"
#include "datasets/store/trajectory_writer.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "tests/catch_torch.h"
#include "tests/datasets/small_store.h"
#include "tests/temporary_folder.h"

using namespace stride;
using namespace stride::testing;

namespace {

bool holds(const TrajectoryStore& store, const std::vector<int64_t>& seeds) {
  return is_content_of(store.batch(store.rows_of(seeds)), seeds, store.config());
}

}  // namespace

TEST_CASE("store: what is recorded is read back, in any order") {
  const auto dtype = GENERATE(at::kFloat, at::kHalf);
  const TemporaryFolder folder;
  const TrajectoryConfig config = small_config(dtype);
  TrajectoryWriter writer(folder / "store", config, shards_of(4));
  CHECK(writer.append(trajectories_of({7, 3, 5}, config)).empty());
  CHECK(writer.append(trajectories_of({100, 101, 0, 9}, config)) == std::vector<int64_t>{7, 3, 5, 100});
  CHECK(writer.size() == 4);
  CHECK(writer.contains(9));
  CHECK(writer.missing({7, 8, 9, 10}) == std::vector<int64_t>{8, 10});
  CHECK(writer.append(trajectories_of(seeds_from(20, 9), config)) ==
        std::vector<int64_t>{101, 0, 9, 20, 21, 22, 23, 24, 25, 26, 27, 28});
  CHECK(writer.seal().empty());

  const TrajectoryStore store(folder / "store");
  CHECK(store.size() == 16);
  CHECK(store.config().difference(config).empty());
  CHECK(store.seeds() == std::vector<int64_t>{7, 3, 5, 100, 101, 0, 9, 20, 21, 22, 23, 24, 25, 26, 27, 28});
  CHECK(holds(store, store.seeds()));
  CHECK(is_content_of(store.all(), store.seeds(), config));
  CHECK(holds(store, {28, 3, 3, 101}));
  CHECK(store.batch({}).size() == 0);
  CHECK(store.batch({0}, dtype).x.scalar_type() == dtype);
  CHECK(store.ok_rows().size() == 5);  // the seeds that 4 divides: trajectories_of gives them status 0
  CHECK_THROWS_AS(store.batch({16}), UsageError);
  CHECK_THROWS_AS(store.batch({-1}), UsageError);
  CHECK_THROWS_WITH(store.rows_of({4}), contains("no trajectory of seed 4"));
}

TEST_CASE("store: equal content is equal bytes") {
  const TemporaryFolder folder;
  const TrajectoryConfig config = small_config();
  record(folder / "a", seeds_from(0, 10), config);
  record(folder / "b", seeds_from(0, 10), config);
  for (const char* file : {"manifest.json", "shard-000000.h5", "shard-000002.h5"}) {
    CHECK(sha256_file(folder / "a/" + file) == sha256_file(folder / "b/" + file));
  }
}

TEST_CASE("store: shards are sealed by bytes too") {
  const TemporaryFolder folder;
  const TrajectoryConfig config = small_config();
  TrajectoryWriter writer(folder / "store", config,
                          {.shard_bytes = 3 * config.row_bytes(), .shard_rows = 1000, .run_id = ""});
  CHECK(writer.append(trajectories_of(seeds_from(0, 7), config)).size() == 6);
  TrajectoryWriter tiny(folder / "tiny", config, {.shard_bytes = 1, .shard_rows = 1000, .run_id = ""});
  CHECK(tiny.append(trajectories_of(seeds_from(0, 2), config)).size() == 2);
}

TEST_CASE("store: recording goes on where it stopped") {
  const TemporaryFolder folder;
  const TrajectoryConfig config = small_config();
  record(folder / "store", {0, 1, 2, 3, 4}, config);
  TrajectoryWriter writer(folder / "store", config, shards_of(4));
  CHECK(writer.missing(seeds_from(0, 8)) == std::vector<int64_t>{5, 6, 7});
  CHECK(writer.removed().empty());
  CHECK_THROWS_WITH(writer.append(trajectories_of({4}, config)), contains("seed 4"));
  CHECK_THROWS_WITH(writer.append(trajectories_of({6, 6}, config)), contains("seed 6"));
  CHECK(writer.append(trajectories_of({5, 6, 7}, config)).empty());
  CHECK(writer.seal() == std::vector<int64_t>{5, 6, 7});
  const TrajectoryStore store(folder / "store");
  CHECK(holds(store, seeds_from(0, 8)));
}

TEST_CASE("store: rows without seal are not there") {
  const TemporaryFolder folder;
  const TrajectoryConfig config = small_config();
  {
    TrajectoryWriter writer(folder / "store", config, shards_of(4));
    (void)writer.append(trajectories_of(seeds_from(0, 6), config));
  }
  CHECK(TrajectoryStore(folder / "store").size() == 4);
}

TEST_CASE("store: each trajectory may have sigmas of its own") {
  const TemporaryFolder folder;
  TrajectoryConfig config = small_config();
  config.sigmas.clear();
  record(folder / "store", seeds_from(0, 6), config);
  const TrajectoryStore store(folder / "store");
  CHECK(holds(store, {5, 0, 3}));
  TrajectoryBatch without = trajectories_of({9}, config);
  without.sigma = Tensor();
  TrajectoryWriter writer(folder / "store", config, shards_of(4));
  CHECK_THROWS_WITH(writer.append(without), contains("no sigma"));
}

TEST_CASE("store: another kind of trajectories is refused by the field's name") {
  const TemporaryFolder folder;
  record(folder / "store", {0}, small_config());
  struct Row {
    const char* field;
    void (*change)(TrajectoryConfig&);
  };
  const std::vector<Row> rows{
      {"model_sha256", [](TrajectoryConfig& c) { c.model_sha256 = "f"; }},
      {"solver", [](TrajectoryConfig& c) { c.solver = "euler"; }},
      {"schedule", [](TrajectoryConfig& c) { c.schedule = "logsnr"; }},
      {"final", [](TrajectoryConfig& c) { c.final = "sigma_min"; }},
      {"dtype", [](TrajectoryConfig& c) { c.dtype = at::kHalf; }},
      {"sample_shape",
       [](TrajectoryConfig& c) {
         c.sample_shape = {3, 2};
       }},
      {"steps",
       [](TrajectoryConfig& c) {
         c.steps = 2;
         c.sigmas = {80, 5, 0};
       }},
      {"sigmas (level 1: 5 against 5.5)", [](TrajectoryConfig& c) { c.sigmas[1] = 5.5; }},
      {"sigmas (4 against 0 levels)", [](TrajectoryConfig& c) { c.sigmas.clear(); }},
      {"setting \"policy\" (\"fixed\" against \"pi\")", [](TrajectoryConfig& c) { c.settings["policy"] = "pi"; }},
      {"setting \"class\" (nothing against \"3\")", [](TrajectoryConfig& c) { c.settings["class"] = "3"; }},
  };
  for (const Row& row : rows) {
    TrajectoryConfig other = small_config();
    row.change(other);
    CHECK_THROWS_AS(TrajectoryWriter(folder / "store", other), UsageError);
    CHECK_THROWS_WITH(TrajectoryWriter(folder / "store", other), contains(row.field));
  }
}

TEST_CASE("store: configs and batches that make no sense are refused") {
  const TemporaryFolder folder;
  const auto refused = [&](void (*change)(TrajectoryConfig&)) {
    TrajectoryConfig config = small_config();
    change(config);
    CHECK_THROWS_AS(TrajectoryWriter(folder / "bad", config), UsageError);
  };
  refused([](TrajectoryConfig& c) { c.solver = ""; });
  refused([](TrajectoryConfig& c) { c.steps = 0; });
  refused([](TrajectoryConfig& c) { c.final = "one"; });
  refused([](TrajectoryConfig& c) { c.dtype = at::kBFloat16; });
  refused([](TrajectoryConfig& c) { c.sample_shape = {2, 0}; });
  refused([](TrajectoryConfig& c) { c.sigmas.pop_back(); });
  refused([](TrajectoryConfig& c) { c.sigmas[0] = std::numeric_limits<double>::infinity(); });
  CHECK_FALSE(file_exists(folder / "bad"));

  const TrajectoryConfig config = small_config(at::kHalf);
  TrajectoryWriter writer(folder / "store", config, shards_of(4));
  const auto rejects = [&](void (*change)(TrajectoryBatch&), const char* says) {
    TrajectoryBatch batch = trajectories_of({1, 2}, config);
    change(batch);
    CHECK_THROWS_AS(writer.append(batch), UsageError);
    CHECK_THROWS_WITH(writer.append(batch), contains(says));
  };
  rejects([](TrajectoryBatch& b) { b.x = b.x.narrow(1, 0, 3); }, "x is [2, 3, 2, 3], this store takes [2, 4, 2, 3]");
  rejects([](TrajectoryBatch& b) { b.denoised = Tensor(); }, "no denoised");
  rejects([](TrajectoryBatch& b) { b.seed = Tensor(); }, "seeds");
  rejects([](TrajectoryBatch& b) { b.seed = -b.seed; }, "negative");
  rejects([](TrajectoryBatch& b) { b.nfe = b.nfe.to(at::kFloat); }, "whole numbers");
  rejects([](TrajectoryBatch& b) { b.x = b.x.to(at::kLong); }, "floating point");
  rejects([](TrajectoryBatch& b) { b.x = b.x + 1e5; }, "store float32");
  rejects([](TrajectoryBatch& b) { b.sigma = at::ones({2, 4}, at::kDouble); }, "not the store's");
  CHECK(writer.append(trajectories_of(seeds_from(0, 4), config)).size() == 4);  // nothing of those stayed behind
  TrajectoryBatch failed = trajectories_of({8}, config);
  failed.x.fill_(std::numeric_limits<float>::quiet_NaN());  // a sample that failed is data
  CHECK_NOTHROW(writer.append(failed));
}

TEST_CASE("store: one writer at a time") {
  const TemporaryFolder folder;
  const TrajectoryConfig config = small_config();
  const TrajectoryWriter writer(folder / "store", config, {.run_id = "first"});
  CHECK_THROWS_AS(TrajectoryWriter(folder / "store", config), LockedError);
  CHECK_THROWS_WITH(TrajectoryWriter(folder / "store", config), contains("first"));
  CHECK(TrajectoryStore(folder / "store").size() == 0);  // readers need no lock
}

TEST_CASE("store: what a killed writer left is cleared, and nothing else") {
  const TemporaryFolder folder;
  const TrajectoryConfig config = small_config();
  record(folder / "store", seeds_from(0, 8), config);
  write_file_atomic(folder / "store/.stride-tmp-1-abc", "half a shard");
  write_file_atomic(folder / "store/notes.txt", "mine");
  {
    const StoreReport report = verify_store(folder / "store");
    CHECK(report.ok());
    CHECK(report.notes.size() == 1);
    const TrajectoryWriter writer(folder / "store", config);
    CHECK(writer.removed() == std::vector<std::string>{".stride-tmp-1-abc"});
    CHECK(writer.adopted().empty());
  }
  CHECK(list_folder(folder / "store") ==
        std::vector<std::string>{".lock", "manifest.json", "notes.txt", "shard-000000.h5", "shard-000001.h5"});
  CHECK(holds(TrajectoryStore(folder / "store"), seeds_from(0, 8)));
  remove_file(folder / "store/manifest.json");
  CHECK_THROWS_AS(TrajectoryWriter(folder / "store", config), InputError);
  CHECK(file_exists(folder / "store/shard-000001.h5"));
}

TEST_CASE("store: a shard that is sealed and whole is listed and never removed") {
  const TemporaryFolder folder;
  const TrajectoryConfig config = small_config();
  const std::string store = folder / "store", manifest = store + "/manifest.json";
  record(store, seeds_from(0, 8), config);
  const std::string old = read_file(manifest);
  record(store, seeds_from(8, 12), config);
  const std::string whole = read_file(manifest);
  const std::vector<std::string> names = list_folder(store);
  const auto hashes = [&] {
    std::vector<std::string> out;
    for (int i = 0; i < 5; ++i) out.push_back(read_file(store + "/" + shard_name(i)));
    return out;
  };
  const std::vector<std::string> before = hashes();

  // A manifest from a copy: everything behind it is listed again, bit for bit as it was.
  write_file_atomic(manifest, old);
  CHECK(verify_store(store).notes.size() == 3);
  {
    const TrajectoryWriter writer(store, config);
    CHECK(writer.adopted() == std::vector<std::string>{"shard-000002.h5", "shard-000003.h5", "shard-000004.h5"});
    CHECK(writer.size() == 20);
  }
  CHECK(read_file(manifest) == whole);
  CHECK(holds(TrajectoryStore(store), seeds_from(0, 20)));

  // What cannot be listed is refused, all of it before anything is changed.
  const auto refused = [&](const std::string& name, const std::string& bytes, const std::string& why) {
    INFO(name << ": " << why);
    write_file_atomic(manifest, old);
    write_file_atomic(store + "/.stride-tmp-1-abc", "half a shard");
    write_file_atomic(store + "/" + name, bytes);
    CHECK_THROWS_WITH(TrajectoryWriter(store, config), contains(name) && contains(why));
    CHECK(read_file(manifest) == old);
    CHECK(hashes()[2] == before[2]);
    CHECK(file_exists(store + "/.stride-tmp-1-abc"));
  };
  refused("shard-000007.h5", "somebody's", "does not end in Stride's checksum");
  refused("shard-000007.h5", before[3], "is in another shard");
  TrajectoryConfig other = config;
  other.settings["class"] = "3";
  record(folder / "other", {90, 91}, other);
  refused("shard-000007.h5", read_file(folder / "other/shard-000000.h5"), "of another kind");
  std::string flipped = before[4];
  flipped[flipped.size() / 2] ^= 1;
  refused("shard-000007.h5", flipped, "damaged");
  remove_file(store + "/shard-000007.h5");
  CHECK(TrajectoryWriter(store, config).adopted().size() == 3);
  CHECK(list_folder(store) == names);
}

TEST_CASE("store: a part whose manifest is gone is an error for every reader") {
  const TemporaryFolder folder;
  const TrajectoryConfig config = small_config();
  const std::string store = folder / "store";
  record(store + "/rank-0", seeds_from(0, 4), config);
  record(store + "/rank-1", seeds_from(4, 4), config);
  CHECK(TrajectoryStore(store).size() == 8);
  remove_file(store + "/rank-1/manifest.json");
  for (const std::string& part : {store, store + "/rank-1"}) {
    CHECK(is_trajectory_store(part));
    CHECK_THROWS_WITH(TrajectoryStore(part), contains("rank-1 has shards but no manifest.json"));
    CHECK_THROWS_AS(verify_store(part), InputError);
    CHECK_THROWS_AS(merge_stores({part}, folder / "all"), InputError);
  }
  // Damage to the one word that makes it a manifest does not make it something else.
  std::string manifest = read_file(store + "/rank-0/manifest.json");
  manifest.replace(manifest.find("stride-t"), 8, "stride-q");
  write_file_atomic(store + "/rank-0/manifest.json", manifest);
  CHECK(is_trajectory_store(store + "/rank-0"));
  CHECK_THROWS_AS(verify_store(store + "/rank-0"), InputError);
}

TEST_CASE("store: merging joins stores of one kind") {
  const TemporaryFolder folder;
  const TrajectoryConfig config = small_config();
  record(folder / "a", seeds_from(0, 6), config);
  record(folder / "b", seeds_from(10, 5), config);
  record(folder / "c", {3}, config);
  CHECK(merge_stores({folder / "a", folder / "b"}, folder / "all") == 11);
  CHECK_THROWS_WITH(merge_stores({folder / "a", folder / "b"}, folder / "all"), contains("is there already"));
  const TrajectoryStore store(folder / "all");
  CHECK(store.size() == 11);
  CHECK(holds(store, {14, 0, 5, 10}));
  CHECK(verify_store(folder / "all").ok());
  CHECK_THROWS_WITH(merge_stores({folder / "all", folder / "c"}, folder / "more"), contains("seed 3"));
  TrajectoryConfig other = config;
  other.solver = "euler";
  record(folder / "d", {50}, other);
  CHECK_THROWS_WITH(merge_stores({folder / "a", folder / "d"}, folder / "more"), contains("differ in solver"));
  CHECK_THROWS_AS(merge_stores({}, folder / "more"), UsageError);
  CHECK_THROWS_AS(merge_stores({folder / "none"}, folder / "more"), InputError);
  CHECK_FALSE(file_exists(folder / "more"));
  CHECK_FALSE(file_exists(folder / "more.merging"));
  CHECK(TrajectoryStore(folder / "all").size() == 11);
}

TEST_CASE("store: verify names what is damaged or missing") {
  const TemporaryFolder folder;
  record(folder / "store", seeds_from(0, 12), small_config());
  CHECK(is_trajectory_store(folder / "store"));
  CHECK_FALSE(is_trajectory_store(folder.path()));
  StoreReport report = verify_store(folder / "store");
  CHECK(report.ok());
  CHECK((report.shards == 3 && report.trajectories == 12));
  std::string bytes = read_file(folder / "store/shard-000001.h5");
  bytes.back() = static_cast<char>(~bytes.back());
  write_file_atomic(folder / "store/shard-000001.h5", bytes);
  remove_file(folder / "store/shard-000002.h5");
  report = verify_store(folder / "store");
  REQUIRE(report.problems.size() == 2);
  CHECK_THAT(report.problems[0], contains("shard-000001.h5 is damaged"));
  CHECK_THAT(report.problems[1], contains("shard-000002.h5"));
  CHECK((report.shards == 1 && report.trajectories == 4));
  CHECK_THROWS_AS(verify_store(folder.path()), InputError);
  CHECK_THROWS_WITH(TrajectoryStore(folder / "store"), contains("shard-000001.h5 is damaged"));
}
