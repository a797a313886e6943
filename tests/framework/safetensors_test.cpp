#include "framework/files/safetensors.h"

#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "tests/catch_torch.h"
#include "tests/mutation.h"
#include "tests/temporary_folder.h"

#include <cstring>
#include <limits>

using namespace stride;
using stride::testing::mutate;
using stride::testing::TemporaryFolder;

namespace {

/// A file of this header and this many bytes of data.
std::string file_of(const std::string& header, std::size_t data, uint64_t claimed = 0) {
  const uint64_t length = claimed == 0 ? header.size() : claimed;
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + std::string(data, '\1');
}

/// A file of one F32 tensor "w", described so.
std::string described(const std::string& description, std::size_t data) {
  return file_of("{\"w\":" + description + "}", data);
}

std::map<std::string, Tensor> one_of_each() {
  std::map<std::string, Tensor> tensors;
  for (const auto type : {at::kDouble, at::kFloat, at::kHalf, at::kBFloat16, at::kLong, at::kInt, at::kShort, at::kChar,
                          at::kByte, at::kBool}) {
    tensors[c10::toString(type)] = (torch::arange(6).reshape({2, 3}) - 1).to(type);
  }
  tensors["scalar"] = torch::scalar_tensor(-0.0, torch::kDouble);
  tensors["none"] = torch::zeros({0, 4});
  tensors["strided"] = torch::arange(12).reshape({3, 4}).t();
  tensors["not numbers"] =
      torch::tensor({std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()});
  tensors["ε/\"quoted\"\n"] = torch::ones({1});
  return tensors;
}

void check_equal(const std::map<std::string, Tensor>& found, const std::map<std::string, Tensor>& expected) {
  REQUIRE(found.size() == expected.size());
  for (const auto& [name, tensor] : expected) {
    INFO(name);
    REQUIRE(found.count(name) == 1);
    CHECK(found.at(name).scalar_type() == tensor.scalar_type());
    CHECK(torch::equal(torch::nan_to_num(found.at(name)), torch::nan_to_num(tensor)));
  }
}

// Made by the safetensors package for Python, version 0.8.0:
// save({"w": f32 [[1.5, -2]], "n": i64 [7, -1], "h": f16 [0.5], "b": [True, False]}, {"made by": "safetensors"})
const std::string& of_python() {
  static const std::string bytes = [] {
    const std::string header =
        R"({"__metadata__":{"made by":"safetensors"},"n":{"dtype":"I64","shape":[2],"data_offsets":[0,16]},)"
        R"("w":{"dtype":"F32","shape":[1,2],"data_offsets":[16,24]},"h":{"dtype":"F16","shape":[1],"data_offsets":[24,26]},)"
        R"("b":{"dtype":"BOOL","shape":[2],"data_offsets":[26,28]}})";
    constexpr char data[] =
        "\x07\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0\0\xc0?\0\0\0\xc0\0"
        "8\1";  // and the literal's own zero
    return std::string("\x08\x01\0\0\0\0\0\0", 8) + header + std::string(data, sizeof data);
  }();
  return bytes;
}

}  // namespace

TEST_CASE("safetensors: what is written is read back") {
  const TemporaryFolder folder;
  const std::map<std::string, std::string> metadata{{"format", "stride-unet"}, {"ü", "\"\\"}};
  write_safetensors(folder / "w.safetensors", one_of_each(), metadata);
  const Safetensors read = read_safetensors_file(folder / "w.safetensors");
  check_equal(read.tensors, one_of_each());
  CHECK(read.metadata == metadata);
  CHECK(std::signbit(read.tensors.at("scalar").item<double>()));
  // Equal contents are equal bytes, and the data starts where wide elements may lie.
  CHECK(format_safetensors(read.tensors, read.metadata) == read_file(folder / "w.safetensors"));
  uint64_t header = 0;
  std::memcpy(&header, read_file(folder / "w.safetensors").data(), 8);
  CHECK(header % 8 == 0);
  CHECK(parse_safetensors(format_safetensors({}), "empty").tensors.empty());
}

