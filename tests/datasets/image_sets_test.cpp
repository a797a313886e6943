// Image sets in the small; tests/images reads what other people's software writes.
#include "datasets/files/npz.h"
#include "datasets/images/image_codec.h"
#include "datasets/images/image_labels.h"
#include "datasets/images/image_source.h"
#include "datasets/images/image_sources.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "tests/catch_torch.h"
#include "tests/datasets/image_files.h"
#include "tests/mutation.h"
#include "tests/temporary_folder.h"

using namespace stride;
using namespace stride::testing;

namespace {

struct Bad {
  const char* what;
  std::string file;
  std::string bytes;
  std::vector<std::string> parts;  ///< of the message
};

std::string idx(std::initializer_list<uint32_t> shape, std::size_t values, char type = 8) {
  std::string out{'\0', '\0', type, static_cast<char>(shape.size())};
  for (const uint32_t extent : shape)
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(extent >> shift);
  return out + std::string(values, '\1');
}

}  // namespace

TEST_CASE("image sets: folders that hold everything are no classes, the next ones are") {
  const ImageLabels labels =
      labels_of_folders({"x/train/ape/1.png", "x/train/bee/deep/2.png", "x/train/bee/3.png"}, "set");
  CHECK(labels.labels == std::vector<int64_t>{0, 1, 1});
  CHECK(labels.class_names == std::vector<std::string>{"ape", "bee"});
  CHECK(labels_of_folders({"only/1.png", "only/2.png"}, "set").classes == 0);
  CHECK(labels_of_folders({"1.png", "2.png"}, "set").classes == 0);
  CHECK_THROWS_WITH(labels_of_folders({"1.png", "ape/2.png", "bee/3.png"}, "set"),
                    contains("set: \"1.png\" has no class"));
  CHECK_THROWS_WITH(labels_of_folders({"a/test/ape/1.png", "a/train/ape/1.png"}, "set"), contains("set/a/train"));
}

TEST_CASE("image sets: EDM's dataset.json labels every image with a whole number or none of them") {
  const std::vector<std::string> names = {"a.png", "b.png"};
  const ImageLabels labels = labels_of_json(R"({"labels": [["b.png", 4], ["a.png", 0], ["gone.png", 9]]})", names, "j");
  CHECK(labels.labels == std::vector<int64_t>{0, 4});
  CHECK(labels.classes == 5);
  CHECK(labels_of_json(R"({"labels": null})", names, "j").classes == 0);
  for (const char* bad :
       {"", "[]", R"({"labels": 3})", R"({"labels": [["a.png", 1]]})", R"({"labels": [["a.png", -1]]})",
        R"({"labels": [["a.png", 1.5]]})", R"({"labels": [[1, 1]]})", R"({"labels": [[]]})"}) {
    INFO(bad);
    CHECK_THROWS_AS(labels_of_json(bad, names, "j"), InputError);
  }
}

TEST_CASE("image sets: a file that is no image set is an error that says what it is") {
  const TemporaryFolder folder;
  const std::vector<Bad> table = {
      {"nothing", "empty", "", {"empty", "no image set"}},
      {"one image", "one.png", png_of(some_pixels(4, 4, 3, 1)), {"is one image"}},
      {"gzip", "set.tar.gz", "\x1f\x8b and more", {"compressed (gzip)", "tar -xf"}},
      {"gzip of IDX", "train-images-idx3-ubyte.gz", "\x1f\x8b and more", {"gunzip"}},
      {"xz",
       "set.tar.xz",
       std::string("\xfd"
                   "7zXZ\0",
                   6),
       {"compressed (xz)"}},
      {"a pickle", "data_batch_1", "\x80\x02}q", {"pickle"}},
      {"CIFAR cut short", "data.bin", std::string(3072, '\1'), {"3072 bytes", "3073"}},
      {"CIFAR with a wrong label", "data.bin", std::string(3073, '\x63'), {"image 0", "label 99"}},
      {"IDX cut short", "a-images-idx3-ubyte", idx({2, 3, 3}, 17), {"[2, 3, 3]", "17"}},
      {"IDX too long", "a-images-idx3-ubyte", idx({2, 3, 3}, 19), {"[2, 3, 3]", "19"}},
      {"IDX of another type", "a-images-idx3-ubyte", idx({2, 3, 3}, 72, 0x0d), {"0x0d"}},
      {"IDX with a wrong magic", "a-images-idx3-ubyte", "\1\1" + idx({2, 3, 3}, 18), {"two zero bytes"}},
      {"IDX without labels", "a-images-idx3-ubyte", idx({2, 3, 3}, 18), {"a-labels-idx1-ubyte", "`unconditional`"}},
      {"IDX of labels", "a-labels-idx1-ubyte", idx({2}, 2), {"labels", "name the file with the images"}},
      {"a zip cut short", "set.zip", "PK\x03\x04 and more", {"damaged zip"}},
      {"a tar cut short", "set.tar", tar_of({{"a.png", "x"}}).substr(0, 700), {"truncated"}},
      {"a tar without an end",
       "set.tar",
       tar_of({{"a.png", png_of(some_pixels(4, 4, 3, 1))}}).substr(0, 1024),
       {"truncated"}},
      {"a tar with a text", "set.tar", tar_of({{"b/a.txt", "hello"}}), {"b/a.txt", "not an image"}},
      {"HDF5 cut short", "set.h5", "\x89HDF\r\n\x1a\n and more", {"HDF5"}},
      {"LMDB cut short", "data.mdb", std::string(16, '\0') + "\xde\xc0\xef\xbe and more", {"LMDB"}},
      {"another safetensors file", "weights.safetensors", std::string("\2\0\0\0\0\0\0\0{}", 10), {"not an image file"}},
  };
  for (const Bad& bad : table) {
    INFO(bad.what);
    const std::string path = folder / bad.file;
    write_file_atomic(path, bad.bytes);
    try {
      (void)open_images(path)->decode(0);
      FAIL("was read");
    } catch (const InputError& error) {
      const std::string text = error.what();
      CHECK_THAT(text, contains(path));
      for (const std::string& part : bad.parts) CHECK_THAT(text, contains(part));
    }
    remove_file(path);
  }
  CHECK_THROWS_WITH(open_images(folder / "missing"), contains("no such file"));
}

