// HDF5 files as images in memory: built here and written by the project's file layer, or checked here
// and then opened. libhdf5 never touches a file itself: appending, closing on a full disk and opening
// damaged files all lose data or crash in it (docs/store.md).
#pragma once

#include "framework/tensor.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stride::hdf5 {

/// Builds a file in memory: contiguous little-endian datasets in the root group, and text attributes of
/// it. Plain HDF5 1.10 that h5py reads. The same contents give the same bytes.
class ImageWriter final {
 public:
  /// Throws ResourceError, as every member does, when libhdf5 fails: memory is what it can run out of.
  ImageWriter();
  ~ImageWriter();
  ImageWriter(const ImageWriter&) = delete;
  ImageWriter& operator=(const ImageWriter&) = delete;

  /// dtypes float64 float32 float16 int64 int32 int16 int8 uint8; UsageError for others. `values` are kept, not copied:
  /// they stay as they are until finish.
  void dataset(const std::string& name, const Tensor& values);
  void attribute(const std::string& name, const std::string& text);

  /// The file's bytes. The writer is used up.
  [[nodiscard]] std::string finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

struct DatasetInfo {
  at::ScalarType type;
  std::vector<int64_t> shape;
  uint64_t bytes = 0;              ///< of the values in memory
  std::optional<uint64_t> offset;  ///< of the values in the file, where they lie there as they are in memory
};

/// Opens a file image without copying it. libhdf5 can crash on damaged files: give it only bytes whose
/// checksum was verified, or use read_foreign_dataset.
class ImageReader final {
 public:
  /// `bytes` must outlive the reader; `where` names the file in messages. Throws InputError, as every
  /// member does.
  ImageReader(std::string_view bytes, std::string where);
  ~ImageReader();
  ImageReader(const ImageReader&) = delete;
  ImageReader& operator=(const ImageReader&) = delete;

  /// The names in the root group, sorted.
  [[nodiscard]] std::vector<std::string> names() const;
  [[nodiscard]] bool has(const std::string& name) const;
  /// Throws for links out of the file, external or virtual storage, and types that tensors lack.
  [[nodiscard]] DatasetInfo info(const std::string& name) const;
  [[nodiscard]] Tensor read(const std::string& name) const;
  [[nodiscard]] std::optional<std::string> attribute(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> attribute_names() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Reads one dataset of a file from anywhere, in a child process, so that a damaged file is an error
/// here and not a crash. Throws InputError.
[[nodiscard]] Tensor read_foreign_dataset(const std::string& path, const std::string& name);

}  // namespace stride::hdf5
