#include "datasets/images/image_codec.h"
#include "datasets/images/image_labels.h"
#include "datasets/images/image_sources.h"
#include "framework/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace stride {
namespace {

constexpr const char* kJson = "dataset.json";

bool named_as_image(const std::string& name) {
  static constexpr std::array<std::string_view, 5> kEndings = {".png", ".jpg", ".jpeg", ".webp", ".npy"};
  std::string lower = name.substr(name.find_last_of("./") == std::string::npos ? 0 : name.find_last_of("./"));
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  return std::find(kEndings.begin(), kEndings.end(), lower) != kEndings.end();
}

class EncodedImages final : public ImageSource {
 public:
  EncodedImages(std::unique_ptr<const FileSet> files, std::vector<std::size_t> items, ImageLabels labels)
      : files_(std::move(files)), items_(std::move(items)), labels_(std::move(labels)) {}

  [[nodiscard]] std::string kind() const override { return files_->kind(); }
  [[nodiscard]] int64_t size() const override { return static_cast<int64_t>(items_.size()); }
  [[nodiscard]] int64_t classes() const override { return labels_.classes; }
  [[nodiscard]] std::vector<std::string> class_names() const override { return labels_.class_names; }
  [[nodiscard]] std::string name(int64_t i) const override {
    return files_->where(items_[static_cast<std::size_t>(i)]);
  }
  [[nodiscard]] int64_t label(int64_t i) const override {
    return labels_.classes == 0 ? -1 : labels_.labels[static_cast<std::size_t>(i)];
  }
  [[nodiscard]] Pixels decode(int64_t i) const override {
    const std::string bytes = files_->read(items_[static_cast<std::size_t>(i)]);
    return is_npy(bytes) ? decode_npy(bytes, name(i)) : decode_image(bytes, name(i));
  }
  [[nodiscard]] std::string sha256() const override { return files_->sha256(); }

 private:
  std::unique_ptr<const FileSet> files_;
  std::vector<std::size_t> items_;  ///< of the files, those that are images
  ImageLabels labels_;
};

}  // namespace

std::unique_ptr<const ImageSource> encoded_images(std::unique_ptr<const FileSet> files, bool folders,
                                                  const ImageSetOptions& options) {
  const bool keys = files->kind() == "LMDB";  // keys have no endings
  std::vector<std::size_t> items;
  std::vector<std::string> names;
  const std::size_t none = files->names().size();
  std::size_t json = none;
  for (std::size_t i = 0; i < none; ++i) {
    const std::string& name = files->names()[i];
    if (name == kJson) {
      json = i;
      continue;
    }
    if (!keys && !named_as_image(name) && image_format(files->read(i)) == ImageFormat::none)
      throw InputError(fmt::format("{}: is not an image (PNG, JPEG, WebP); take it out of the set", files->where(i)));
    items.push_back(i);
    names.push_back(name);
  }
  if (items.empty()) throw InputError(fmt::format("{}: holds no images (PNG, JPEG, WebP)", files->where()));
  ImageLabels labels;
  if (options.labels && json != none) {
    labels = labels_of_json(files->read(json), names, files->where(json));
  } else if (options.labels && folders) {
    labels = labels_of_folders(names, files->where());
  }
  return std::make_unique<EncodedImages>(std::move(files), std::move(items), std::move(labels));
}

}  // namespace stride
