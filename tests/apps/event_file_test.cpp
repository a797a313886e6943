#include "apps/tensorboard/event_file.h"

#include "apps/tensorboard/event_encoding.h"
#include "apps/tensorboard/event_histogram.h"
#include "framework/error.h"
#include "tests/catch_torch.h"
#include "tests/fault_file_system.h"
#include "tests/temporary_folder.h"

#include <sys/resource.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>

namespace stride {
namespace {

using testing::Fault;
using testing::FaultFileSystem;
using testing::TemporaryFolder;

std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) out += static_cast<char>(value);
  return out;
}

template <typename Number>
Number at_place(const std::string& text, std::size_t place) {
  Number value{};
  REQUIRE(place + sizeof value <= text.size());
  std::memcpy(&value, text.data() + place, sizeof value);
  return value;
}

// The payloads of a file's records, each checked; a cut last one is left out, as TensorBoard does.
std::vector<std::string> records(const std::string& file) {
  std::vector<std::string> out;
  for (std::size_t place = 0; place + 12 <= file.size();) {
    const auto size = at_place<uint64_t>(file, place);
    REQUIRE(at_place<uint32_t>(file, place + 8) == masked_crc32c(file.substr(place, 8)));
    if (place + 16 + size > file.size()) break;
    out.push_back(file.substr(place + 12, size));
    REQUIRE(at_place<uint32_t>(file, place + 12 + size) == masked_crc32c(out.back()));
    place += 16 + size;
  }
  return out;
}

bool holds(const std::string& record, const std::string& part) { return record.find(part) != std::string::npos; }

/// No file of this process grows beyond `bytes` while this lives; a write that would is cut there.
class FileSizeLimit final {
 public:
  explicit FileSizeLimit(std::uintmax_t bytes) {
    REQUIRE(getrlimit(RLIMIT_FSIZE, &before_) == 0);
    rlimit now = before_;
    now.rlim_cur = bytes;
    REQUIRE(setrlimit(RLIMIT_FSIZE, &now) == 0);
  }
  ~FileSizeLimit() { setrlimit(RLIMIT_FSIZE, &before_); }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;

 private:
  rlimit before_{};
};

const std::string kStart = ProtoMessage().message(7, ProtoMessage().integer(1, 1)).bytes();

}  // namespace

TEST_CASE("event file: CRC-32C gives the known answers") {
  CHECK(crc32c("") == 0);
  CHECK(crc32c("123456789") == 0xe3069283);
  // RFC 3720, appendix B.4
  CHECK(crc32c(std::string(32, '\0')) == 0x8a9136aa);
  CHECK(crc32c(std::string(32, '\xff')) == 0x62a8ab43);
  std::string ascending, descending;
  for (int i = 0; i < 32; ++i) {
    ascending += static_cast<char>(i);
    descending += static_cast<char>(31 - i);
  }
  CHECK(crc32c(ascending) == 0x46dd794e);
  CHECK(crc32c(descending) == 0x113fdb5c);
  CHECK(masked_crc32c("123456789") == 0xc78ab0e5);
}

TEST_CASE("event file: a record is framed by its length and two checksums") {
  const std::string record = framed_record("foo");
  REQUIRE(record.size() == 3 + 16);
  CHECK(record.substr(0, 8) == bytes({3, 0, 0, 0, 0, 0, 0, 0}));
  CHECK(at_place<uint32_t>(record, 8) == masked_crc32c(record.substr(0, 8)));
  CHECK(record.substr(12, 3) == "foo");
  CHECK(at_place<uint32_t>(record, 15) == masked_crc32c("foo"));
  CHECK(framed_record("").size() == 16);
}

TEST_CASE("event file: integers take as many bytes as protocol buffers give them") {
  const auto encoded = [](int64_t value) { return ProtoMessage().integer(1, value).bytes(); };
  CHECK(encoded(0) == bytes({0x08, 0x00}));
  CHECK(encoded(1) == bytes({0x08, 0x01}));
  CHECK(encoded(127) == bytes({0x08, 0x7f}));
  CHECK(encoded(128) == bytes({0x08, 0x80, 0x01}));
  CHECK(encoded(150) == bytes({0x08, 0x96, 0x01}));  // the example of the format's documentation
  CHECK(encoded(16383) == bytes({0x08, 0xff, 0x7f}));
  CHECK(encoded(16384) == bytes({0x08, 0x80, 0x80, 0x01}));
  CHECK(encoded(std::numeric_limits<int64_t>::max()) ==
        bytes({0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}));
  CHECK(encoded(-1) == bytes({0x08, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}));
  CHECK(ProtoMessage().integer(16, 1).bytes() == bytes({0x80, 0x01, 0x01}));  // a key of two bytes
}

