// NumPy's archives and reference statistics, whole, of others' making, and damaged.
#include "tests/catch_torch.h"

#include "datasets/files/npy.h"
#include "datasets/files/npz.h"
#include "datasets/files/npz_reader.h"
#include "datasets/metrics/reference_statistics.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "tests/mutation.h"
#include "tests/temporary_folder.h"

#include <fmt/format.h>

using namespace stride;
using stride::testing::mutate;
using stride::testing::TemporaryFolder;

namespace {

// A file with that text as its header, and `data` bytes of zeros behind it.
std::string npy_of(const std::string& text, std::size_t data, char major = 1) {
  std::string out = "\x93NUMPY";
  out += major;
  out += '\0';
  out += static_cast<char>(text.size() & 0xFF);
  out += static_cast<char>(text.size() >> 8);
  if (major > 1) out.append(2, '\0');
  return out + text + std::string(data, '\0');
}

ReferenceStatistics reference(bool features = true) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(3);
  const Tensor rows = torch::randn({20, 5}, generator, torch::kDouble);
  ReferenceStatistics out;
  out.statistics = FeatureStatistics::of(rows);
  if (features) out.features = rows.to(torch::kFloat);
  out.network = "a network";
  out.network_sha256 = "abc";
  out.quantisation = "uint8";
  out.data = "σ-images";
  out.data_sha256 = "def";
  return out;
}

}  // namespace

TEST_CASE("npy: what is written is read back, in every type and rank") {
  for (const auto type : {torch::kByte, torch::kInt, torch::kLong, torch::kFloat, torch::kDouble}) {
    for (const std::vector<int64_t>& shape :
         std::vector<std::vector<int64_t>>{{}, {3}, {2, 3}, {2, 1, 4}, {0, 3}, {1}}) {
      const Tensor values = (torch::rand(shape) * 100).to(type);
      const Tensor found = parse_npy(npy_bytes(values), "array");
      CHECK(found.scalar_type() == type);
      CHECK(torch::equal(found, values));
    }
  }
}

TEST_CASE("npy: headers as NumPy's other versions write them") {
  const std::string dictionary = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }";
  CHECK(parse_npy(npy_of(dictionary + "\n", 48), "array").sizes() == at::IntArrayRef({2, 3}));
  CHECK(parse_npy(npy_of(dictionary, 48, 2), "array").sizes() == at::IntArrayRef({2, 3}));
  CHECK(parse_npy(npy_of("{\"shape\":(2,),\"descr\":\"|u1\",\"fortran_order\":True}", 2), "array").numel() == 2);
  CHECK(parse_npy(npy_of("{'descr': '<f4', 'fortran_order': False, 'shape': ()}", 4), "array").dim() == 0);
  std::string fortran = npy_of("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3)}", 0);
  fortran += std::string("\x00\x01\x02\x03\x04\x05", 6);
  CHECK(torch::equal(parse_npy(fortran, "array"), torch::tensor({{0, 2, 4}, {1, 3, 5}}, torch::kByte)));
}

