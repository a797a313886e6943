#include "framework/files/lock.h"

#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/output_claim.h"
#include "tests/catch_torch.h"
#include "tests/temporary_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <optional>
#include <vector>

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

TEST_CASE("lock: who holds it can be asked, and a note be read, without taking it") {
  const TemporaryFolder folder;
  const std::string path = folder / ".lock";
  CHECK_FALSE(lock_holder(path));
  {
    const LockFile held(path, "runs/x");
    CHECK_THAT(lock_holder(path).value_or(""), contains("(run runs/x)"));
    CHECK_FALSE(lock_note(path));
    held.note("[[0, 63]]");
    CHECK(lock_note(path).value_or("") == "[[0, 63]]");
  }
  // Left behind, and nobody's.
  CHECK(file_exists(path));
  CHECK_FALSE(lock_holder(path));
  CHECK_FALSE(lock_note(path));
}

TEST_CASE("lock: a passing one leaves nothing, and two never have it at once") {
  const TemporaryFolder folder;
  const std::string path = folder / ".lock";
  {
    const LockFile held = LockFile::passing(path);
    CHECK_THROWS_AS(LockFile::passing(path), LockedError);
    CHECK(file_exists(path));
  }
  CHECK_FALSE(file_exists(path));
  // Processes that take it and let it go: whoever has it is alone.
  std::vector<pid_t> children;
  for (int i = 0; i < 4; ++i) {
    children.push_back(::fork());
    if (children.back() != 0) continue;
    int code = 0;
    for (int taken = 0; taken < 200;) {
      try {
        const LockFile held = LockFile::passing(path);
        const int alone = ::open((folder / "inside").c_str(), O_CREAT | O_EXCL, 0600);
        if (alone < 0) code = 1;
        ::close(alone);
        ::unlink((folder / "inside").c_str());
        ++taken;
      } catch (const LockedError&) {
        ::usleep(10);
      } catch (...) {
        code = 2;
        break;
      }
    }
    ::_exit(code);
  }
  for (const pid_t child : children) {
    int status = -1;
    ::waitpid(child, &status, 0);
    CHECK(status == 0);
  }
}

TEST_CASE("claim: an output has one writer, and its folder may have an owner") {
  const TemporaryFolder folder;
  {
    const LockFile claim = claim_output(folder / "new/plan.json");
    CHECK_THROWS_AS(claim_output(folder / "new/./plan.json"), LockedError);
    CHECK_NOTHROW(claim_output(folder / "new/other.json"));
    CHECK_THROWS_AS(claim_output((folder / "new/plan.json") + "/"), LockedError);
  }
  CHECK(list_folder(folder / "new").empty());
  const LockFile run(folder / "new/.lock");
  CHECK_THROWS_WITH(claim_output(folder / "new/plan.json"), contains("lies in a folder that process"));
}

TEST_CASE("claim: a folder is unbegun until its owner's last beginning") {
  const TemporaryFolder folder;
  const std::vector<std::string> beginnings = {"command.txt", "manifest.json"};
  const auto unbegun = [&] { return is_unbegun(folder.path(), beginnings); };
  const auto put = [&](const char* name) { write_file_atomic(folder / name, "x"); };
  CHECK(unbegun());
  put("command.txt");
  CHECK_FALSE(unbegun());  // nobody's lock: another program's file
  put(".lock");
  CHECK(unbegun());
  put("manifest.json");
  CHECK(unbegun());
  remove_file(folder / "command.txt");
  CHECK_FALSE(unbegun());  // a store's
  put("command.txt");
  put(".plan.json.lock");
  CHECK(unbegun());
  put("config.toml");
  CHECK_FALSE(unbegun());
}
