#include "datasets/images/image_sources.h"
#include "framework/files/hash.h"

#include <fmt/format.h>

#include <algorithm>

namespace stride {
namespace {

class ArrayImages final : public ImageSource {
 public:
  explicit ArrayImages(PixelArray array) : array_(std::move(array)) {
    for (const PixelArray::Piece& piece : array_.pieces) size_ += piece.count;
  }

  [[nodiscard]] std::string kind() const override { return array_.kind; }
  [[nodiscard]] int64_t size() const override { return size_; }
  [[nodiscard]] int64_t classes() const override { return array_.classes; }
  [[nodiscard]] std::vector<std::string> class_names() const override { return array_.class_names; }
  [[nodiscard]] int64_t maximum() const override { return array_.maximum; }
  [[nodiscard]] std::string sha256() const override { return array_.sha256(); }

  [[nodiscard]] std::string name(int64_t i) const override {
    const auto [piece, at] = find(i);
    return fmt::format("{}: image {}", piece->where, at);
  }
  [[nodiscard]] int64_t label(int64_t i) const override {
    return array_.classes == 0 ? -1 : array_.labels[static_cast<std::size_t>(i)];
  }
  [[nodiscard]] Pixels decode(int64_t i) const override {
    const auto [piece, at] = find(i);
    const uint8_t* from = piece->first + at * piece->stride;
    Pixels out(array_.height, array_.width, array_.channels);
    if (!array_.planar) {
      std::copy_n(from, out.values.size(), out.values.begin());
      return out;
    }
    const int64_t plane = array_.height * array_.width;
    uint8_t* to = out.values.data();
    for (int64_t p = 0; p < plane; ++p)
      for (int64_t c = 0; c < array_.channels; ++c) *to++ = from[c * plane + p];
    return out;
  }

 private:
  [[nodiscard]] std::pair<const PixelArray::Piece*, int64_t> find(int64_t i) const {
    const PixelArray::Piece* piece = array_.pieces.data();
    for (; i >= piece->count; ++piece) i -= piece->count;
    return {piece, i};
  }

  PixelArray array_;
  int64_t size_ = 0;
};

}  // namespace

std::unique_ptr<const ImageSource> array_images(PixelArray array) {
  return std::make_unique<ArrayImages>(std::move(array));
}

std::string sha256_of_files(const std::vector<std::string>& paths) {
  if (paths.size() == 1) return sha256_file(paths[0]);
  SumOfFiles sum;
  for (const std::string& path : paths) sum.add(sha256_file(path), path.substr(path.find_last_of('/') + 1));
  return sum.sha256();
}

}  // namespace stride
