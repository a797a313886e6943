// Stores of many trajectories and of several writers: the index, the queue, joining, loading at random.
#include "datasets/files/hdf5.h"
#include "datasets/store/async_writer.h"
#include "datasets/store/store_index.h"
#include "datasets/store/trajectory_batches.h"
#include "datasets/store/trajectory_store.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "tests/catch_torch.h"
#include "tests/datasets/small_store.h"
#include "tests/fault_file_system.h"
#include "tests/temporary_folder.h"

#include <sys/stat.h>

#include <set>

using namespace stride;
using namespace stride::testing;

namespace {

TrajectoryConfig features_config() {
  TrajectoryConfig config = small_config();
  config.features = true;
  config.dtype = at::kDouble;
  return config;
}

TrajectoryBatch features_of(const std::vector<int64_t>& seeds, const TrajectoryConfig& config) {
  TrajectoryBatch batch = trajectories_of(seeds, config);
  batch.x = batch.denoised = Tensor();
  const int64_t vectors = config.points() + config.steps;
  batch.gram = values_of(seeds, {vectors, vectors}, 0).to(at::kDouble);
  batch.pooled = values_of(seeds, {config.steps, kPooledStatistics}, 1).to(at::kDouble);
  batch.start = values_of(seeds, {kStartStatistics}, 1).to(at::kDouble);
  return batch;
}

bool holds(const TrajectoryStore& store, const std::vector<int64_t>& seeds) {
  return is_content_of(store.batch(store.rows_of(seeds)), seeds, store.config());
}

}  // namespace

TEST_CASE("seed ranges: they are a set, whatever the order") {
  SeedRanges seeds({5, 1, 2, 9, 2});
  CHECK(seeds.size() == 4);
  CHECK(seeds.text() == "1-2,5,9");
  CHECK_FALSE(seeds.insert({3, 5}));
  CHECK(seeds.size() == 4);
  CHECK(seeds.insert({3, 4}));
  CHECK(seeds.text() == "1-5,9");
  CHECK(seeds.insert({10, 12}));
  CHECK(seeds.insert({0, 0}));
  CHECK(seeds.text() == "0-5,9-12");
  CHECK(seeds.list() == std::vector<int64_t>{0, 1, 2, 3, 4, 5, 9, 10, 11, 12});
  CHECK((seeds.contains(0) && seeds.contains(12) && !seeds.contains(6) && !seeds.contains(13)));
  CHECK(seeds.common(SeedRanges({7, 11, 20})) == 11);
  CHECK_FALSE(seeds.common(SeedRanges({7, 20})));
  seeds.merge(SeedRanges({4, 5, 6, 7, 8}));
  CHECK(seeds.text() == "0-12");
  CHECK(seeds.size() == 13);
}

TEST_CASE("seed ranges: the largest integer is a seed like any other") {
  SeedRanges seeds({INT64_MAX, INT64_MAX - 1, 0});
  CHECK(seeds.text() == "0,9223372036854775806-9223372036854775807");
  CHECK(seeds.list() == std::vector<int64_t>{0, INT64_MAX - 1, INT64_MAX});
  seeds.merge(SeedRanges({INT64_MAX, INT64_MAX - 1, INT64_MAX - 2}));
  CHECK(seeds.text() == "0,9223372036854775805-9223372036854775807");
  CHECK(seeds.size() == 4);
  CHECK(ranges_text(ranges_of({7, 3, 4, INT64_MAX, 0})) == "7,3-4,9223372036854775807,0");
}

