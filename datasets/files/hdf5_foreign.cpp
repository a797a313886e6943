// Damaged HDF5 files crash libhdf5 (18 of 5,000 mutated files did), so files without a checksum are read
// by a child process that may.
#include "datasets/files/guarded.h"
#include "datasets/files/hdf5.h"
#include "datasets/files/hdf5_handle.h"
#include "framework/error.h"
#include "framework/files/file.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

namespace stride::hdf5 {
namespace {

constexpr int64_t kMaxRank = 32;  // HDF5's own limit

/// What the child sends first; then the shape, then the values.
struct Header {
  int64_t dtype = 0;
  int64_t rank = 0;
};

void send_values(const Tensor& values, const GuardSend& send) {
  const Header header{static_cast<int64_t>(values.scalar_type()), values.dim()};
  send(&header, sizeof header);
  send(values.sizes().data(), static_cast<std::size_t>(values.dim()) * sizeof(int64_t));
  send(values.const_data_ptr(), values.nbytes());
}

Tensor receive_values(const GuardReceive& receive, const std::string& damaged) {
  const auto fill = [&](void* bytes, std::size_t size) {
    if (receive(bytes, size) != size) throw InputError(damaged);
  };
  Header header;
  fill(&header, sizeof header);
  if (header.rank < 0 || header.rank > kMaxRank) throw InputError(damaged);
  std::vector<int64_t> shape(static_cast<std::size_t>(header.rank));
  fill(shape.data(), shape.size() * sizeof(int64_t));
  Tensor values = at::empty(shape, at::TensorOptions().dtype(static_cast<at::ScalarType>(header.dtype)));
  fill(values.mutable_data_ptr(), values.nbytes());
  return values;
}

}  // namespace

Tensor read_foreign_dataset(const std::string& path, const std::string& name) {
  const std::string bytes = read_file(path);
  const std::string damaged = fmt::format("{}: libhdf5 cannot read it; the file is damaged", path);
  Tensor values;
  guarded_stream([&](const GuardSend& send) { send_values(ImageReader(bytes, path).read(name), send); },
                 [&](const GuardReceive& receive) { values = receive_values(receive, damaged); },
                 {.file_size = bytes.size(), .damaged = damaged, .library = &library_lock()});
  return values;
}

}  // namespace stride::hdf5
