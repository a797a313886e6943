// Pictures for --start, --mask and --invert, and the hashes that a run keeps of its inputs: the real executable.
#include "datasets/files/hdf5.h"
#include "datasets/files/samples_file.h"
#include "datasets/images/image_codec.h"
#include "datasets/images/image_source.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "tests/apps/process.h"
#include "tests/catch_torch.h"
#include "tests/datasets/image_files.h"
#include "tests/temporary_folder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

using nlohmann::json;
using testing::Outcome;

constexpr int64_t kHeight = 4, kWidth = 6;
constexpr int64_t kPlane = kHeight * kWidth;

std::string card(int64_t channels) {
  const std::vector<double> mean(static_cast<std::size_t>(channels * kPlane), 0.25);
  return fmt::format(
      "[model]\nkind = \"gaussian_mixture\"\nweights = [1.0]\nmeans = [[{}]]\nstd = [0.3]\nshape = [{}, {}, {}]\n",
      fmt::join(mean, ", "), channels, kHeight, kWidth);
}

// Every pixel of one value.
Pixels flat(uint8_t value, int64_t height = kHeight, int64_t width = kWidth) {
  Pixels out(height, width, 1);
  std::fill(out.values.begin(), out.values.end(), value);
  return out;
}

// As the model has them: [C, H, W] in [−1, 1].
Tensor in_model_scale(const Pixels& pixels) {
  return at::tensor(at::ArrayRef<uint8_t>(pixels.values), at::kByte)
                 .view({pixels.height, pixels.width, pixels.channels})
                 .permute({2, 0, 1})
                 .to(at::kDouble) /
             127.5 -
         1.0;
}

class Place final {
 public:
  Place() {
    write("grey.toml", card(1));
    write("rgb.toml", card(3));
    write("flat.toml",
          "[model]\nkind = \"gaussian_mixture\"\nweights = [1.0]\nmeans = [[0.0]]\nstd = [1.0]\nshape = [1]\n");
    write("black.png", testing::png_of(flat(0)));
  }
  void write(const std::string& name, const std::string& bytes) const { write_file_atomic(path(name), bytes); }
  void write(const std::string& name, const std::string& dataset, const Tensor& values) const {
    hdf5::ImageWriter image;
    image.dataset(dataset, values.contiguous());
    write(name, image.finish());
  }
  [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }
  [[nodiscard]] Outcome operator()(const std::vector<std::string>& words) const {
    return testing::run_stride(folder_.path(), words);
  }
  [[nodiscard]] Outcome sample(const std::string& model, std::vector<std::string> words) const {
    const std::vector<std::string> front = {"sample", "--model",   model, "--dtype", "float64", "--device",
                                            "cpu",    "--threads", "1",   "--steps", "3"};
    words.insert(words.begin(), front.begin(), front.end());
    return (*this)(words);
  }
  // The samples of a run that must end well; `outdir` is its folder.
  [[nodiscard]] Tensor x(const std::string& model, std::vector<std::string> words, const std::string& outdir) const {
    words.insert(words.end(), {"--outdir", outdir});
    const Outcome got = sample(model, words);
    INFO(got.err);
    REQUIRE(got.code == 0);
    return read_samples(path(outdir + "/samples.h5")).x;
  }
  // The hashes in a run's manifest by path.
  [[nodiscard]] std::map<std::string, std::string> inputs(const std::string& run) const {
    std::map<std::string, std::string> out;
    const json manifest = json::parse(testing::slurp(path(run + "/manifest.json")));
    for (const json& input : manifest.at("inputs")) out.emplace(input.at("path"), input.at("sha256"));
    return out;
  }