TEST_CASE("npy: anything malformed is refused, saying what") {
  struct Row {
    std::string bytes, says;
  };
  const std::string order = "'fortran_order': False";
  const auto with = [&](const std::string& shape, std::size_t data = 8) {
    return npy_of("{'descr': '<f8', " + order + ", 'shape': " + shape + "}", data);
  };
  const std::vector<Row> rows = {
      {"", "does not begin"},
      {"\x93NUMPX\x01", "does not begin"},
      {std::string("\x93NUMPY\x04\x00\x05\x00{}", 12), "version 4.0"},
      {std::string("\x93NUMPY\x01\x00\xff\xff{}", 12), "more than any is"},
      {std::string("\x93NUMPY\x01\x00\x40\x00{}", 12), "ends inside"},
      {std::string("\x93NUMPY\x02\x00\x40\x00", 10), "ends inside"},
      {npy_of("{'descr': 'O', " + order + ", 'shape': (1,)}", 8), "type 'O'"},
      {npy_of("{'descr': '>f8', " + order + ", 'shape': (1,)}", 8), "type '>f8'"},
      {npy_of("{'descr': [('a', '<f8')], " + order + ", 'shape': (1,)}", 8), "quoted word is missing"},
      {npy_of("{'descr': '<f8', 'shape': (1,)}", 8), "lacks one of"},
      {npy_of("{'descr': '<f8', 'descr': '<f8', " + order + ", 'shape': (1,)}", 8), "there twice"},
      {npy_of("{'descr': '<f8', 'other': '<f8', " + order + ", 'shape': (1,)}", 8), "unknown"},
      {npy_of("{'descr': '<f8', 'fortran_order': 0, 'shape': (1,)}", 8), "neither True nor False"},
      {npy_of("{'descr': '<f8', " + order + ", 'shape': (1,)} + 1", 8), "behind the dictionary"},
      {npy_of("{'descr: 1", 8), "does not end"},
      {with("(-1,)"), "no whole number"},
      {with("(1"), "no tuple"},
      {with("(1,"), "no whole number"},
      {with("(1)"), "no tuple"},
      {with("(1 1)"), "no tuple"},
      {with("1"), "'('"},
      {with("(99999999999999999999,)"), "too large"},
      {with("(999999999999999, 999999999999999, 999999999999999)"), "too large"},
      {with("(2,)"), "promises 16"},
      {with("(1,)", 7), "promises 8"},
      {with("(1,)", 9), "promises 8"},
      {npy_of("{'descr': '|b1', " + order + ", 'shape': (1,)}", 0) + "\x02", "neither 0 nor 1"}};
  for (const Row& row : rows) {
    INFO(row.says);
    try {
      (void)parse_npy(row.bytes, "some.npy");
      FAIL("was read");
    } catch (const InputError& error) {
      INFO(error.what());
      CHECK(std::string(error.what()).find(row.says) != std::string::npos);
      CHECK(std::string(error.what()).find("some.npy") == 0);
    }
  }
}

TEST_CASE("npz: an archive's arrays are found by name") {
  const Tensor a = torch::rand({3, 2});
  const Tensor b = torch::arange(5, torch::kLong);
  const NpzReader file(npz_bytes({{"first", a}, {"second", b}}), "some.npz");
  CHECK(file.names() == std::vector<std::string>{"first", "second"});
  CHECK(torch::equal(file.read("first"), a));
  CHECK(torch::equal(file.read("second"), b));
  CHECK_FALSE(file.has("third"));
  CHECK_THROWS_WITH(file.read("third"), contains("only first, second"));
  CHECK_THROWS_AS(NpzReader::open("/nowhere/some.npz"), InputError);
  CHECK_THROWS_WITH(NpzReader("not a zip", "some.npz"), contains("not an .npz file"));
  CHECK_THROWS_WITH(NpzReader("", "some.npz"), contains("some.npz"));
}

// tests/datasets/data/*.npz were made by tests/datasets/data/make_npz.py.
TEST_CASE("npz: files that NumPy and other archivers wrote are read, and what is no array is refused") {
  const std::string data = STRIDE_SOURCE_DIR "/tests/datasets/data/";
  for (const char* name : {"stored.npz", "deflated.npz", "fortran.npz", "single.npz"}) {
    INFO(name);
    const ReferenceStatistics found = read_reference_statistics(data + name);
    const double tolerance = std::string(name) == "single.npz" ? 1e-6 : 0.0;
    CHECK(torch::allclose(found.statistics.mean, torch::tensor({1.0, -2.5, 0.125}, torch::kDouble), 0.0, tolerance));
    const Tensor sigma = torch::tensor({{2.0, 0.5, 0.1}, {0.5, 1.0, -0.25}, {0.1, -0.25, 3.0}}, torch::kDouble);
    CHECK(torch::allclose(found.statistics.covariance, sigma, 0.0, tolerance));
    CHECK(found.statistics.n == 0);
    CHECK(found.network_sha256.empty());
  }
  CHECK_THROWS_WITH(NpzReader(read_file(data + "object.npz"), "object.npz").read("mu"), contains("type '|O'"));
  CHECK_THROWS_WITH(NpzReader::open(data + "foreign.zip"), contains("which is no .npy"));
  CHECK_THROWS_WITH(NpzReader::open(data + "bzip2.npz").read("mu"), contains("method that NumPy does not use"));
}

