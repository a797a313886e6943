// Sets of images, whatever they are stored in.
#pragma once

#include "datasets/images/pixels.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace stride {

/// Images that are decoded one at a time, in an order that does not change. All members may be called from several
/// threads at once.
class ImageSource {
 public:
  virtual ~ImageSource() = default;

  /// What they are stored in: "CIFAR-10", "folder", …
  [[nodiscard]] virtual std::string kind() const = 0;
  [[nodiscard]] virtual int64_t size() const = 0;
  /// 0 without labels.
  [[nodiscard]] virtual int64_t classes() const = 0;
  /// One a class, or empty where the set does not name them.
  [[nodiscard]] virtual std::vector<std::string> class_names() const = 0;
  /// How messages name image `i`: set and item.
  [[nodiscard]] virtual std::string name(int64_t i) const = 0;
  /// From 0; −1 without labels.
  [[nodiscard]] virtual int64_t label(int64_t i) const = 0;
  /// Throws InputError, naming the image, when it is damaged.
  [[nodiscard]] virtual Pixels decode(int64_t i) const = 0;
  /// The largest value that a pixel may have: white.
  [[nodiscard]] virtual int64_t maximum() const { return 255; }
  /// Which set this is: SHA-256 of its file or, for several files, of the lines that `sha256sum` prints for them in
  /// the order of their names (docs/images.md). Reads them all.
  [[nodiscard]] virtual std::string sha256() const = 0;

 protected:
  ImageSource() = default;
  ImageSource(const ImageSource&) = default;
  ImageSource& operator=(const ImageSource&) = default;
};

struct ImageSetOptions {
  bool labels = true;  ///< false: labels are neither needed nor looked at
};

/// Opens what `path` holds, told by its content: the folder or a file of CIFAR-10 or CIFAR-100 (binary version), IDX
/// files (MNIST), a folder or tar of PNG, JPEG and WebP, an LSUN database (LMDB), EDM's dataset.zip, HDF5, or Stride's
/// own safetensors. `FILE.tar/FOLDER` and `FILE.zip/FOLDER` are that part of an archive. docs/images.md describes
/// each. Throws InputError, saying what is wrong, where, and how to mend it.
[[nodiscard]] std::unique_ptr<const ImageSource> open_images(const std::string& path,
                                                             const ImageSetOptions& options = {});

}  // namespace stride
