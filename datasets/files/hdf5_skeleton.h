// What lies around the values of an HDF5 file, and where the values belong: so that files larger than memory are
// written in one pass, by the project's file layer.
#pragma once

#include "framework/tensor.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace stride::hdf5 {

/// A file but for its values. Plain HDF5 1.10 that h5py reads; the same contents give the same bytes.
struct FilePlan {
  struct Part {
    std::string before;       ///< bytes between the values of the dataset before and those of
    std::size_t dataset = 0;  ///< this one, numbered as they were declared,
    uint64_t size = 0;        ///< which are so many bytes
  };
  std::vector<Part> parts;  ///< as they lie in the file; datasets without values are left out
  std::string end;          ///< what follows the last values

  [[nodiscard]] uint64_t size() const;  ///< of the file
};

/// Builds a plan: contiguous little-endian datasets in the root group, and text attributes of it.
class Skeleton final {
 public:
  /// Throws ResourceError, as every member does, when libhdf5 fails: memory is what it can run out of.
  Skeleton();
  ~Skeleton();
  Skeleton(const Skeleton&) = delete;
  Skeleton& operator=(const Skeleton&) = delete;

  /// Datasets are numbered as they come. dtypes float64 float32 float16 int64 int32 int16 int8 uint8; UsageError for
  /// others. Their values lie in the file as in memory, at multiples of 64 bytes.
  void dataset(const std::string& name, at::ScalarType type, at::IntArrayRef shape);
  void attribute(const std::string& name, const std::string& text);

  /// The skeleton is used up.
  [[nodiscard]] FilePlan finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stride::hdf5