TEST_CASE("safetensors: files of the Python package are read") {
  const Safetensors read = parse_safetensors(of_python(), "python");
  check_equal(read.tensors, {{"w", torch::tensor({{1.5F, -2.0F}})},
                             {"n", torch::tensor({7, -1}, torch::kLong)},
                             {"h", torch::tensor({0.5}, torch::kHalf)},
                             {"b", torch::tensor({true, false}, torch::kBool)}});
  CHECK(read.metadata == std::map<std::string, std::string>{{"made by", "safetensors"}});
}

TEST_CASE("safetensors: whatever is malformed is refused, with the reason") {
  struct Row {
    const char* what;
    std::string bytes;
    const char* says;
  };
  const std::string good = R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  const std::string two =
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":)";
  const std::vector<Row> rows{
      {"empty file", "", "too short"},
      {"seven bytes", std::string(7, '\0'), "too short"},
      {"no header", std::string(8, '\0'), "start with '{'"},
      {"header beyond the file", file_of("{}", 0, 3), "cut short"},
      {"header over 100 MB", file_of("{}", 0, 100'000'001), "100 MB"},
      {"length of all ones", file_of("{}", 0, ~uint64_t{0}), "100 MB"},
      {"not JSON", file_of("{\"w\":", 0), "not valid JSON"},
      {"text behind the JSON", file_of("{} x", 0), "not valid JSON"},
      {"a list", file_of("[]", 0), "start with '{'"},
      {"leading space", file_of(" {}", 0), "start with '{'"},
      {"bad UTF-8", file_of("{\"\xff\":1}", 0), "not valid JSON"},
      {"nested deeply", file_of("{\"w\":" + std::string(100'000, '['), 0), "levels deep"},
      {"tensor twice", file_of("{\"w\":" + good + ",\"w\":" + good + "}", 8), "twice"},
      {"key twice", described(R"({"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]})", 8), "twice"},
      {"description a number", described("1", 0), "not an object"},
      {"no dtype", described(R"({"shape":[2],"data_offsets":[0,8]})", 8), "\"dtype\" is missing"},
      {"no shape", described(R"({"dtype":"F32","data_offsets":[0,8]})", 8), "\"shape\" is missing"},
      {"no offsets", described(R"({"dtype":"F32","shape":[2]})", 8), "\"data_offsets\" is missing"},
      {"unknown key", described(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":0})", 8), "unknown key"},
      {"unknown dtype", described(R"({"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]})", 8), "unknown dtype"},
      {"dtype a number", described(R"({"dtype":4,"shape":[2],"data_offsets":[0,8]})", 8), "not a string"},
      {"shape a number", described(R"({"dtype":"F32","shape":2,"data_offsets":[0,8]})", 8), "not a list"},
      {"negative extent", described(R"({"dtype":"F32","shape":[-2],"data_offsets":[0,8]})", 8), "whole number"},
      {"fractional extent", described(R"({"dtype":"F32","shape":[2.0],"data_offsets":[0,8]})", 8), "whole number"},
      {"shape overflows", described(R"({"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]})", 8),
       "overflows"},
      {"extent overflows", described(R"({"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,8]})", 8),
       "overflows"},
      {"overflow hidden by zero",
       described(R"({"dtype":"F32","shape":[9223372036854775807,9,0],"data_offsets":[0,0]})", 0), "overflows"},
      {"extent too large for an integer", described(R"({"dtype":"F32","shape":[1e30],"data_offsets":[0,8]})", 8),
       "whole number"},
      {"one offset", described(R"({"dtype":"F32","shape":[2],"data_offsets":[0]})", 8), "two entries"},
      {"three offsets", described(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8,8]})", 8), "two entries"},
      {"offsets backwards", described(R"({"dtype":"F32","shape":[2],"data_offsets":[8,0]})", 8), "before it starts"},
      {"offset beyond the file", described(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})", 7), "cut short"},
      {"huge offset", described(R"({"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551615]})", 8),
       "cut short"},
      {"shape smaller than data", described(R"({"dtype":"F32","shape":[1],"data_offsets":[0,8]})", 8), "needs 4 bytes"},
      {"shape larger than data", described(R"({"dtype":"F32","shape":[3],"data_offsets":[0,8]})", 8), "needs 12 bytes"},
      {"bytes behind the data", described(good, 9), "1 bytes after"},
      {"bytes without tensors", file_of("{}", 4), "4 bytes after"},
      {"gap", file_of(two + "[5,9]}}", 9), "a gap"},
      {"gap at the start", described(R"({"dtype":"F32","shape":[1],"data_offsets":[4,8]})", 8), "a gap"},
      {"overlap", file_of(two + "[2,6]}}", 8), "overlaps"},
      {"same place", file_of(two + "[0,4]}}", 4), "overlaps"},
      {"metadata a list", file_of(R"({"__metadata__":[]})", 0), "not an object"},
      {"metadata not strings", file_of(R"({"__metadata__":{"a":1}})", 0), "not a string"},
      {"a BOOL of 2", file_of(R"({"w":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}})", 0) + "\2",
       "neither 0 nor 1"},
  };
  CHECK(rows.size() >= 25);
  for (const Row& row : rows) {
    INFO(row.what);
    CHECK_THROWS_AS(parse_safetensors(row.bytes, "w.safetensors"), InputError);
    CHECK_THROWS_WITH(parse_safetensors(row.bytes, "w.safetensors"), contains("w.safetensors") && contains(row.says));
  }
  CHECK_NOTHROW(parse_safetensors(described(good, 8), "good"));
  CHECK_NOTHROW(parse_safetensors(file_of("{}   ", 0), "padded"));
}

