#include "apps/commands/training_output.h"

#include "apps/cli/run_dir.h"
#include "datasets/images/image_codec.h"

#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <filesystem>

namespace stride {

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
  // Not what was given: a resumed run was given every setting by its config.toml.
  const OptionValues defaults(options.table());
  std::vector<std::string> words = {"stride", context.command()};
  for (const Option& option : options.table()) {
    // Where things went and how they were shown is no part of what was trained.
    const bool matters = option.key.starts_with("training.") || option.key.starts_with("network.");
    if (!matters || !options.has(option.name) || option.name == "checkpoint-every" || option.name == "look-every")
      continue;
    if (options.values(option.name) == defaults.values(option.name)) continue;
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
