// Images of a set, decoded ahead by several threads, in batches.
#pragma once

#include "datasets/images/image_source.h"
#include "framework/progress.h"
#include "framework/tensor.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stride {

struct LoaderOptions {
  int64_t batch = 64;
  int64_t ahead = 4;    ///< batches that are being decoded or wait to be taken, at most
  int threads = 0;      ///< 0: one a core
  bool pinned = false;  ///< batches in page-locked memory, which a GPU reads without a copy; without CUDA: no effect
};

struct ImageBatch {
  Tensor images;               ///< uint8 `[B, C, H, W]`
  Tensor labels;               ///< int64 `[B]`; undefined without labels
  std::vector<int64_t> items;  ///< which they are
};

/// One pass over chosen images. What comes, and in which order, depends on neither the number of threads nor their
/// timing. For one consuming thread.
class ImageLoader final {
 public:
  /// `items` are images of the set in the order in which they come; with `transform.mirror`, size() + i is the mirrored
  /// twin of i. All images must come out with the shape of the set's first. Throws InputError where that one cannot be
  /// decoded, UsageError for an item that there is not.
  ImageLoader(std::shared_ptr<const ImageSource> source, const ImageTransform& transform, std::vector<int64_t> items,
              const LoaderOptions& options = {});
  /// Ends the threads.
  ~ImageLoader();
  ImageLoader(const ImageLoader&) = delete;
  ImageLoader& operator=(const ImageLoader&) = delete;

  /// `[C, H, W]` of every image.
  [[nodiscard]] const std::vector<int64_t>& shape() const noexcept;
  /// The next batch (the last one may be smaller), or nothing after the last. Throws InputError, naming the image,
  /// where one of the batch is damaged or of another shape; of several the first.
  [[nodiscard]] std::optional<ImageBatch> next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// How many images `source` is with `transform`: twice as many when mirrored.
[[nodiscard]] int64_t size_of(const ImageSource& source, const ImageTransform& transform);

/// A whole set in memory.
struct DecodedImages {
  Tensor images;         ///< uint8 `[N, C, H, W]`
  Tensor labels;         ///< int64 `[N]`; undefined without labels
  bool stopped = false;  ///< `progress` asked for it; what is missing is zero
};
/// Decodes all images on several threads (0: one a core); mirrored twins follow the images. Throws as ImageLoader, and
/// ResourceError when they do not fit into memory.
[[nodiscard]] DecodedImages read_all(std::shared_ptr<const ImageSource> source, const ImageTransform& transform = {},
                                     const ProgressFn& progress = {}, int threads = 0);

}  // namespace stride
