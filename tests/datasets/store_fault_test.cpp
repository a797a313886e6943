// Disks that fill up, devices that fail, limits that are met: the store is whole afterwards, every time.
#include "datasets/store/trajectory_store.h"
#include "datasets/store/trajectory_writer.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "tests/catch_torch.h"
#include "tests/fault_file_system.h"
#include "tests/temporary_folder.h"
#include "tests/trajectory_content.h"

#include <sys/mount.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

using namespace stride;
using namespace stride::testing;

namespace {

/// Records seeds 0 … 8 in shards of 3 through `files`; the seeds that were acknowledged.
std::vector<int64_t> record(const std::string& folder, FileSystem& files, const TrajectoryConfig& config) {
  std::vector<int64_t> acknowledged;
  const auto add = [&](const std::vector<int64_t>& seeds) {
    acknowledged.insert(acknowledged.end(), seeds.begin(), seeds.end());
  };
  try {
    TrajectoryWriter writer(folder, config, {.shard_bytes = 1 << 20, .shard_rows = 3, .run_id = ""}, files);
    for (const int64_t first : {0, 3, 6}) {
      const std::vector<int64_t> seeds = writer.missing(seeds_from(first, 3));
      if (!seeds.empty()) add(writer.append(trajectories_of(seeds, config)));
    }
    add(writer.seal());
  } catch (const ResourceError&) {
  }
  return acknowledged;
}

/// Whatever is in the store is right, and `acknowledged` is in it.
void check_whole(const std::string& folder, const std::vector<int64_t>& acknowledged, const TrajectoryConfig& config) {
  if (!file_exists(manifest_path(folder))) {
    CHECK(acknowledged.empty());
    return;
  }
  const TrajectoryStore store(folder);
  CHECK(is_content_of(store.all(), store.seeds(), config));
  CHECK_NOTHROW(store.rows_of(acknowledged));
}

/// No temporary, and no shard that the manifest does not list.
void check_clean(const std::string& folder) { CHECK(verify_store(folder).notes.empty()); }

}  // namespace

TEST_CASE("store faults: whichever operation fails, what was acknowledged is there and the next run goes on") {
  const TrajectoryConfig config = small_config();
  const TemporaryFolder counting;
  FaultFileSystem counted(0, Fault::none);
  REQUIRE(record(counting / "store", counted, config).size() == 9);
  REQUIRE(counted.count() > 50);
  for (const Fault fault : kFaults) {
    for (int nth = 1; nth <= counted.count(); ++nth) {
      INFO("fault " << static_cast<int>(fault) << " at operation " << nth << ", "
                    << counted.log()[static_cast<std::size_t>(nth) - 1]);
      const TemporaryFolder folder;
      const std::string store = folder / "store";
      FaultFileSystem files(nth, fault);
      try {
        const std::vector<int64_t> acknowledged = record(store, files, config);
        check_whole(store, acknowledged, config);
        if (fault == Fault::interrupted || fault == Fault::short_write) CHECK(acknowledged.size() == 9);
      } catch (const InputError&) {
        CHECK(
            (fault == Fault::io_error || fault == Fault::late_io_error || fault == Fault::no_space));  // reading failed
      }
      FaultFileSystem sound(0, Fault::none);
      (void)record(store, sound, config);
      check_whole(store, seeds_from(0, 9), config);
      check_clean(store);
    }
  }
}

TEST_CASE("store faults: after a failure the writer refuses to go on") {
  const TrajectoryConfig config = small_config();
  const TemporaryFolder folder;
  FaultFileSystem opening(0, Fault::none);
  { const TrajectoryWriter counted(folder / "same", config, {}, opening); }
  FaultFileSystem files(opening.count() + 3, Fault::disk_full);
  TrajectoryWriter writer(folder / "store", config, {.shard_bytes = 1, .shard_rows = 1, .run_id = ""}, files);
  CHECK_THROWS_AS(
      [&] {
        for (int64_t seed = 0; seed < 100; ++seed) (void)writer.append(trajectories_of({seed}, config));
      }(),
      ResourceError);
  CHECK_THROWS_AS(writer.append(trajectories_of({200}, config)), UsageError);
  CHECK_THROWS_AS(writer.seal(), UsageError);
}

namespace {

/// Appends large trajectories until something gives; the acknowledged seeds.
std::vector<int64_t> fill(const std::string& folder, const TrajectoryConfig& config, int64_t rows_a_shard) {
  TrajectoryWriter writer(folder, config, {.shard_bytes = 1 << 30, .shard_rows = rows_a_shard, .run_id = ""});
  std::vector<int64_t> acknowledged;
  for (int64_t seed = 0; seed < 2000; ++seed) {
    try {
      const std::vector<int64_t> sealed = writer.append(trajectories_of({seed}, config));
      acknowledged.insert(acknowledged.end(), sealed.begin(), sealed.end());
    } catch (const ResourceError& error) {
      CHECK(error.kind() == ErrorKind::resources);
      return acknowledged;
    }
  }
  FAIL("nothing ran out");
  return acknowledged;
}

TrajectoryConfig large_config() {
  TrajectoryConfig config = small_config();
  config.sample_shape = {512};
  return config;
}

}  // namespace

TEST_CASE("store faults: the file size limit ends in a resource error") {
  const TrajectoryConfig config = large_config();
  const TemporaryFolder folder;
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit lower{64 << 10, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &lower);
  const std::vector<int64_t> acknowledged = fill(folder / "store", config, 100);  // a shard of 100 rows is too large
  setrlimit(RLIMIT_FSIZE, &before);
  CHECK(acknowledged.empty());
  check_whole(folder / "store", acknowledged, config);
  check_clean(folder / "store");
}

TEST_CASE("store faults: a full disk ends in a resource error") {
  const TrajectoryConfig config = large_config();
  const TemporaryFolder folder;
  const std::string disk = folder / "disk";
  std::filesystem::create_directory(disk);
  if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=1m") != 0) {
    std::cerr << "skipped: \"a full disk ends in a resource error\" needs root to mount a small tmpfs; the injected "
                 "faults cover the same code\n";
    SUCCEED();
    return;
  }
  const std::vector<int64_t> acknowledged = fill(disk + "/store", config, 4);
  CHECK(acknowledged.size() > 20);
  check_whole(disk + "/store", acknowledged, config);
  { const TrajectoryWriter next(disk + "/store", config); }  // clears up, although there is no space
  check_clean(disk + "/store");
  CHECK(::umount(disk.c_str()) == 0);
}
