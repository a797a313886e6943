#include "datasets/files/samples_file.h"

#include "datasets/files/hdf5.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "tests/catch_torch.h"
#include "tests/fault_file_system.h"
#include "tests/temporary_folder.h"

#include <algorithm>
#include <cerrno>
#include <map>
#include <utility>

using namespace stride;
using stride::testing::Fault;
using stride::testing::FaultFileSystem;
using stride::testing::TemporaryFolder;

namespace {

const std::string& python_file() {
  static const std::string path = STRIDE_SOURCE_DIR "/tests/datasets/data/h5py.h5";
  return path;
}

Samples samples_of(const Tensor& x) {
  const int64_t n = x.size(0);
  return {x,
          torch::arange(n) * 3,
          torch::full({n}, 18, torch::kLong),
          torch::full({n}, 36, torch::kInt),
          torch::zeros({n}, torch::kChar),
          {},
          {}};
}

}  // namespace

TEST_CASE("samples file: what is written is read back") {
  const TemporaryFolder folder;
  const auto dtype = GENERATE(torch::kDouble, torch::kFloat, torch::kHalf);
  Samples samples = samples_of(torch::randn({4, 1, 8, 8}).to(dtype).transpose(2, 3));
  samples.sigmas = torch::tensor({80.0, 0.3, 0.0}, torch::kDouble);
  samples.attributes = {{"solver", "ddim:eta=0.5"}, {"policy", ""}, {"note", "σ"}};
  write_samples(folder / "samples.h5", samples);
  const Samples found = read_samples(folder / "samples.h5");
  CHECK(found.x.scalar_type() == dtype);
  CHECK(torch::equal(found.x, samples.x));
  CHECK(torch::equal(found.seed, samples.seed));
  CHECK(found.nfe.scalar_type() == torch::kInt);
  CHECK(found.nfe.eq(18).all().item<bool>());
  CHECK(found.model_evals.eq(36).all().item<bool>());
  CHECK(torch::equal(found.status, samples.status));
  CHECK(torch::equal(found.sigmas, samples.sigmas));
  CHECK(found.attributes == samples.attributes);
  CHECK(torch::equal(read_dataset(folder / "samples.h5", "x"), samples.x));
}

TEST_CASE("samples file: what HDF5 lacks is converted or refused") {
  const TemporaryFolder folder;
  const Tensor x = torch::randn({2, 3}).to(torch::kBFloat16);
  write_samples(folder / "samples.h5", samples_of(x));
  CHECK(torch::equal(read_samples(folder / "samples.h5").x, x.to(torch::kFloat)));
  CHECK_FALSE(read_samples(folder / "samples.h5").sigmas.defined());
  CHECK_THROWS_AS(write_samples(folder / "bad.h5", samples_of(torch::zeros({2}, torch::kComplexFloat))), UsageError);
  Samples wrong = samples_of(torch::zeros({2, 3}));
  wrong.nfe = torch::zeros({3}, torch::kInt);
  CHECK_THROWS_WITH(write_samples(folder / "bad.h5", wrong), contains("nfe is not a list of 2"));
  CHECK_FALSE(file_exists(folder / "bad.h5"));
}

namespace {

Samples rows_of(const Samples& all, int64_t first, int64_t n) {
  const auto part = [&](const Tensor& values) { return values.narrow(0, first, n); };
  return {part(all.x), part(all.seed), part(all.nfe), part(all.model_evals), part(all.status), {}, {}};
}

SamplesHead head_of(const Samples& all, int64_t rows) {
  return {rows, all.x.sizes().slice(1).vec(), torch::kFloat, all.sigmas, all.attributes};
}

Samples some_samples(int64_t n) {
  Samples out = samples_of(torch::randn({n, 1, 8, 8}));
  out.sigmas = torch::tensor({80.0, 0.3, 0.0}, torch::kDouble);
  out.attributes = {{"solver", "ddim"}, {"policy", ""}};
  return out;
}

}  // namespace

