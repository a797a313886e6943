// The kinds of image sets, each behind ImageSource. open_images chooses among them.
#pragma once

#include "datasets/images/file_set.h"
#include "datasets/images/image_source.h"

#include <functional>
#include <string_view>

namespace stride {

/// PNG, JPEG and WebP files (and uint8 .npy arrays) of a set. Classes by the set's dataset.json where there is one,
/// else by its folders where `folders` says so. Throws InputError for a file that is no image.
[[nodiscard]] std::unique_ptr<const ImageSource> encoded_images(std::unique_ptr<const FileSet> files, bool folders,
                                                                const ImageSetOptions& options);

/// Images that lie in memory (or in a mapped file) as they are.
struct PixelArray {
  /// Images one after the other, `stride` bytes from one to the next.
  struct Piece {
    std::string where;  ///< names it in messages
    const uint8_t* first = nullptr;
    int64_t count = 0;
    int64_t stride = 0;
  };
  std::string kind;
  std::vector<Piece> pieces;
  int64_t height = 0, width = 0, channels = 0;
  bool planar = false;  ///< [C, H, W] in place of [H, W, C]
  int64_t maximum = 255;
  std::vector<int64_t> labels;
  int64_t classes = 0;
  std::vector<std::string> class_names;
  std::function<std::string()> sha256;
  std::shared_ptr<const void> memory;  ///< keeps the pieces alive
};
[[nodiscard]] std::unique_ptr<const ImageSource> array_images(PixelArray array);

/// SHA-256 of one file, or of the lines for several (by their names without folders).
[[nodiscard]] std::string sha256_of_files(const std::vector<std::string>& paths);

/// `path`: a folder with the binary version of CIFAR-10 (data_batch_1.bin to data_batch_5.bin: the training set) or
/// CIFAR-100 (train.bin), or one such file. Throws InputError, as the others do.
[[nodiscard]] std::unique_ptr<const ImageSource> open_cifar(const std::string& path, const ImageSetOptions& options);
/// Whether the folder holds such files, and whether the bytes of a file can be such records.
[[nodiscard]] bool is_cifar_folder(const std::string& path);
[[nodiscard]] bool looks_like_cifar(std::string_view bytes) noexcept;

/// `path`: an IDX file of images, whose labels lie beside it, or a folder with the training set of the MNIST family.
[[nodiscard]] std::unique_ptr<const ImageSource> open_idx(const std::string& path, const ImageSetOptions& options);
[[nodiscard]] bool is_idx_folder(const std::string& path);

/// `/images` or `/x`, uint8 [N, H, W, C], [N, C, H, W] or [N, H, W], and `/labels` [N], whole numbers from 0.
[[nodiscard]] std::unique_ptr<const ImageSource> open_hdf5_images(const std::string& path,
                                                                  const ImageSetOptions& options);

/// One .npy file of uint8 [H, W], [H, W, C] or [C, H, W].
[[nodiscard]] bool is_npy(std::string_view bytes) noexcept;
[[nodiscard]] Pixels decode_npy(std::string_view bytes, const std::string& where);

}  // namespace stride
