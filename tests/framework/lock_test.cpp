#include "framework/files/lock.h"

#include "framework/error.h"
#include "framework/files/file.h"
#include "tests/catch_torch.h"
#include "tests/temporary_folder.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <optional>

using namespace stride;
using stride::testing::TemporaryFolder;

TEST_CASE("lock: a second holder is refused and told who has it") {
  const TemporaryFolder folder;
  std::optional<LockFile> first(std::in_place, folder / ".lock", "run-7");
  try {
    const LockFile second(folder / ".lock");
    FAIL("the lock was given twice");
  } catch (const LockedError& error) {
    CHECK(error.kind() == ErrorKind::locked);
    const std::string text = error.what();
    CHECK_THAT(text, contains(fmt::format("process {} on ", ::getpid())));
    CHECK_THAT(text, contains("run-7"));
  }
  CHECK_THAT(read_file(folder / ".lock"), contains("run-7"));  // still the first one's
  LockFile moved = std::move(*first);
  first.reset();
  CHECK_THROWS_AS(LockFile(folder / ".lock"), LockedError);
  { const LockFile taken = std::move(moved); }
  CHECK_NOTHROW(LockFile(folder / ".lock"));
  CHECK_THROWS_AS(LockFile(folder / "none/.lock"), UsageError);
}

TEST_CASE("lock: a killed holder holds nothing") {
  const TemporaryFolder folder;
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const LockFile held(folder / ".lock");
    (void)!::write(ready[1], "x", 1);
    ::pause();
    ::_exit(0);
  }
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  CHECK_THROWS_WITH(LockFile(folder / ".lock"), contains(fmt::format("process {} on ", child)));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  CHECK_NOTHROW(LockFile(folder / ".lock"));
  ::close(ready[0]);
  ::close(ready[1]);
}
