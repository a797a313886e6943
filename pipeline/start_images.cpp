#include "pipeline/start_images.h"

#include "datasets/images/file_set.h"
#include "datasets/images/image_codec.h"
#include "datasets/images/png_data.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <fstream>
#include <map>

namespace stride {
namespace {

constexpr double kWhite = 255.0;

bool is_folder(const std::string& path) {
  std::error_code none;
  return std::filesystem::is_directory(path, none);
}

std::string name_of(int64_t seed) { return fmt::format("{:06}.png", seed); }

// uint8 `[C, H, W]`.
Tensor decoded(const std::string& bytes, const std::string& where, Colour colour, const ModelInfo& model) {
  const Pixels pixels = coloured(decode_image(bytes, where), colour);
  const int64_t height = model.shape[1], width = model.shape[2];
  if (pixels.height != height || pixels.width != width)
    throw InputError(fmt::format("{}: is {} × {} pixels, but the samples of '{}' are {} × {}; resize it to that", where,
                                 pixels.width, pixels.height, model.name, width, height));
  return at::tensor(at::ArrayRef<uint8_t>(pixels.values), at::kByte)
      .view({height, width, pixels.channels})
      .permute({2, 0, 1})
      .contiguous();
}

std::string read_one_of(const PictureRequest& request, const std::string& name, int64_t seed) {
  const std::string path = request.path + "/" + name;
  if (!file_exists(path))
    throw InputError(
        fmt::format("`{}` {}: has no {}, the image of seed {}; a folder needs one for each seed, named as `save` png "
                    "names them in images/ of a run",
                    request.option, request.path, name, seed));
  return read_file(path);
}

// uint8 `[N, C, H, W]`, or `[1, C, H, W]` from one file.
ReadInput read_all_of(const PictureRequest& request, Colour colour, const ModelInfo& model) {
  const auto where = [&](const std::string& path) { return fmt::format("`{}` {}", request.option, path); };
  if (!is_folder(request.path)) {
    const std::string bytes = read_file(request.path);
    return {decoded(bytes, where(request.path), colour, model).unsqueeze(0), sha256(bytes)};
  }
  std::vector<Tensor> rows;
  std::map<std::string, std::string> sums;
  for (const int64_t seed : request.seeds) {
    const std::string name = name_of(seed);
    const std::string bytes = read_one_of(request, name, seed);
    rows.push_back(decoded(bytes, where(request.path + "/" + name), colour, model));
    sums[name] = sha256(bytes);
  }
  SumOfFiles sum;
  for (const auto& [name, hash] : sums) sum.add(hash, name);
  return {at::stack(rows), sum.sha256()};
}

}  // namespace

bool is_picture_input(const std::string& path) {
  if (is_folder(path)) return true;
  if (!std::filesystem::is_regular_file(path)) return false;  // a pipe would wait for a writer
  std::string head(12, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(file.gcount()));
  return image_format(head) != ImageFormat::none;
}

ReadInput read_pictures(const PictureRequest& request, const ModelInfo& model) {
  if (!is_image_shape(model.shape))
    throw InputError(
        fmt::format("`{}` {}: is a picture, but the samples of '{}' have the shape [{}], not that of an image; give an "
                    "HDF5 file with /x",
                    request.option, request.path, model.name, fmt::join(model.shape, ", ")));
  ReadInput out = read_all_of(request, model.shape[0] == 1 ? Colour::grey : Colour::rgb, model);
  out.values = out.values.to(at::kDouble) / (kWhite / 2.0) - 1.0;
  return out;
}

ReadInput read_mask_pictures(const PictureRequest& request, const ModelInfo& model) {
  if (model.shape.size() != 3)
    throw InputError(
        fmt::format("`{}` {}: is a picture, but the samples of '{}' have the shape [{}], not [C, H, W]; give an HDF5 "
                    "file with /mask",
                    request.option, request.path, model.name, fmt::join(model.shape, ", ")));
  ReadInput out = read_all_of(request, Colour::grey, model);
  out.values = out.values.to(at::kDouble) / kWhite;
  return out;
}

}  // namespace stride
