// What the readers see, for read_back.py: a line of JSON and the pixels [N, H, W, C] of an image set. Exit codes as the
// command's.
#include "datasets/images/image_loader.h"
#include "framework/error.h"

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <cstring>
#include <string>

using namespace stride;

namespace {

int probe(int argc, char** argv) {
  ImageTransform transform;
  ImageSetOptions options;
  int threads = 3;
  for (int i = 2; i < argc; ++i) {
    const std::string word = argv[i];
    const auto value = [&] { return std::string(i + 1 < argc ? argv[++i] : ""); };
    if (word == "--size") transform.size = std::stoll(value());
    if (word == "--crop") transform.crop = value() != "none";
    if (word == "--colour") transform.colour = value() == "grey" ? Colour::grey : Colour::rgb;
    if (word == "--mirror") transform.mirror = true;
    if (word == "--no-labels") options.labels = false;
    if (word == "--threads") threads = std::stoi(value());
  }
  const std::shared_ptr<const ImageSource> source = open_images(argv[1], options);
  const DecodedImages all = read_all(source, transform, {}, threads);
  nlohmann::json about = {{"kind", source->kind()},
                          {"classes", source->classes()},
                          {"class_names", source->class_names()},
                          {"sha256", source->sha256()},
                          {"shape", all.images.permute({0, 2, 3, 1}).sizes().vec()},
                          {"first", source->name(0)},
                          {"labels", nullptr}};
  if (all.labels.defined()) {
    const auto* labels = all.labels.const_data_ptr<int64_t>();
    about["labels"] = std::vector<int64_t>(labels, labels + all.labels.size(0));
  }
  std::printf("%s\n", about.dump().c_str());
  const Tensor pixels = all.images.permute({0, 2, 3, 1}).contiguous();
  return std::fwrite(pixels.const_data_ptr(), 1, pixels.nbytes(), stdout) == pixels.nbytes() ? 0 : 5;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  try {
    return probe(argc, argv);
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return error.kind() == ErrorKind::input ? 3 : error.kind() == ErrorKind::resources ? 5 : 2;
  }
}