// How long it takes is bench/store_bench.cpp's to say.
TEST_CASE("store index: a million trajectories keep their seeds as ranges") {
  const TemporaryFolder folder;
  const auto rows = GENERATE(int64_t{100}, int64_t{10000});
  StoreManifest manifest{small_config(), {}};
  for (int64_t first = 0; first < 1'000'000; first += rows) {
    SeedRanges seeds;
    REQUIRE(seeds.insert({first, first + rows - 1}));
    manifest.shards.push_back({shard_name(first / rows), rows, 1000, std::string(32, 'a'), std::move(seeds)});
  }
  manifest.save(folder.path());
  const StoreIndex index(folder.path());
  CHECK(index.size() == 1'000'000);
  CHECK(index.seeds().text() == "0-999999");
  CHECK(index.shard_of(rows) == 1);
  CHECK(index.shard_of(999'999) == index.shards().size() - 1);
}

TEST_CASE("store index: manifests of full stores are what they were, byte for byte") {
  StoreManifest manifest{small_config(), {{"shard-000000.h5", 3, 10, std::string(32, 'a'), SeedRanges({1, 2, 7})}}};
  const std::string text = manifest.to_json();
  CHECK_THAT(text, contains("\"version\": 1"));
  CHECK_FALSE(text.find("save_at") != std::string::npos);
  CHECK(StoreManifest::from_json(text, "m").shards[0].seeds.list() == std::vector<int64_t>{1, 2, 7});
  manifest.config.save_at = {0, 2, 5, 9};
  CHECK_THAT(manifest.to_json(), contains("\"version\": 2"));
  CHECK(StoreManifest::from_json(manifest.to_json(), "m").config.save_at == std::vector<int64_t>{0, 2, 5, 9});
}

TEST_CASE("hdf5: images that are open at the same time are different files") {
  const auto image = [](double value) {
    hdf5::ImageWriter writer;
    writer.dataset("v", at::full({3}, value, at::kDouble));
    return writer.finish();
  };
  const std::string one = image(1.0), two = image(2.0);
  const hdf5::ImageReader first(one, "one"), second(two, "two");
  hdf5::ImageWriter third;
  third.dataset("v", at::full({3}, 3.0, at::kDouble));
  CHECK(first.read("v").eq(1.0).all().item<bool>());
  CHECK(second.read("v").eq(2.0).all().item<bool>());
  const std::string bytes = third.finish();
  CHECK(hdf5::ImageReader(bytes, "three").read("v").eq(3.0).all().item<bool>());
}

TEST_CASE("store ranks: several writers fill one store without a lock between them, and readers see it whole") {
  const TemporaryFolder folder;
  const TrajectoryConfig config = small_config();
  const std::string store = folder / "store";
  record(store, seeds_from(0, 5), config);
  TrajectoryWriter first(store + "/" + rank_folder(0), config, shards_of(3));
  TrajectoryWriter second(store + "/" + rank_folder(1), config, shards_of(3));
  (void)first.append(trajectories_of({10, 12, 14}, config));
  (void)second.append(trajectories_of({11, 13, 15}, config));
  write_file_atomic(store + "/rank-1/.stride-tmp-1-abc", "a writer at work");
  (void)first.append(trajectories_of({16}, config));
  (void)first.seal();
  CHECK(file_exists(store + "/rank-1/.stride-tmp-1-abc"));
  CHECK(is_trajectory_store(store));
  CHECK(store_parts(store).size() == 3);
  const TrajectoryStore all(store);
  CHECK(all.size() == 12);
  CHECK(holds(all, {16, 0, 13, 4, 10}));
  CHECK(verify_store(store).trajectories == 12);
  CHECK(verify_store(store).notes.size() == 1);

  CHECK(merge_stores({store}, folder / "flat") == 12);
  CHECK(store_parts(folder / "flat").size() == 1);
  CHECK(holds(TrajectoryStore(folder / "flat"), all.seeds()));

  record(store + "/rank-2", {13}, config);
  CHECK_THROWS_WITH(StoreIndex(store), contains("seed 13 twice"));
  TrajectoryConfig other = config;
  other.solver = "euler";
  record(store + "/rank-3", {99}, other);
  std::filesystem::remove_all(store + "/rank-2");
  CHECK_THROWS_WITH(StoreIndex(store), contains("differ in solver"));
}

TEST_CASE("store merge: it links shards, verifies them, and clears what a killed merge left") {
  const TemporaryFolder folder;
  const TrajectoryConfig config = small_config();
  record(folder / "a", seeds_from(0, 6), config);
  record(folder / "b", seeds_from(10, 5), config);
  make_folders(folder / "all.merging");
  write_file_atomic(folder / "all.merging/shard-000007.h5", "half");
  CHECK(merge_stores({folder / "a", folder / "b"}, (folder / "all") + "/") == 11);
  CHECK_FALSE(file_exists(folder / "all.merging"));
  CHECK(list_folder(folder / "all") == std::vector<std::string>{".lock", "manifest.json", "shard-000000.h5",
                                                                "shard-000001.h5", "shard-000002.h5",
                                                                "shard-000003.h5"});
  struct stat about {};
  REQUIRE(::stat((folder / "all/shard-000002.h5").c_str(), &about) == 0);
  CHECK(about.st_nlink == 2);
  { const TrajectoryWriter goes_on(folder / "all", config); }
  std::string bytes = read_file(folder / "b/shard-000001.h5");
  bytes.back() = static_cast<char>(~bytes.back());
  write_file_atomic(folder / "b/shard-000001.h5", bytes);  // replaced, so the merged store keeps the good one
  CHECK(verify_store(folder / "all").ok());
  CHECK_THROWS_WITH(merge_stores({folder / "a", folder / "b"}, folder / "again"), contains("is damaged"));
  CHECK_FALSE(file_exists(folder / "again"));
}

TEST_CASE("store merge: stores of several classes are one kind, and the new store names them") {
  const TemporaryFolder folder;
  const auto of_class = [&](const std::string& name, int64_t first, const std::string& label) {
    TrajectoryConfig config = small_config();
    if (!label.empty()) config.settings["class"] = label;
    record(folder / name, seeds_from(first, 4), config);
  };
  of_class("a", 0, "3");
  of_class("b", 10, "1");
  of_class("c", 20, "");
  of_class("d", 30, "3");
  CHECK(merge_stores({folder / "a", folder / "d"}, folder / "threes") == 8);
  CHECK(StoreIndex(folder / "threes").config().settings.at("class") == "3");
  CHECK(merge_stores({folder / "threes", folder / "b", folder / "c"}, folder / "all") == 16);
  const TrajectoryStore all(folder / "all");
  CHECK(all.config().settings.at("class") == "3,1,none");
  CHECK(verify_store(folder / "all").ok());
  CHECK(holds(all, {0, 13, 20, 33}));
  record(folder / "e", seeds_from(40, 4), small_config());
  CHECK(merge_stores({folder / "c", folder / "e"}, folder / "none") == 8);
  CHECK_FALSE(StoreIndex(folder / "none").config().settings.contains("class"));
}

TEST_CASE("store merge: each trajectory keeps its class") {
  const TemporaryFolder folder;
  const auto of_classes = [&](const std::string& name, int64_t first, const std::string& text, const Tensor& labels) {
    TrajectoryConfig config = small_config();
    if (!text.empty()) config.settings["class"] = text;
    TrajectoryBatch batch = trajectories_of(seeds_from(first, 4), config);
    batch.label = labels;
    TrajectoryWriter writer(folder / name, config);
    writer.append(batch);
    writer.seal();
  };
  of_classes("a", 0, "0-2", at::tensor({0, 1, 2, 0}));
  of_classes("b", 10, "", at::full({4}, kNoLabel));
  of_classes("c", 20, "7", {});    // of an earlier version, which says it in the manifest alone
  of_classes("d", 30, "0-3", {});  // the same, of several classes
  CHECK(merge_stores({folder / "a", folder / "b"}, folder / "ab") == 8);
  const TrajectoryStore some(folder / "ab");
  CHECK(some.config().settings.at("class") == "0-2,none");
  CHECK(some.batch(some.rows_of({12, 2, 1, 3})).label.equal(at::tensor({-1, 2, 1, 0}, at::kLong)));
  CHECK(TrajectoryStore(folder / "c").labels({3, 0}).equal(at::tensor({7, 7}, at::kLong)));
  CHECK(TrajectoryStore(folder / "d").labels({0}).item<int64_t>() == kUnknownLabel);
  CHECK(merge_stores({folder / "ab", folder / "c"}, folder / "all") == 12);
  const TrajectoryStore all(folder / "all");
  CHECK(all.labels(all.rows_of({20, 1})).equal(at::tensor({kUnknownLabel, int64_t{1}}, at::kLong)));
  CHECK(verify_store(folder / "all").ok());
  record(folder / "plain", seeds_from(40, 4), small_config());
  CHECK_FALSE(TrajectoryStore(folder / "plain").labels({0}).defined());
}

TEST_CASE("store merge: whichever operation fails, the new store is there whole or not at all") {
  const TemporaryFolder folder;
  const TrajectoryConfig config = small_config();
  record(folder / "a", seeds_from(0, 6), config);
  record(folder / "b", seeds_from(10, 5), config);
  FaultFileSystem counted(0, Fault::none);
  REQUIRE(merge_stores({folder / "a", folder / "b"}, folder / "count", counted) == 11);
  for (int nth = 1; nth <= counted.count(); ++nth) {
    INFO("operation " << nth << ", " << counted.log()[static_cast<std::size_t>(nth) - 1]);
    const std::string out = folder / std::to_string(nth);
    FaultFileSystem files(nth, Fault::io_error);
    try {
      (void)merge_stores({folder / "a", folder / "b"}, out, files);
    } catch (const Error&) {
    }
    if (file_exists(out)) {
      CHECK(verify_store(out).trajectories == 11);
    } else {
      CHECK(merge_stores({folder / "a", folder / "b"}, out) == 11);
    }
  }
}

TEST_CASE("async writer: what is pushed is written in order, and acknowledged when it is durable") {
  const TemporaryFolder folder;
  const TrajectoryConfig config = small_config(at::kHalf);
  TrajectoryWriter writer(folder / "store", config, shards_of(4));
  AsyncTrajectoryWriter queue(writer, 1);
  std::vector<int64_t> durable;
  int64_t total = 0;
  const auto take = [&] {
    for (const Durable& each : queue.take_durable()) {
      durable.insert(durable.end(), each.seeds.begin(), each.seeds.end());
      total = each.total;
      CHECK(StoreIndex(folder / "store").size() >= total);
    }
  };
  for (int64_t first = 0; first < 60; first += 3) {
    queue.push(trajectories_of(seeds_from(first, 3), config));
    take();
  }
  queue.close();
  take();
  CHECK(durable == seeds_from(0, 60));
  CHECK(total == 60);
  CHECK(holds(TrajectoryStore(folder / "store"), seeds_from(0, 60)));
  CHECK_THROWS_AS(queue.push(trajectories_of({100}, config)), UsageError);
}

TEST_CASE("async writer: an error of the disk reaches the next push and close, and nothing acknowledged is lost") {
  const TrajectoryConfig config = small_config();
  const TemporaryFolder folder;
  FaultFileSystem files(60, Fault::disk_full);
  TrajectoryWriter writer(folder / "store", config, shards_of(2), files);
  std::vector<int64_t> durable;
  {
    AsyncTrajectoryWriter queue(writer, 2);
    const auto take = [&] {
      for (const Durable& each : queue.take_durable())
        durable.insert(durable.end(), each.seeds.begin(), each.seeds.end());
    };
    CHECK_THROWS_AS(
        [&] {
          for (int64_t seed = 0; seed < 1000; seed += 2) {
            queue.push(trajectories_of({seed, seed + 1}, config));
            take();
          }
        }(),
        ResourceError);
    CHECK_THROWS_AS(queue.push(trajectories_of({5000}, config)), ResourceError);
    CHECK_THROWS_AS(queue.close(), ResourceError);
    take();
  }
  CHECK_FALSE(durable.empty());
  CHECK(holds(TrajectoryStore(folder / "store"), durable));
}

TEST_CASE("async writer: a batch that does not fit is refused on the thread, and one that is left is dropped") {
  const TemporaryFolder folder;
  const TrajectoryConfig config = small_config();
  {
    TrajectoryWriter writer(folder / "store", config, shards_of(4));
    AsyncTrajectoryWriter queue(writer);
    queue.push(trajectories_of(seeds_from(0, 6), config));
    TrajectoryBatch bad = trajectories_of({50}, config);
    bad.x = bad.x.narrow(1, 0, 3);
    queue.push(bad);
    CHECK_THROWS_WITH(queue.close(), contains("this store takes"));
    CHECK_THROWS_AS(AsyncTrajectoryWriter(writer, 0), UsageError);
  }
  CHECK(TrajectoryStore(folder / "store").size() == 4);
}

TEST_CASE("store features: they are kept in place of states, and loaders of states refuse them") {
  const TemporaryFolder folder;
  const TrajectoryConfig config = features_config();
  {
    TrajectoryWriter writer(folder / "store", config, shards_of(4));
    (void)writer.append(features_of(seeds_from(0, 6), config));
    (void)writer.seal();
    CHECK_THROWS_WITH(writer.append(trajectories_of({9}, config)), contains("no gram"));
  }
  const TrajectoryStore store(folder / "store");
  CHECK(store.config().difference(config).empty());
  const TrajectoryBatch back = store.batch({5, 0});
  CHECK_FALSE(back.x.defined());
  const TrajectoryBatch expected = features_of({5, 0}, config);
  CHECK(at::equal(back.gram, expected.gram));
  CHECK(at::equal(back.pooled, expected.pooled));
  CHECK(at::equal(back.start, expected.start));
  CHECK_THROWS_WITH(TrajectoryWriter(folder / "store", small_config()), contains("differ in dtype"));
  CHECK_THROWS_WITH(TrajectoryBatches(store.shards(), {}), contains("`features_only`"));
}

TEST_CASE("trajectory batches: every row is what its seed and points say, and a batch is a function of seed and step") {
  const TemporaryFolder folder;
  const auto dtype = GENERATE(at::kFloat, at::kHalf);
  const TrajectoryConfig config = small_config(dtype);
  record(folder / "store", seeds_from(0, 40), config, 7);
  const auto shards = std::make_shared<ShardSet>(folder / "store");
  const auto batches = [&](int threads, int ahead, int64_t first_step = 0) {
    BatchesOptions options;
    options.batch = 33;
    options.seed = 5;
    options.threads = threads;
    options.ahead = ahead;
    options.first_step = first_step;
    return std::make_unique<TrajectoryBatches>(shards, options);
  };
  const auto one = batches(1, 1), many = batches(4, 3), later = batches(2, 2, 3);
  std::set<int64_t> seeds, points;
  for (int step = 0; step < 12; ++step) {
    const StepPairs pairs = one->next(), same = many->next();
    CHECK(at::equal(pairs.seed, same.seed));
    CHECK(at::equal(pairs.from, same.from));
    CHECK(at::equal(pairs.to, same.to));
    if (step >= 3) CHECK(at::equal(later->next().denoised, pairs.denoised));
    for (int64_t i = 0; i < 33; ++i) {
      const auto seed = pairs.seed[i].item<int64_t>();
      const auto from = pairs.point_from[i].item<int64_t>(), to = pairs.point_to[i].item<int64_t>();
      REQUIRE((from >= 0 && from < to && to < config.points()));
      CHECK(seed % 4 == 0);  // the others did not end well
      seeds.insert(seed);
      points.insert(from * 10 + to);
      const TrajectoryBatch expected = conform(trajectories_of({seed}, config), config);
      CHECK(at::equal(pairs.from[i], expected.x[0][from]));
      CHECK(at::equal(pairs.to[i], expected.x[0][to]));
      CHECK(at::equal(pairs.denoised[i], expected.denoised[0][from]));
      CHECK(pairs.sigma_from[i].item<double>() == config.sigmas[static_cast<std::size_t>(from)]);
      CHECK(pairs.sigma_to[i].item<double>() == config.sigmas[static_cast<std::size_t>(to)]);
    }
  }
  CHECK(seeds.size() == 10);
  CHECK(points.size() == 6);
}

TEST_CASE("trajectory batches: damage and stores with nothing to give are errors") {
  const TemporaryFolder folder;
  const TrajectoryConfig config = small_config();
  record(folder / "bad", {1, 2, 3}, config);  // none ended well
  CHECK_THROWS_WITH(TrajectoryBatches(std::make_shared<ShardSet>(folder / "bad"), {}).next(), contains("ended well"));
  record(folder / "damaged", seeds_from(0, 4), config);
  std::string bytes = read_file(folder / "damaged/shard-000000.h5");
  bytes[bytes.size() / 2] = static_cast<char>(~bytes[bytes.size() / 2]);
  write_file_atomic(folder / "damaged/shard-000000.h5", bytes);
  CHECK_THROWS_WITH(TrajectoryBatches(std::make_shared<ShardSet>(folder / "damaged"), {}).next(),
                    contains("is damaged"));
  { const TrajectoryWriter none(folder / "empty", config); }
  CHECK_THROWS_WITH(TrajectoryBatches(std::make_shared<ShardSet>(folder / "empty"), {}), contains("is empty"));
}
