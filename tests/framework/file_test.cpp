#include "framework/files/file.h"

#include "framework/error.h"
#include "tests/catch_torch.h"
#include "tests/fault_file_system.h"
#include "tests/temporary_folder.h"

#include <sys/resource.h>
#include <sys/stat.h>

using namespace stride;
using stride::testing::Fault;
using stride::testing::FaultFileSystem;
using stride::testing::kFaults;
using stride::testing::TemporaryFolder;

namespace {

/// Lowers the file size limit while it lives.
class FileSizeLimit final {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit lower{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &lower);
  }
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("file: what is written is read back, and replaces what was there") {
  const TemporaryFolder folder;
  const std::string bytes("a\0b\n", 4);
  write_file_atomic(folder / "file", "old and longer");
  write_file_atomic(folder / "file", bytes);
  CHECK(read_file(folder / "file") == bytes);
  CHECK(list_folder(folder.path()) == std::vector<std::string>{"file"});
  write_file_atomic(folder / "empty", "");
  CHECK(read_file(folder / "empty").empty());
}

TEST_CASE("file: a replacement is synced before it gets its name, and the name before it counts") {
  const TemporaryFolder folder;
  FaultFileSystem files(0, Fault::none);
  write_file_atomic(folder / "file", "bytes", files);
  CHECK(files.log() ==
        std::vector<std::string>{"create", "write", "sync", "close", "rename", "open folder", "sync", "close"});
}

TEST_CASE("file: whichever operation fails, and however, the file is the old one or the new one") {
  const TemporaryFolder folder;
  const std::string path = folder / "file";
  FaultFileSystem counted(0, Fault::none);
  write_file_atomic(path, "old", counted);
  for (const Fault fault : kFaults) {
    for (int nth = 1; nth <= counted.count(); ++nth) {
      INFO("fault " << static_cast<int>(fault) << " at operation " << nth);
      write_file_atomic(path, "old");
      FaultFileSystem files(nth, fault);
      bool thrown = false;
      try {
        write_file_atomic(path, "new content", files);
      } catch (const ResourceError& error) {
        thrown = true;
        CHECK_THAT(error.what(), contains(path));
      }
      const std::string content = read_file(path);
      CHECK((content == "old" || content == "new content"));
      if (!thrown) CHECK(content == "new content");
      // Interruptions and short writes are nothing that a caller should see.
      if (fault == Fault::interrupted || fault == Fault::short_write) CHECK_FALSE(thrown);
      // All others are, unless they come after the last word (closing the folder) or where no space is needed.
      if ((fault == Fault::io_error || fault == Fault::no_space) && nth <= 7) CHECK(thrown);
      CHECK(list_folder(folder.path()) == std::vector<std::string>{"file"});
    }
  }
}

TEST_CASE("file: the file size limit is an error and not a signal") {
  const TemporaryFolder folder;
  write_file_atomic(folder / "file", "old");
  const std::string large(1 << 20, 'x');
  {
    const FileSizeLimit limit(64 << 10);
    CHECK_THROWS_AS(write_file_atomic(folder / "file", large), ResourceError);
    AppendFile log(folder / "log");
    CHECK_THROWS_AS(log.append(large), ResourceError);
  }
  CHECK(read_file(folder / "file") == "old");
  CHECK(list_folder(folder.path()) == std::vector<std::string>{"file", "log"});
  write_file_atomic(folder / "file", large);  // the signal does not wait for the limit to go
  CHECK(read_file(folder / "file") == large);
}

TEST_CASE("file: errors say which file and what to do") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(read_file(folder / "none"), InputError);
  CHECK_THROWS_AS(read_file(folder.path()), InputError);
  CHECK_THROWS_AS(write_file_atomic(folder / "no/such/folder", "x"), UsageError);
  CHECK_THROWS_AS(write_file_atomic(folder.path(), "x"), UsageError);
  CHECK_THROWS_AS(list_folder(folder / "none"), InputError);
  CHECK_THROWS_WITH(read_file(folder / "none"), contains(folder / "none"));
  CHECK(list_folder(folder.path()).empty());
  remove_file(folder / "none");
  CHECK_FALSE(file_exists(folder / "none"));
}

TEST_CASE("file: folders are made once, and with the ones above them") {
  const TemporaryFolder folder;
  CHECK(make_folder_exclusive(folder / "run"));
  CHECK_FALSE(make_folder_exclusive(folder / "run"));
  CHECK_THROWS_AS(make_folder_exclusive(folder / "a/b"), UsageError);
  make_folders(folder / "a/b//c/");
  CHECK(file_exists(folder / "a/b/c"));
  make_folders(folder / "a/b/c");
  write_file_atomic(folder / "file", "");
  CHECK_THROWS_AS(make_folders(folder / "file/below"), UsageError);
}

TEST_CASE("file: only our own temporaries are stale") {
  const TemporaryFolder folder;
  for (const char* name : {".stride-tmp-1-00ff", ".hidden", "stride-tmp-1", "x.tmp"})
    write_file_atomic(folder / name, "x");
  CHECK(remove_stale_temporaries(folder.path()) == std::vector<std::string>{".stride-tmp-1-00ff"});
  CHECK(list_folder(folder.path()) == std::vector<std::string>{".hidden", "stride-tmp-1", "x.tmp"});
}

TEST_CASE("file: appending keeps what is there") {
  const TemporaryFolder folder;
  AppendFile(folder / "log").append("one\n");
  AppendFile log(folder / "log");
  log.append("two\n");
  log.sync();
  CHECK(read_file(folder / "log") == "one\ntwo\n");
  FaultFileSystem files(2, Fault::short_write);
  AppendFile(folder / "log", files).append("three\n");
  CHECK(read_file(folder / "log") == "one\ntwo\nthree\n");
}

TEST_CASE("file: a named pipe is an error, not a wait for its writer") {
  const TemporaryFolder folder;
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK_THROWS_WITH(read_file(folder / "pipe"), contains("it is a pipe"));
  CHECK(file_exists(folder / "pipe"));
}
