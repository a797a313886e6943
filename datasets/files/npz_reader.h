// Reading NumPy's .npz: a zip archive of .npy files, stored or deflated.
#pragma once

#include "framework/tensor.h"

#include <memory>
#include <string>
#include <vector>

namespace stride {

/// The arrays of an archive from anywhere. Every array is checked against the archive's CRC-32 and its own header when
/// it is read; nothing is executed: pickled objects are refused. All errors are InputErrors that name the file.
class NpzReader final {
 public:
  /// `bytes` are the whole file; `where` names it in messages. Throws InputError on what is no zip archive.
  NpzReader(std::string bytes, std::string where);
  /// Reads the file.
  [[nodiscard]] static NpzReader open(const std::string& path);
  ~NpzReader();
  NpzReader(NpzReader&&) noexcept;
  NpzReader& operator=(NpzReader&&) noexcept;
  NpzReader(const NpzReader&) = delete;
  NpzReader& operator=(const NpzReader&) = delete;

  /// The arrays' names without ".npy", in the archive's order.
  [[nodiscard]] const std::vector<std::string>& names() const noexcept;
  [[nodiscard]] bool has(const std::string& name) const noexcept;
  /// Contiguous on the CPU. Throws InputError where there is none of that name or it is damaged.
  [[nodiscard]] Tensor read(const std::string& name) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace stride
