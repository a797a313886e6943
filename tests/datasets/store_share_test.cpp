// Which writer records which seeds of a store.
#include "datasets/store/store_share.h"

#include "framework/error.h"
#include "framework/files/file.h"
#include "tests/catch_torch.h"
#include "tests/temporary_folder.h"

#include <memory>

namespace stride {

TEST_CASE("store share: seeds of living writers do not overlap") {
  const testing::TemporaryFolder folder;
  const std::string store = folder / "store";
  const auto share = [&](const char* part, std::vector<int64_t> seeds) {
    return std::make_unique<StoreShare>(store, part[0] == '\0' ? store : store + "/" + part,
                                        SeedRanges(std::move(seeds)), "runs/x");
  };
  auto first = share("rank-0", {0, 1, 2, 10});
  const auto second = share("rank-1", {3, 4, 11});
  CHECK_THROWS_WITH(share("rank-2", {5, 10}), contains("seed 10 is in the share of process"));
  CHECK_THROWS_AS(share("", {4}), LockedError);
  CHECK_NOTHROW(share("", {5}));
  CHECK_NOTHROW(share("rank-2", {}));
  CHECK_FALSE(file_exists(store + "/rank-2/manifest.json"));
  // Who has ended has no share.
  first.reset();
  CHECK_NOTHROW(share("rank-2", {10}));
  CHECK_THROWS_AS(share("rank-2", {11}), LockedError);
  // Its own part has one writer.
  CHECK_THROWS_AS(share("rank-1", {20}), LockedError);
  // Nothing stays behind but folders.
  CHECK(list_folder(store + "/rank-0").empty());
  CHECK(list_folder(store) == std::vector<std::string>{"rank-0", "rank-1", "rank-2"});
}

}  // namespace stride