 private:
  testing::TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("start images: PNG, JPEG and WebP become the model's colours and scale, one image for all seeds") {
  const Place place;
  const Pixels rgb = testing::some_pixels(kHeight, kWidth, 3, 1);
  const Pixels grey = testing::some_pixels(kHeight, kWidth, 1, 2);
  const std::string jpeg = testing::jpeg_of(rgb);
  place.write("rgb.png", testing::png_of(rgb));
  place.write("grey.png", testing::png_of(grey));
  place.write("rgb.jpg", jpeg);
  place.write("a-webp-by-its-bytes", testing::webp_of(rgb));
  struct Row {
    std::string model, file;
    Pixels expected;
  };
  const std::vector<Row> rows = {{"rgb.toml", "rgb.png", rgb},
                                 {"rgb.toml", "a-webp-by-its-bytes", rgb},
                                 {"rgb.toml", "rgb.jpg", decode_jpeg(jpeg, "rgb.jpg")},
                                 {"rgb.toml", "grey.png", coloured(grey, Colour::rgb)},
                                 {"grey.toml", "grey.png", grey},
                                 {"grey.toml", "rgb.png", coloured(rgb, Colour::grey)}};
  for (const Row& row : rows) {
    INFO(row.model << " " << row.file);
    // All of it stays, so that the samples are the image.
    const Tensor x = place.x(row.model, {"--start", row.file, "--mask", "black.png", "--seeds", "4,9"},
                             fmt::format("out-{}", &row - rows.data()));
    REQUIRE(x.size(0) == 2);
    CHECK(at::equal(x[0], in_model_scale(row.expected)));
    CHECK(at::equal(x[1], x[0]));
  }
}

TEST_CASE("start images: white of a mask is made anew, black stays, and grey lies between") {
  const Place place;
  const Pixels start = testing::some_pixels(kHeight, kWidth, 3, 3);
  Pixels mask(kHeight, kWidth, 3);
  Tensor same = at::zeros({1, 1, kHeight, kWidth}, at::kDouble);
  for (int64_t i = 0; i < kPlane; ++i) {
    const uint8_t value = i % 3 == 0 ? 255 : i % 3 == 1 ? 0 : 51;
    std::fill_n(mask.values.begin() + i * 3, 3, value);
    same.view({-1})[i] = value / 255.0;
  }
  place.write("start.png", testing::png_of(start));
  place.write("mask.png", testing::png_of(mask));
  place.write("mask.h5", "mask", same);
  const std::vector<std::string> words = {"--start", "start.png", "--seeds", "0-2", "--mask"};
  const auto with = [&](const char* file) {
    std::vector<std::string> out = words;
    out.emplace_back(file);
    return out;
  };
  const Tensor x = place.x("rgb.toml", with("mask.png"), "png");
  CHECK(at::equal(x, place.x("rgb.toml", with("mask.h5"), "h5")));
  const Tensor difference = (x - in_model_scale(start)).abs().flatten(2);
  for (int64_t i = 0; i < kPlane; ++i) {
    const double least = difference.select(2, i).min().item<double>();
    const double most = difference.select(2, i).max().item<double>();
    if (i % 3 == 1)
      CHECK(most == 0.0);
    else
      CHECK(least > 0.0);
  }
}

TEST_CASE("start images: what --save png writes starts the seeds of its names, in any order") {
  const Place place;
  const Tensor made = place.x("rgb.toml", {"--seeds", "3,8,1000005", "--save", "png"}, "made");
  const Tensor kept =
      place.x("rgb.toml", {"--start", "made/images", "--mask", "black.png", "--seeds", "1000005,3"}, "kept");
  CHECK((kept[0] - made[2].clamp(-1, 1)).abs().max().item<double>() < 0.5 / 127.5 + 1e-6);
  CHECK((kept[1] - made[0].clamp(-1, 1)).abs().max().item<double>() < 0.5 / 127.5 + 1e-6);
  CHECK_FALSE(at::allclose(kept[0], kept[1]));
  // A folder of masks: the first seed's keeps all, the second's nothing.
  make_folders(place.path("masks"));
  place.write("masks/000003.png", testing::png_of(flat(0)));
  place.write("masks/000008.png", testing::png_of(flat(255)));
  const Tensor some = place.x("rgb.toml", {"--start", "made/images", "--mask", "masks", "--seeds", "3,8"}, "some");
  CHECK(at::equal(some[0], kept[1]));
  CHECK_FALSE(at::allclose(some[1], made[1].clamp(-1, 1), 0.0, 0.01));
}

TEST_CASE("start images: --invert starts from pictures as from the same numbers") {
  const Place place;
  const Pixels image = testing::some_pixels(kHeight, kWidth, 1, 5);
  place.write("one.png", testing::png_of(image));
  place.write("one.h5", "x", in_model_scale(image));
  const Tensor up = place.x("grey.toml", {"--start", "one.png", "--invert", "--seeds", "0-1"}, "png");
  CHECK(at::equal(up, place.x("grey.toml", {"--start", "one.h5", "--invert", "--seeds", "0-1"}, "h5")));
  CHECK(at::equal(up[0], up[1]));
}

TEST_CASE("start images: what does not fit or cannot be read ends in exit code 3, with the file and the reason") {
  const Place place;
  const std::string sound = testing::png_of(flat(7));
  place.write("one.png", sound);
  place.write("wide.png", testing::png_of(flat(7, kHeight, 9)));
  place.write("cut.png", sound.substr(0, sound.size() / 2));
  place.write("text.png", "this is no picture");
  make_folders(place.path("folder"));
  place.write("folder/000000.png", sound);
  struct Row {
    std::vector<std::string> words;
    std::vector<std::string> says;
  };
  const std::vector<Row> rows = {{{"--start", "wide.png"}, {"--start wide.png", "9 × 4", "6 × 4"}},
                                 {{"--start", "one.png", "--mask", "wide.png"}, {"--mask wide.png", "9 × 4", "6 × 4"}},
                                 {{"--start", "cut.png"}, {"--start cut.png", "damaged PNG"}},
                                 {{"--start", "text.png"}, {"text.png"}},
                                 {{"--start", "missing.png"}, {"missing.png"}},
                                 {{"--start", "folder"}, {"--start folder", "000001.png", "seed 1"}},
                                 {{"--start", "one.png", "--mask", "folder"}, {"--mask folder", "000001.png"}},
                                 {{"--invert", "--start", "wide.png"}, {"9 × 4"}},
                                 {{"--model", "flat.toml", "--start", "one.png"}, {"--start one.png", "[1]", "/x"}}};
  for (const Row& row : rows) {
    INFO(fmt::format("{}", fmt::join(row.words, " ")));
    std::vector<std::string> words = {"sample", "--seeds", "0-1", "--dry-run"};
    if (row.words[0] != "--model") words.insert(words.end(), {"--model", "grey.toml"});
    words.insert(words.end(), row.words.begin(), row.words.end());
    const Outcome got = place(words);
    INFO(got.err);
    CHECK(got.code == 3);
    for (const std::string& says : row.says) CHECK(got.err.find(says) != std::string::npos);
  }
}

TEST_CASE("start images: the manifest holds the hash of every input") {
  const Place place;
  place.write("start.png", testing::png_of(testing::some_pixels(kHeight, kWidth, 1, 6)));
  place.write("init.h5", "x", at::zeros({2, 1, kHeight, kWidth}));
  place.write("noise.h5", "eps", at::zeros({3, 2, 1, kHeight, kWidth}));
  (void)place.x("grey.toml",
                {"--start", "start.png", "--mask", "black.png", "--init", "init.h5", "--noise", "noise.h5", "--solver",
                 "euler_ancestral", "--seeds", "0-1", "--save", "png"},
                "run");
  const auto inputs = place.inputs("run");
  CHECK(inputs.size() == 5);
  for (const char* name : {"grey.toml", "start.png", "black.png", "init.h5", "noise.h5"})
    CHECK(inputs.at(name) == sha256_file(place.path(name)));

  // A folder's is that of its set of images.
  (void)place.x("grey.toml", {"--start", "run/images", "--seeds", "1,0"}, "again");
  CHECK(place.inputs("again").at("run/images") == open_images(place.path("run/images"))->sha256());

  const Outcome recorded = place(
      {"record", "--model", "grey.toml", "--init", "init.h5", "--seeds", "0-1", "--steps", "2", "--outdir", "store"});
  INFO(recorded.err);
  REQUIRE(recorded.code == 0);
  CHECK(place.inputs("store").at("init.h5") == inputs.at("init.h5"));
}

TEST_CASE("start images: --resume refuses inputs that have changed, and goes on once they are back") {
  const Place place;
  const std::string first = testing::png_of(testing::some_pixels(kHeight, kWidth, 1, 7));
  const std::string second = testing::png_of(testing::some_pixels(kHeight, kWidth, 1, 8));
  place.write("start.png", first);
  (void)place.x("grey.toml", {"--start", "start.png", "--seeds", "0-1"}, "run");
  remove_file(place.path("run/DONE"));
  const auto resume = [&] { return place({"sample", "--resume", "run"}); };

  place.write("start.png", second);
  for (int i = 0; i < 2; ++i) {  // being refused is not forgotten
    const Outcome refused = resume();
    INFO(refused.err);
    CHECK(refused.code == 3);
    CHECK(refused.err.find("start.png has changed") != std::string::npos);
    CHECK_FALSE(file_exists(place.path("run/DONE")));
  }
  place.write("start.png", first);
  place.write("grey.toml", card(1) + "sigma_data = 0.4\n");
  const Outcome other = resume();
  CHECK(other.code == 3);
  CHECK(other.err.find("grey.toml has changed") != std::string::npos);
  place.write("grey.toml", card(1));
  const Outcome resumed = resume();
  INFO(resumed.err);
  CHECK(resumed.code == 0);
  CHECK(place.inputs("run").size() == 2);

  remove_file(place.path("run/DONE"));
  place.write("run/manifest.json", "{\"inputs\": [");
  const Outcome damaged = resume();
  CHECK(damaged.code == 3);
  INFO(damaged.err);
  CHECK(damaged.err.find("manifest.json, line 1: not valid JSON") != std::string::npos);
}

}  // namespace stride