TEST_CASE("reference statistics: what is written is read back, with features and without") {
  const TemporaryFolder folder;
  for (const bool features : {true, false}) {
    const ReferenceStatistics written = reference(features);
    write_reference_statistics(folder / "ref.npz", written);
    const ReferenceStatistics found = read_reference_statistics(folder / "ref.npz");
    CHECK(torch::equal(found.statistics.mean, written.statistics.mean));
    CHECK(torch::allclose(found.statistics.covariance, written.statistics.covariance, 0.0, 1e-15));
    CHECK(found.statistics.n == 20);
    CHECK(found.features.defined() == features);
    if (features) CHECK(torch::equal(found.features, written.features));
    CHECK(found.network == "a network");
    CHECK(found.network_sha256 == "abc");
    CHECK(found.quantisation == "uint8");
    CHECK(found.data == "σ-images");
    CHECK(found.data_sha256 == "def");
  }
  ReferenceStatistics wrong = reference();
  wrong.features = wrong.features.narrow(0, 0, 3);
  CHECK_THROWS_AS(reference_statistics_bytes(wrong), UsageError);
}

TEST_CASE("reference statistics: arrays that are no statistics are refused, saying what") {
  const Tensor mu = torch::zeros({2}, torch::kDouble);
  const Tensor sigma = torch::eye(2, torch::kDouble);
  const auto own = [](const std::string& text) {
    return torch::tensor(std::vector<uint8_t>(text.begin(), text.end()), torch::kByte);
  };
  const std::string whole =
      R"({"format":"stride-reference-statistics","version":1,"network":"","network_sha256":"","quantisation":"none","data":"","data_sha256":""})";
  const Tensor n = torch::tensor(5, torch::kLong);
  Tensor skew = sigma.clone();
  skew[0][1] = 0.5;
  struct Row {
    std::vector<std::pair<std::string, Tensor>> arrays;
    std::string says;
  };
  const std::vector<Row> rows = {
      {{{"mu", mu}}, "'mu' and 'sigma' are missing"},
      {{{"mu", sigma}, {"sigma", sigma}}, "'mu' is no list"},
      {{{"mu", torch::zeros({3}, torch::kDouble)}, {"sigma", sigma}}, "has 3 features"},
      {{{"mu", torch::zeros({2}, torch::kLong)}, {"sigma", sigma}}, "must hold floating-point"},
      {{{"mu", mu + std::nan("")}, {"sigma", sigma}}, "not finite"},
      {{{"mu", mu}, {"sigma", skew}}, "not symmetric"},
      {{{"mu", mu}, {"sigma", -sigma}}, "negative variance"},
      {{{"mu", mu}, {"sigma", sigma}, {"stride", mu}}, "is no text"},
      {{{"mu", mu}, {"sigma", sigma}, {"stride", own("{")}}, "not valid JSON"},
      {{{"mu", mu}, {"sigma", sigma}, {"stride", own(R"({"format":"x","version":1})")}}, "is not a"},
      {{{"mu", mu}, {"sigma", sigma}, {"stride", own(whole)}}, "no array 'n'"},
      {{{"mu", mu}, {"sigma", sigma}, {"stride", own(whole)}, {"n", mu}}, "no number of images"},
      {{{"mu", mu}, {"sigma", sigma}, {"stride", own(whole)}, {"n", n}, {"features", torch::zeros({4, 2})}},
       "float32 [5, 2]"}};
  for (const Row& row : rows) {
    INFO(row.says);
    CHECK_THROWS_WITH(parse_reference_statistics(npz_bytes(row.arrays), "ref.npz"), contains(row.says));
    CHECK_THROWS_AS(parse_reference_statistics(npz_bytes(row.arrays), "ref.npz"), InputError);
  }
}

TEST_CASE("reference statistics: a damaged file is an error or harmless, never other numbers") {
  const std::string whole = reference_statistics_bytes(reference());
  const ReferenceStatistics truth = parse_reference_statistics(whole, "ref.npz");
  int refused = 0;
  for (unsigned seed = 0; seed < 3000; ++seed) {
    const std::string bytes = mutate(whole, seed);
    try {
      const ReferenceStatistics found = parse_reference_statistics(bytes, "ref.npz");
      INFO("seed " << seed);
      CHECK(torch::equal(found.statistics.mean, truth.statistics.mean));
      CHECK(torch::equal(found.statistics.covariance, truth.statistics.covariance));
      CHECK(found.statistics.n == truth.statistics.n);
    } catch (const InputError&) {
      ++refused;
    }
  }
  INFO(refused << " of 3000 refused");
  CHECK(refused > 2000);
}

TEST_CASE("npy: headers that are damaged are an error or an array, never a crash") {
  const std::string whole = npy_bytes(torch::rand({3, 5}, torch::kDouble));
  for (unsigned seed = 0; seed < 3000; ++seed) {
    try {
      (void)parse_npy(mutate(whole, seed), "array");
    } catch (const InputError&) {
    }
  }
  SUCCEED();
}
