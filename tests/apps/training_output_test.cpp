// What a training leaves behind: the real executable.
#include "framework/files/file.h"
#include "tests/apps/process.h"
#include "tests/catch_torch.h"
#include "tests/datasets/image_files.h"
#include "tests/temporary_folder.h"

namespace stride {
namespace {

using testing::Outcome;

// The line `command = "…"` of the card that a short training with `more` options leaves.
std::string command_in_card(const std::vector<std::string>& more) {
  const testing::TemporaryFolder folder;
  make_folders(folder / "images");
  for (const char* name : {"images/0.png", "images/1.png"})
    write_file_atomic(folder / name, testing::png_of(testing::some_pixels(8, 8, 1, 1)));
  std::vector<std::string> words = {"train-denoiser", "--data", "images",     "--unconditional",
                                    "--out",          "model",  "--channels", "8",
                                    "--embedding",    "8",      "--images",   "8",
                                    "--minibatch",    "4",      "--outdir",   "run",
                                    "--threads",      "1"};
  words.insert(words.end(), more.begin(), more.end());
  const Outcome got = testing::run_stride(folder.path(), words);
  INFO(got.err);
  REQUIRE(got.code == 0);
  const std::string card = testing::slurp(folder / "model/card.toml");
  const auto begin = card.find("command = ");
  REQUIRE(begin != std::string::npos);
  return card.substr(begin, card.find('\n', begin) - begin);
}

}  // namespace

TEST_CASE("training output: the command in a card has the device, the type and TF32 where they were not the default") {
  const std::string all = command_in_card({"--device", "cpu", "--dtype", "bfloat16", "--tf32", "--quiet"});
  CHECK_THAT(all, contains("stride train-denoiser --data images"));
  CHECK_THAT(all, contains("--device cpu --dtype bfloat16 --tf32 --threads 1\""));
  // Where it went and how it was shown is no part of what was trained.
  for (const char* word : {"--outdir", "--quiet", "--batch"}) CHECK(all.find(word) == std::string::npos);

  const std::string plain = command_in_card({"--dtype", "float32"});
  for (const char* word : {"--dtype", "--tf32", "--device cpu"}) CHECK(plain.find(word) == std::string::npos);
  CHECK_THAT(plain, contains("--threads 1\""));
}

}  // namespace stride
