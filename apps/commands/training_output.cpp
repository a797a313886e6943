#include "apps/commands/training_output.h"

#include "apps/cli/run_dir.h"
#include "datasets/images/image_codec.h"
#include "framework/files/file.h"
#include "pipeline/embedded.h"

#include <ATen/Parallel.h>
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

std::string folder_name(const std::string& folder) {
  const auto path = std::filesystem::absolute(folder).lexically_normal();
  return (path.has_filename() ? path : path.parent_path()).filename().string();
}

OptionTable image_options() {
  return {{.name = "size",
           .kind = ValueKind::integer,
           .value = "N",
           .help = "resize the images to N × N (Lanczos)",
           .group = "Training",
           .key = "training.size"},
          {.name = "crop",
           .fallback = "centre",
           .value = "KIND",
           .help = "with --size: cut out the square in the middle first, or scale both sides",
           .group = "Training",
           .key = "training.crop",
           .choices = {"centre", "none"}},
          {.name = "colour",
           .fallback = "auto",
           .value = "KIND",
           .help = "turn the images into grey or RGB ones; auto: all must be as the first",
           .group = "Training",
           .key = "training.colour",
           .choices = {"auto", "grey", "rgb"}},
          {.name = "mirror",
           .kind = ValueKind::flag,
           .help = "add the mirrored twin of every image",
           .group = "Training",
           .key = "training.mirror"}};
}

ImageTransform image_transform(const OptionValues& options) {
  ImageTransform transform;
  if (options.has("size")) {
    transform.size = options.integer("size");
    if (transform.size < 1 || transform.size > kMaxImageSide)
      throw UsageError(fmt::format("--size {}: a number from 1 to {} is needed", transform.size, kMaxImageSide));
  }
  transform.crop = options.text("crop") == "centre";
  if (options.text("colour") != "auto")
    transform.colour = options.text("colour") == "grey" ? Colour::grey : Colour::rgb;
  transform.mirror = options.flag("mirror");
  return transform;
}

ImageData training_images(const std::string& name_or_path, const ImageDataOptions& options,
                          const ProgressFn& progress) {
  if (file_exists(name_or_path)) return load_images(name_or_path, options, progress);
  const std::string inside = fmt::format("{}/{}.safetensors", name_or_path, name_or_path);
  if (const auto bytes = embedded_file(inside)) return parse_images(*bytes, "embedded:" + inside, options);
  // FILE.tar/FOLDER
  for (std::size_t slash = name_or_path.find('/', 1); slash != std::string::npos;
       slash = name_or_path.find('/', slash + 1))
    if (std::filesystem::is_regular_file(name_or_path.substr(0, slash)))
      return load_images(name_or_path, options, progress);
  throw InputError(
      fmt::format("--data {}: no such file or folder, and not an embedded data set (digits is one)", name_or_path));
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
  return text + lines_of_data(data);
}

std::string feature_card(const std::string& name, const std::string& file, const std::string& sha256,
                         const TrainedFeatures& trained, const ImageData& data, const std::string& command) {
  return fmt::format(
             "# Written by `stride train-denoiser --network features`. No denoiser: what Fréchet distances are "
             "measured in.\n"
             "[features]\nname = {}\nfile = {}\nsha256 = \"{}\"\nshape = [{}]\nsize = {}\n\n[provenance]\ncommand = "
             "{}\n"
             "parameters = {}\ntrain_accuracy = {:.4f}\ntest_accuracy = {:.4f}\ntest_images = {}\n",
             quoted(name), quoted(file), sha256, fmt::join(trained.config.shape, ", "), trained.config.features,
             quoted(command), count(feature_layout(trained.config)), trained.train_accuracy, trained.test_accuracy,
             trained.test_images) +
         lines_of_data(data);
}

namespace {

// Where and how numbers were rounded; a GPU that `auto` took is named, for another machine may have none.
std::vector<std::string> numerics_words(const Context& context) {
  const OptionValues& options = context.options();
  std::vector<std::string> words;
  if (const std::string& device = options.text("device"); device != "auto")
    words = {"--device", device};
  else if (context.device().is_cuda())
    words = {"--device", "cuda"};
  if (context.dtype() != at::kFloat) words.insert(words.end(), {"--dtype", options.text("dtype")});
  if (options.flag("tf32")) words.emplace_back("--tf32");
  return words;
}

}  // namespace

std::string training_command(const Context& context) {
  const OptionValues& options = context.options();
  std::vector<std::string> words = {"stride", context.command()};
  for (const Option& option : options.table()) {
    // Where things went and how they were shown is no part of what was trained.
    const bool matters = option.key.starts_with("training.") || option.key.starts_with("network.");
    if (!matters || !options.given(option.name) || option.name == "checkpoint-every" || option.name == "look-every")
      continue;
    for (const std::string& value : options.values(option.name)) {
      words.push_back("--" + option.name);
      if (option.kind != ValueKind::flag) words.push_back(value);
    }
  }
  const std::vector<std::string> numerics = numerics_words(context);
  words.insert(words.end(), numerics.begin(), numerics.end());
  words.insert(words.end(), {"--threads", fmt::format("{}", at::get_num_threads())});
  return shell_quote(words);
}

}  // namespace stride
