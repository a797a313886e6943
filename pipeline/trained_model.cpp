#include "pipeline/trained_model.h"

#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/seal.h"
#include "pipeline/embedded.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <filesystem>

namespace stride {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out + "\"";
}

// TOML tells 20.0 from 20.
std::string toml_number(double value) {
  const std::string text = fmt::format("{}", value);
  return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}

std::string lines_of_data(const ImageData& data) {
  return fmt::format("data = {}\ndata_source = {}\ndata_licence = {}\ndata_sha256 = \"{}\"\ndata_images = {}\n",
                     quoted(data.name), quoted(data.source), quoted(data.licence), data.sha256, data.size());
}

}  // namespace

ImageData training_images(const std::string& name_or_path, const ImageDataOptions& options, const ProgressFn& progress,
                          const std::string& setting) {
  if (file_exists(name_or_path)) return load_images(name_or_path, options, progress);
  const std::string inside = fmt::format("{}/{}.safetensors", name_or_path, name_or_path);
  if (const auto bytes = embedded_file(inside)) return parse_images(*bytes, "embedded:" + inside, options);
  // FILE.tar/FOLDER
  for (std::size_t slash = name_or_path.find('/', 1); slash != std::string::npos;
       slash = name_or_path.find('/', slash + 1))
    if (std::filesystem::is_regular_file(name_or_path.substr(0, slash)))
      return load_images(name_or_path, options, progress);
  throw InputError(fmt::format("{} {}: no such file or folder, and not an embedded data set (digits is one)", setting,
                               name_or_path));
}

std::string unet_card(const UNetCard& card, const UNetConfig& config, const ImageData& data) {
  std::string text = fmt::format(
      "# Written by `stride train-denoiser`.\n[model]\nname = {}\nkind = \"unet\"\nfile = {}\nsha256 = \"{}\"\n"
      "prediction = \"edm\"\ntime = \"c_noise\"\nshape = [{}]\nsigma_data = {}\n"
      "# What is sampled: from a σ that drowns the data to one below its finest detail.\nsigma_min = {}\nsigma_max = "
      "{}\n",
      quoted(card.name), quoted(card.file), card.sha256, fmt::join(data.shape(), ", "), toml_number(config.sigma_data),
      toml_number(card.sigma_min), toml_number(card.sigma_max));
  if (config.classes > 0) text += fmt::format("conditions = [{{ name = \"class\", classes = {} }}]\n", config.classes);
  text += fmt::format("\n[provenance]\ncommand = {}\nparameters = {}\nimages_seen = {}\nloss = {:.5f}\n",
                      quoted(card.command), card.parameters, card.images_seen, card.loss);
  return sealed_toml(text + lines_of_data(data));
}

std::string feature_card(const std::string& name, const std::string& file, const std::string& sha256,
                         const TrainedFeatures& trained, const ImageData& data, const std::string& command) {
  return sealed_toml(
      fmt::format(
          "# Written by `stride train-denoiser --network features`. No denoiser: what Fréchet distances are "
          "measured in.\n"
          "[features]\nname = {}\nfile = {}\nsha256 = \"{}\"\nshape = [{}]\nsize = {}\n\n[provenance]\ncommand = "
          "{}\n"
          "parameters = {}\ntrain_accuracy = {:.4f}\ntest_accuracy = {:.4f}\ntest_images = {}\n",
          quoted(name), quoted(file), sha256, fmt::join(trained.config.shape, ", "), trained.config.features,
          quoted(command), count(feature_layout(trained.config)), trained.train_accuracy, trained.test_accuracy,
          trained.test_images) +
      lines_of_data(data));
}

}  // namespace stride