TEST_CASE("event file: numbers, texts and messages are little-endian and carry their length") {
  CHECK(ProtoMessage().number(1, 1.0).bytes() == bytes({0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f}));
  CHECK(ProtoMessage().single(2, 1.0F).bytes() == bytes({0x15, 0, 0, 0x80, 0x3f}));
  CHECK(ProtoMessage().text(2, "testing").bytes() == bytes({0x12, 0x07}) + "testing");
  CHECK(ProtoMessage().message(3, ProtoMessage().integer(1, 150)).bytes() == bytes({0x1a, 0x03, 0x08, 0x96, 0x01}));
  CHECK(ProtoMessage().numbers(6, {1.0, -2.0}).bytes() ==
        bytes({0x32, 16, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0}));
  CHECK(ProtoMessage().text(1, std::string(200, 'x')).bytes().substr(0, 3) == bytes({0x0a, 0xc8, 0x01}));
}

TEST_CASE("event file: a histogram counts every finite value in TensorBoard's buckets") {
  const double infinity = std::numeric_limits<double>::infinity(), largest = std::numeric_limits<double>::max();
  const std::vector<double> limits = tensorboard_limits();
  CHECK(limits.size() == 1551);
  CHECK(limits.front() == -largest);
  CHECK(limits.back() == largest);
  CHECK(std::is_sorted(limits.begin(), limits.end()));

  const EventHistogram some = count_buckets(std::vector<double>{-1.0, 0.0, 2.0, 2.0, infinity, -infinity, NAN});
  CHECK(some.min == -1.0);
  CHECK(some.max == 2.0);
  CHECK(some.count == 4.0);
  CHECK(some.sum == 3.0);
  CHECK(some.sum_of_squares == 9.0);
  // Empty, −1, empty, 0 (to 1e-12), empty, both twos, empty.
  CHECK(some.counts == std::vector<double>{0, 1, 0, 1, 0, 2, 0});
  CHECK(some.limits[3] == 1e-12);
  CHECK(some.limits[1] > -1.0);
  CHECK(some.limits[0] <= -1.0);
  CHECK(some.limits[5] > 2.0);
  CHECK(some.limits[4] <= 2.0);
  CHECK(some.limits[5] < 1.11 * some.limits[4]);
  CHECK(some.limits.back() == largest);

  CHECK(count_buckets(std::vector<double>{largest, -largest, 1e30}).count == 3.0);
  const EventHistogram none = count_buckets(std::vector<double>{NAN});
  CHECK(none.count == 0.0);
  CHECK(none.counts == std::vector<double>{0.0});
}

TEST_CASE("event file: limits that are given are kept, and one more holds what lies above them") {
  // Also the two empty ones from 3 to 5.
  const std::vector<double> limits = {0.0, 1.0, 2.0, 3.0, 4.0, 5.0};
  const EventHistogram histogram = count_buckets(std::vector<double>{-5.0, 0.0, 0.5, 1.0, 2.5, 9.0}, limits);
  CHECK(histogram.counts == std::vector<double>{1, 2, 1, 1, 0, 0, 1});
  REQUIRE(histogram.limits.size() == 7);
  CHECK(std::vector<double>(histogram.limits.begin(), histogram.limits.end() - 1) == limits);
  CHECK(histogram.limits.back() == std::numeric_limits<double>::max());
  CHECK_THROWS_AS(count_buckets({}, {1.0, 1.0}), UsageError);
  CHECK_THROWS_AS(count_buckets({}, {NAN}), UsageError);
  CHECK_THROWS_AS(count_buckets({}, {0.0, std::numeric_limits<double>::infinity()}), UsageError);
}

TEST_CASE("event file: a file begins with its version and with the step from which on it counts") {
  const TemporaryFolder folder;
  EventFile events(folder / "run/tb");
  const std::string name = events.path().substr(events.path().rfind('/') + 1);
  CHECK(name.starts_with("events.out.tfevents.1"));
  REQUIRE(records(read_file(events.path())).size() == 1);
  CHECK(holds(records(read_file(events.path()))[0], bytes({0x1a, 13}) + "brain.Event:2"));
  events.scalar("loss", 150, 0.5);
  events.scalar("loss", 151, 0.25);
  const auto found = records(read_file(events.path()));
  REQUIRE(found.size() == 4);
  CHECK(holds(found[1], bytes({0x10, 0x96, 0x01}) + kStart));
  CHECK(holds(found[2], bytes({0x10, 0x96, 0x01})));
  CHECK_FALSE(holds(found[2], kStart));
  CHECK(holds(found[2], "loss" + bytes({0x15, 0, 0, 0, 0x3f})));
  CHECK(holds(found[3], "loss" + bytes({0x15, 0, 0, 0x80, 0x3e})));
}

