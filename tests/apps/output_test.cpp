// What people and other programs get to see: tables, PNG, npz.
#include "datasets/files/npz.h"
#include "datasets/images/png.h"
#include "evaluation/text_table.h"
#include "framework/error.h"
#include "pipeline/trajectory_tap.h"
#include "tests/catch_torch.h"

#include <png.h>
#include <cstring>

namespace stride {
namespace {

// CRC-32 from its definition, bit by bit.
uint32_t crc_by_division(const std::string& bytes) {
  uint32_t remainder = 0xFFFFFFFFU;
  for (const char c : bytes) {
    for (int bit = 0; bit < 8; ++bit) {
      const uint32_t in = (static_cast<uint8_t>(c) >> bit) & 1U;
      const uint32_t out = remainder & 1U;
      remainder >>= 1;
      if (in != out) remainder ^= 0xEDB88320U;
    }
  }
  return ~remainder;
}

}  // namespace

TEST_CASE("output: a table aligns its columns by code points") {
  TextTable table({{"name"}, {"σ", TextTable::Align::right}});
  table.add({"ä", "1.5"});
  table.add({"long", "10"});
  CHECK(table.text() == "name    σ\n---------\nä     1.5\nlong   10\n");
  CHECK_THROWS_AS(table.add({"one"}), std::logic_error);
}

TEST_CASE("output: a table fits its width, and leaves details out") {
  TextTable table({{"name"}, {"n", TextTable::Align::right}, {"also", TextTable::Align::left, true}, {"what it is"}});
  table.add({"one", "1", "first", "words that go on and on and on"});
  table.add({"ünf", "5", "a-single-word-that-is-long", "more"});
  CHECK(table.text(24, false) ==
        "name  n  what it is\n"
        "------------------------\n"
        "one   1  words that go\n"
        "         on and on and\n"
        "         on\n"
        "ünf   5  more\n");
  const std::string all = table.text(30, true);
  for (std::size_t begin = 0, end = 0; begin < all.size(); begin = end + 1) {
    end = all.find('\n', begin);
    CHECK(end - begin <= 31);  // ü is two bytes
  }
  CHECK(all.find("first") != std::string::npos);
  CHECK(wrapped("abcdefgh ij", 3) == std::vector<std::string>{"abc", "def", "gh", "ij"});
  CHECK(wrapped("ab=1,cd=2,ef=3", 7) == std::vector<std::string>{"ab=1,", "cd=2,", "ef=3"});
  CHECK(wrapped("üüüü", 2) == std::vector<std::string>{"üü", "üü"});
  CHECK(wrapped("", 5) == std::vector<std::string>{""});
}

TEST_CASE("output: a PNG file holds the pixels") {
  const Tensor pixels = at::arange(4 * 5 * 3).to(at::kByte).view({4, 5, 3});
  const std::string file = encode_png(pixels);
  png_image image = {};
  image.version = PNG_IMAGE_VERSION;
  REQUIRE(png_image_begin_read_from_memory(&image, file.data(), file.size()) != 0);
  image.format = PNG_FORMAT_RGB;
  REQUIRE(image.width == 5);
  REQUIRE(image.height == 4);
  std::string back(PNG_IMAGE_SIZE(image), '\0');
  REQUIRE(png_image_finish_read(&image, nullptr, back.data(), 0, nullptr) != 0);
  CHECK(std::memcmp(back.data(), pixels.const_data_ptr(), back.size()) == 0);
  CHECK_THROWS_AS(encode_png(pixels.to(at::kFloat)), UsageError);
  CHECK_THROWS_AS(encode_png(pixels.narrow(2, 0, 2)), UsageError);

  const Tensor tiles = tile_images(at::stack({pixels, pixels, pixels}), 2, 1, 7);
  CHECK(tiles.sizes() == at::IntArrayRef({9, 11, 3}));
  CHECK(at::equal(tiles.narrow(0, 5, 4).narrow(1, 0, 5), pixels));
  CHECK(tiles[4][0][0].item<int64_t>() == 7);
  CHECK(tiles[8][8][0].item<int64_t>() == 7);
}

TEST_CASE("output: an npz file has NumPy's layout") {
  const Tensor values = at::arange(6).to(at::kByte).view({2, 3});
  const std::string npy = npy_bytes(values);
  CHECK(npy.compare(0, 8, std::string("\x93NUMPY\x01\x00", 8)) == 0);
  const std::size_t header =
      10 + static_cast<uint8_t>(npy[8]) + 256 * static_cast<std::size_t>(static_cast<uint8_t>(npy[9]));
  CHECK(header % 64 == 0);
  CHECK(npy.find("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3), }") == 10);
  CHECK(npy.substr(header) == std::string("\0\1\2\3\4\5", 6));
  CHECK(npy_bytes(at::zeros({4}, at::kDouble)).find("'<f8', 'fortran_order': False, 'shape': (4,), }") !=
        std::string::npos);
  CHECK_THROWS_AS(npy_bytes(values.to(at::kHalf)), UsageError);
  CHECK(crc_by_division("123456789") == 0xCBF43926U);  // the check value that every description of CRC-32 gives

  const std::string zip = npz_bytes({{"arr_0", values}});
  CHECK(zip.compare(0, 4, "PK\3\4") == 0);
  CHECK(zip.find("arr_0.npy" + npy) == 30);
  CHECK(zip.find("PK\1\2") == 30 + 9 + npy.size());
  uint32_t stored = 0;
  std::memcpy(&stored, zip.data() + 14, 4);
  CHECK(stored == crc_by_division(npy));
  CHECK(zip.size() == 30 + 9 + npy.size() + 46 + 9 + 22);
}

TEST_CASE("output: --save-at names points of the grid") {
  CHECK(parse_save_at("all", 3) == std::vector<int64_t>{0, 1, 2, 3});
  CHECK(parse_save_at("0,2", 3) == std::vector<int64_t>{0, 2});
  for (const char* text : {"", "0", "0,4", "2,1", "1,1", "-1,2", "a,b", "0,1,"}) {
    INFO(text);
    CHECK_THROWS_AS(parse_save_at(text, 3), UsageError);
  }
}

}  // namespace stride