TEST_CASE("samples file: rows that come in pieces give the same bytes, also where fewer come than were announced") {
  const TemporaryFolder folder;
  const Samples all = some_samples(7);
  write_samples(folder / "whole.h5", all);
  const int64_t announced = GENERATE(7, 9, 1'000'000'000);
  {
    SamplesWriter writer(folder / "pieces.h5", head_of(all, announced));
    for (const auto& [first, n] : {std::pair(0, 3), std::pair(3, 1), std::pair(4, 3)})
      writer.append(rows_of(all, first, n));
    CHECK_FALSE(file_exists(folder / "pieces.h5"));
    writer.finish();
  }
  CHECK(read_file(folder / "pieces.h5") == read_file(folder / "whole.h5"));
  CHECK(list_folder(folder.path()).size() == 2);
}

TEST_CASE("samples file: none, too many, others and those that never end") {
  const TemporaryFolder folder;
  const Samples all = some_samples(4);
  SamplesWriter none(folder / "none.h5", head_of(all, 4));
  none.finish();
  const Samples found = read_samples(folder / "none.h5");
  CHECK(found.x.sizes() == torch::IntArrayRef({0, 1, 8, 8}));
  CHECK(torch::equal(found.sigmas, all.sigmas));
  CHECK(MappedSamples(folder / "none.h5").get().seed.size(0) == 0);
  {
    SamplesWriter writer(folder / "some.h5", head_of(all, 3));
    CHECK_THROWS_WITH(writer.append(all), contains("made for 3"));
    CHECK_THROWS_WITH(writer.append(samples_of(torch::zeros({1, 1, 8, 7}))), contains("[1, 1, 8, 7]"));
    writer.append(rows_of(all, 0, 2));
  }
  CHECK(list_folder(folder.path()) == std::vector<std::string>{"none.h5"});
}

TEST_CASE("samples file: mapped, the members lie in the file") {
  const TemporaryFolder folder;
  const Samples all = some_samples(5);
  write_samples(folder / "samples.h5", all);
  const MappedSamples mapped(folder / "samples.h5");
  CHECK(torch::equal(mapped.get().x, all.x));
  CHECK(torch::equal(mapped.get().seed, all.seed));
  CHECK(torch::equal(mapped.get().nfe, all.nfe.to(torch::kInt)));
  CHECK(mapped.get().attributes == all.attributes);
  CHECK(reinterpret_cast<std::uintptr_t>(mapped.get().x.const_data_ptr()) % 64 == 0);
  std::string bytes = read_file(folder / "samples.h5");
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  write_file_atomic(folder / "samples.h5", bytes);
  CHECK_THROWS_AS(MappedSamples(folder / "samples.h5"), InputError);
  CHECK(torch::equal(mapped.get().x, all.x));  // of the file that was mapped
}

TEST_CASE("samples file: whatever call fails, there is no file or a whole one") {
  const Samples all = some_samples(4);
  const auto write = [&](const std::string& path, FileSystem& files) {
    SamplesWriter writer(path, head_of(all, 6), files);
    writer.append(rows_of(all, 0, 2));
    writer.append(rows_of(all, 2, 2));
    writer.finish();
  };
  FaultFileSystem counted(0, Fault::none);
  {
    const TemporaryFolder folder;
    write(folder / "samples.h5", counted);
  }
  REQUIRE(counted.count() > 15);
  for (const Fault fault : stride::testing::kFaults) {
    for (int nth = 1; nth <= counted.count(); ++nth) {
      const TemporaryFolder folder;
      FaultFileSystem files(nth, fault);
      bool failed = false;
      try {
        write(folder / "samples.h5", files);
      } catch (const ResourceError&) {
        failed = true;
      }
      if (!failed || file_exists(folder / "samples.h5")) {
        CHECK(torch::equal(read_samples(folder / "samples.h5").x, all.x));
      }
      if (fault == Fault::interrupted || fault == Fault::short_write) CHECK_FALSE(failed);
    }
  }
}

// tests/datasets/data/h5py.h5 was made by tests/datasets/data/make_h5py.py.
TEST_CASE("samples file: files of other programs are read, whatever their layout") {
  const Tensor expected = torch::arange(24, torch::kFloat).reshape({2, 3, 4});
  CHECK(torch::equal(read_dataset(python_file(), "eps"), expected));                    // big-endian, chunked, deflated
  CHECK(torch::equal(read_dataset(python_file(), "half"), expected.to(torch::kHalf)));  // contiguous
  CHECK(torch::equal(read_dataset(python_file(), "compact"), torch::arange(3, torch::kLong)));
  CHECK_THROWS_WITH(read_dataset(python_file(), "none"), contains("no dataset \"none\""));
  CHECK_THROWS_WITH(read_dataset(python_file(), "text"), contains("type that Stride does not read"));
  CHECK_THROWS_WITH(read_dataset(python_file(), "elsewhere"), contains("link"));
  CHECK_THROWS_WITH(read_dataset(python_file(), "raw"), contains("outside the file"));
  CHECK_THROWS_WITH(read_dataset(python_file(), "huge"), contains("larger than the file can hold"));
  CHECK_THROWS_WITH(read_samples(python_file()), contains("checksum"));
}

TEST_CASE("samples file: files that are no HDF5 are errors") {
  const TemporaryFolder folder;
  write_file_atomic(folder / "text", "not HDF5 at all");
  write_file_atomic(folder / "empty", "");
  CHECK_THROWS_AS(read_dataset(folder / "text", "x"), InputError);
  CHECK_THROWS_AS(read_dataset(folder / "empty", "x"), InputError);
  CHECK_THROWS_AS(read_dataset(folder / "none", "x"), InputError);
  CHECK_THROWS_AS(read_samples(folder / "text"), InputError);
}

TEST_CASE("hdf5: an image says what is in it and where") {
  hdf5::ImageWriter writer;
  const Tensor values = torch::arange(10, torch::kDouble);
  writer.dataset("values", values);
  writer.dataset("none", torch::zeros({0, 3}));
  writer.dataset("one", torch::scalar_tensor(2.5, torch::kDouble));
  writer.attribute("key", "text");
  const std::string bytes = writer.finish();
  const hdf5::ImageReader reader(bytes, "image");
  CHECK(reader.names() == std::vector<std::string>{"none", "one", "values"});
  const hdf5::DatasetInfo info = reader.info("values");
  REQUIRE(info.offset);
  CHECK(*info.offset % 8 == 0);
  CHECK(std::string_view(bytes).substr(*info.offset, info.bytes) ==
        std::string_view(static_cast<const char*>(values.const_data_ptr()), values.nbytes()));
  CHECK(torch::equal(reader.read("none"), torch::zeros({0, 3})));
  CHECK(reader.read("one").item<double>() == 2.5);
  CHECK(reader.attribute("key") == "text");
  CHECK_FALSE(reader.attribute("other"));
  CHECK_FALSE(reader.has("other"));
}

namespace {

/// A disk of so many bytes: what does not fit of a write is refused, and what is removed makes room.
class SmallDisk final : public FileSystem {
 public:
  explicit SmallDisk(std::size_t room) : room_(room) {}

  int open(const std::string& path, int flags, unsigned mode) override {
    const int descriptor = real_.open(path, flags, mode);
    if (descriptor >= 0) open_[descriptor] = path;
    return descriptor;
  }
  int64_t write(int descriptor, const void* bytes, std::size_t size) override {
    if (room_ == 0) return -ENOSPC;
    const int64_t done = real_.write(descriptor, bytes, std::min(size, room_));
    if (done > 0) room_ -= static_cast<std::size_t>(done), taken_[open_[descriptor]] += static_cast<std::size_t>(done);
    return done;
  }
  int remove(const std::string& path) override {
    room_ += std::exchange(taken_[path], 0);
    return real_.remove(path);
  }
  int64_t read(int descriptor, void* bytes, std::size_t size) override { return real_.read(descriptor, bytes, size); }
  int sync(int descriptor) override { return real_.sync(descriptor); }
  int close(int descriptor) override { return real_.close(descriptor); }
  int rename(const std::string& from, const std::string& to) override { return real_.rename(from, to); }
  int make_folder(const std::string& path) override { return real_.make_folder(path); }
  int list(const std::string& path, std::vector<std::string>& names) override { return real_.list(path, names); }

 private:
  FileSystem& real_ = posix_file_system();
  std::size_t room_;
  std::map<int, std::string> open_;
  std::map<std::string, std::size_t> taken_;
};

}  // namespace

TEST_CASE("samples file: rows before those that the disk refused are kept, also on a full disk") {
  const TemporaryFolder folder;
  const Samples all = some_samples(200);
  {
    SamplesWriter half(folder / "half.h5", head_of(all, 100));
    half.append(rows_of(all, 0, 100));
    half.finish();
  }
  const std::string want = read_file(folder / "half.h5");
  const auto keep = [&](FileSystem& files) {
    SamplesWriter writer(folder / "samples.h5", head_of(all, 200), files);
    writer.append(rows_of(all, 0, 100));
    CHECK_THROWS_AS(writer.append(rows_of(all, 100, 100)), ResourceError);
    CHECK_THROWS_AS(writer.append(rows_of(all, 100, 100)), UsageError);
    CHECK_FALSE(file_exists(folder / "samples.h5"));
    writer.finish();
    CHECK(read_file(folder / "samples.h5") == want);
    CHECK(list_folder(folder.path()).size() == 2);  // no temporary
    remove_file(folder / "samples.h5");
  };
  FaultFileSystem counted(0, Fault::none);
  int next = 0;
  {
    SamplesWriter writer(folder / "samples.h5", head_of(all, 200), counted);
    writer.append(rows_of(all, 0, 100));
    next = counted.count() + 1;
  }
  FaultFileSystem once(next, Fault::no_space);
  keep(once);
  SmallDisk full(want.size() + 100);  // no room for the rows twice
  keep(full);
  // Not even room for what stands behind the rows: an error, and nothing left over.
  SmallDisk fuller(want.size() - 100);
  {
    SamplesWriter writer(folder / "samples.h5", head_of(all, 200), fuller);
    writer.append(rows_of(all, 0, 100));
    CHECK_THROWS_AS(writer.append(rows_of(all, 100, 100)), ResourceError);
    CHECK_THROWS_AS(writer.finish(), ResourceError);
  }
  CHECK(list_folder(folder.path()) == std::vector<std::string>{"half.h5"});
}