TEST_CASE("image sets: a folder and its tar are the same set with the same sum") {
  const TemporaryFolder folder;
  std::map<std::string, std::string> files;
  for (const char* name : {"ape/1.png", "ape/2.png", "bee/deep/3.png"})
    files[name] = png_of(some_pixels(5, 4, 3, static_cast<unsigned>(files.size())));
  write_files(folder / "set", files);
  write_file_atomic(folder / "set.tar", tar_of(files));
  std::string lines;
  for (const auto& [name, bytes] : files) lines += sha256(bytes) + "  " + name + "\n";
  for (const char* name : {"set", "set.tar"}) {
    const auto set = open_images(folder / name);
    REQUIRE(set->size() == 3);
    CHECK(set->classes() == 2);
    CHECK(set->label(2) == 1);
    CHECK(set->sha256() == sha256(lines));
    CHECK(set->decode(1).values == decode_png(files["ape/2.png"], "").values);
    CHECK_THAT(set->name(2), contains("bee/deep/3.png"));
  }
  CHECK(open_images(folder / "set.tar/bee")->size() == 1);
  CHECK_THROWS_WITH(open_images(folder / "set.tar/cow"), contains("holds no images"));
}

TEST_CASE("image sets: damaged PNG, JPEG and WebP are errors or images, never crashes") {
  const Pixels pixels = some_pixels(23, 17, 3, 5);
  for (const std::string& good : {png_of(pixels), jpeg_of(pixels), webp_of(pixels)}) {
    unsigned refused = 0;
    for (unsigned seed = 0; seed < 400; ++seed) {
      INFO("mutation " << seed << " of format " << static_cast<int>(image_format(good)));
      try {
        const Pixels found = decode_image(mutate(good, seed), "file");
        CHECK(found.values.size() == static_cast<std::size_t>(found.height * found.width * found.channels));
      } catch (const InputError& error) {
        ++refused;
        CHECK_THAT(error.what(), contains("file: "));
      }
    }
    CHECK(refused > 100);
  }
}

TEST_CASE("image sets: damaged tars and .npy files are errors or sets, never crashes") {
  const TemporaryFolder folder;
  const std::string good =
      tar_of({{"ape/1.png", png_of(some_pixels(5, 4, 3, 1))}, {"bee/2.png", png_of(some_pixels(5, 4, 3, 2))}});
  const std::string path = folder / "set.tar";
  unsigned refused = 0;
  for (unsigned seed = 0; seed < 400; ++seed) {
    INFO("mutation " << seed);
    write_file_atomic(path, mutate(good, seed));
    try {
      const auto set = open_images(path);
      for (int64_t i = 0; i < set->size(); ++i) (void)set->decode(i);
    } catch (const InputError&) {
      ++refused;
    }
  }
  CHECK(refused > 100);
  const Pixels pixels = some_pixels(2, 3, 3, 4);
  const std::string array = npy_bytes(at::tensor(at::ArrayRef<uint8_t>(pixels.values), at::kByte).view({2, 3, 3}));
  CHECK(decode_npy(array, "npy").values == pixels.values);
  for (unsigned seed = 0; seed < 400; ++seed) {
    INFO("mutation " << seed);
    try {
      (void)decode_npy(mutate(array, seed), "npy");
    } catch (const InputError&) {
    }
  }
}

TEST_CASE("image sets: an image that claims to be huge is refused before memory is asked for") {
  std::string png = png_of(some_pixels(4, 4, 3, 1));
  png.replace(16, 8, std::string("\0\0\x40\x01\0\0\0\1", 8));
  CHECK_THROWS_AS(decode_png(png, "file"), InputError);  // its checksum is wrong already
  CHECK_NOTHROW(check_image_size(8192, 8192, "file"));
  CHECK_THROWS_WITH(check_image_size(16385, 1, "file"), contains("file: claims to be 16385 × 1"));
  CHECK_THROWS_AS(check_image_size(16384, 16384, "file"), InputError);
  CHECK_THROWS_AS(check_image_size(0, 4, "file"), InputError);
}