TEST_CASE("event file: each further file of a folder sorts after the earlier ones, whatever the clock says") {
  const TemporaryFolder folder;
  const EventFile first(folder.path()), second(folder.path()), third(folder.path());
  CHECK(first.path() < second.path());
  CHECK(second.path() < third.path());
  write_file_atomic(folder / "events.out.tfevents.4000000000.elsewhere.1", "");
  const EventFile later(folder.path());
  CHECK(later.path().starts_with(folder / "events.out.tfevents.4000000001."));
}

TEST_CASE("event file: a record is one write, and an image or a histogram is too") {
  const TemporaryFolder folder;
  FaultFileSystem files(0, Fault::none);
  EventFile events(folder.path(), files);
  const auto before = static_cast<std::size_t>(files.count());
  events.scalar("a", 1, 1.0);
  events.histogram("b", 1, at::randn({100, 100}));
  events.image("c", 1, "\x89PNG\r\n\x1a\n" + std::string(100'000, 'x'), 10, 10, 3);
  events.flush();
  const std::vector<std::string> log(files.log().begin() + static_cast<int64_t>(before), files.log().end());
  CHECK(log == std::vector<std::string>{"write", "write", "write", "sync"});
}

TEST_CASE("event file: an image must be a PNG file of one to four channels") {
  const TemporaryFolder folder;
  EventFile events(folder.path());
  const std::string png = "\x89PNG\r\n\x1a\n";
  CHECK_THROWS_AS(events.image("a", 0, "\xff\xd8\xff", 1, 1, 3), UsageError);
  CHECK_THROWS_AS(events.image("a", 0, png, 0, 1, 3), UsageError);
  CHECK_THROWS_AS(events.image("a", 0, png, 1, 1, 5), UsageError);
  CHECK_NOTHROW(events.image("a", 0, png, 1, 1, 4));
}

TEST_CASE("event file: whatever operation fails, every file stays readable and the next record is kept") {
  const auto write = [](EventFile& events, int64_t step) { events.scalar("loss", step, static_cast<double>(step)); };
  int operations = 0;
  {
    const TemporaryFolder folder;
    FaultFileSystem files(0, Fault::none);
    EventFile events(folder.path(), files);
    for (int64_t step = 1; step <= 3; ++step) write(events, step);
    events.flush();
    operations = files.count();
  }
  for (const Fault fault : testing::kFaults) {
    for (int nth = 1; nth <= operations; ++nth) {
      INFO("fault " << static_cast<int>(fault) << ", operation " << nth);
      const TemporaryFolder folder;
      FaultFileSystem files(nth, fault);
      int64_t kept = 0;
      const bool clean = fault == Fault::interrupted || fault == Fault::short_write;
      try {
        EventFile events(folder.path(), files);
        for (int64_t step = 1; step <= 3; ++step) {
          try {
            write(events, step);
            ++kept;
          } catch (const ResourceError&) {
            CHECK_FALSE(clean);
          }
        }
        events.flush();
      } catch (const Error&) {
        CHECK_FALSE(clean);
      }
      if (clean) CHECK(kept == 3);
      int64_t found = 0;
      for (const std::string& name : list_folder(folder.path())) {
        for (const std::string& record : records(read_file(folder / name))) found += holds(record, "loss") ? 1 : 0;
      }
      CHECK(found >= kept);
    }
  }
}

TEST_CASE("event file: a disk that fills up in the middle of a record costs that record only") {
  const TemporaryFolder folder;
  EventFile events(folder.path());
  const std::string first = events.path();
  events.scalar("loss", 1, 1.0);
  {
    const FileSizeLimit limit(std::filesystem::file_size(first) + 10);
    CHECK_THROWS_AS(events.scalar("loss", 2, 2.0), ResourceError);
  }
  events.scalar("loss", 3, 3.0);
  CHECK(events.path() > first);
  CHECK(records(read_file(first)).size() == 3);
  const auto found = records(read_file(events.path()));
  REQUIRE(found.size() == 3);
  CHECK(holds(found[1], kStart));
  CHECK(holds(found[2], "loss"));
}

TEST_CASE("event file: a folder that cannot be made is an error of usage") {
  const TemporaryFolder folder;
  write_file_atomic(folder / "taken", "");
  CHECK_THROWS_AS(EventFile(folder / "taken/tb"), UsageError);
}

}  // namespace stride
