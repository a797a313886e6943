#include "pipeline/sample_source.h"

#include "datasets/files/npz_reader.h"
#include "datasets/files/samples_file.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "neural/training/image_data.h"
#include "pipeline/embedded.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <vector>

namespace stride {
namespace {

SampleSource from_hdf5(const std::string& path) {
  SampleSource out;
  out.name = path;
  out.sha256 = sha256_file(path);
  out.x = read_dataset(path, "x");
  if (out.x.dim() < 2 || !out.x.is_floating_point() || out.x.size(0) < 1)
    throw InputError(fmt::format("{}: \"x\" must be floating-point samples [N, ...]", path));
  try {
    out.seeds = MappedSamples(path).get().seed.clone();
  } catch (const InputError&) {
    // Another program's file: samples without seeds.
  }
  return out;
}

SampleSource from_npz(const std::string& path) {
  SampleSource out;
  out.name = path;
  std::string bytes = read_file(path);
  out.sha256 = sha256(bytes);
  const NpzReader file(std::move(bytes), path);
  const Tensor pixels = file.read("arr_0");
  if (pixels.scalar_type() != at::kByte || pixels.dim() != 4 || pixels.numel() == 0)
    throw InputError(fmt::format("{}: 'arr_0' must be uint8 images [N, H, W, C]", path));
  out.x = from_pixels(pixels);
  return out;
}

SampleSource from_images(const ImageData& data) { return {data.images, {}, data.name, data.sha256}; }

}  // namespace

Tensor from_pixels(const Tensor& pixels) {
  return pixels.permute({0, 3, 1, 2}).to(at::kFloat).div(127.5).sub(1.0).contiguous();
}

NamedBytes find_bytes(const std::string& option, const std::string& name, bool features) {
  std::error_code none;
  if (file_exists(name) && !std::filesystem::is_directory(name, none)) return {read_file(name), name};
  constexpr std::string_view kSuffix = ".safetensors";
  std::vector<std::string> folders;
  for (const EmbeddedFile& file : embedded_files()) {
    const std::string path(file.name);
    const std::string folder = path.substr(0, path.find('/'));
    const bool fits = features ? folder.rfind("features-", 0) == 0 : path == folder + "/" + folder + ".safetensors";
    if (!fits || !path.ends_with(kSuffix)) continue;
    if (folder == name) return {std::string(file.bytes), "embedded:" + path};
    folders.push_back(folder);
  }
  throw InputError(fmt::format("{} {}: no such file, and not embedded; embedded are: {}", option, name,
                               folders.empty() ? "none" : fmt::format("{}", fmt::join(folders, ", "))));
}

std::string samples_of_run(const std::string& path) {
  const std::string inside = path + "/samples.h5";
  std::error_code none;
  return std::filesystem::is_directory(path, none) && file_exists(inside) ? inside : path;
}

SampleSource load_samples(const std::string& option, const std::string& given) {
  const std::string path = samples_of_run(given);
  if (path.ends_with(".h5")) return from_hdf5(path);
  if (path.ends_with(".npz")) return from_npz(path);
  std::error_code none;
  if (std::filesystem::exists(path + "/manifest.json", none) && std::filesystem::exists(path + "/command.txt", none))
    throw InputError(fmt::format("{} {}: a run folder without samples.h5; name the run of a `stride sample`, or images",
                                 option, path));
  if (std::filesystem::exists(path, none)) return from_images(load_images(path));
  const NamedBytes embedded = find_bytes(option, path, false);
  return from_images(parse_images(embedded.bytes, embedded.where));
}

}  // namespace stride