TEST_CASE("safetensors: what cannot be written is refused") {
  CHECK_THROWS_AS(format_safetensors({{"c", torch::zeros({1}, torch::kComplexFloat)}}), UsageError);
  CHECK_THROWS_AS(format_safetensors({{"__metadata__", torch::zeros({1})}}), UsageError);
  CHECK_THROWS_AS(format_safetensors({{"\xff", torch::zeros({1})}}), UsageError);
}

TEST_CASE("safetensors: another file than the named one is refused") {
  const TemporaryFolder folder;
  write_safetensors(folder / "w", one_of_each());
  const std::string hash = sha256_file(folder / "w");
  check_equal(read_safetensors(folder / "w", hash), one_of_each());
  write_safetensors(folder / "w", {{"w", torch::ones({2})}});
  CHECK_THROWS_AS(read_safetensors(folder / "w", hash), InputError);
  CHECK_NOTHROW(read_safetensors(folder / "w"));
  CHECK_THROWS_AS(read_safetensors(folder / "none"), InputError);
}

namespace {

/// Damaged files are refused or, where only values changed, read as what they say; never anything worse.
void survive_mutations(unsigned count) {
  const TemporaryFolder folder;
  const std::string good = format_safetensors(one_of_each(), {{"key", "value"}});
  const std::string hash = sha256(good);
  unsigned refused = 0;
  for (unsigned seed = 0; seed < count; ++seed) {
    const std::string bad = mutate(seed % 2 == 0 ? good : of_python(), seed);
    if (bad == good || bad == of_python()) continue;
    INFO("mutation " << seed);
    try {
      for (const auto& [name, tensor] : parse_safetensors(bad, "bad").tensors) CHECK(tensor.numel() <= 100);
    } catch (const InputError&) {
      ++refused;
    }
    write_file_atomic(folder / "bad", bad);
    CHECK_THROWS_AS(read_safetensors(folder / "bad", hash), InputError);
  }
  CHECK(refused > count / 2);
}

}  // namespace

TEST_CASE("safetensors: damaged files are errors") { survive_mutations(400); }
TEST_CASE("safetensors: 5000 damaged files are errors", "[slow]") { survive_mutations(5000); }
