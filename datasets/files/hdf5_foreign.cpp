// Damaged HDF5 files crash libhdf5 (18 of 5,000 mutated files did), so files without a checksum are read
// by a child process that may.
#include "datasets/files/guarded.h"
#include "datasets/files/hdf5.h"
#include "datasets/files/hdf5_handle.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/limits.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>

namespace stride::hdf5 {
namespace {

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
  if (header.rank < 0 || header.rank > static_cast<int64_t>(kMaxRank)) throw InputError(damaged);
  std::vector<int64_t> shape(static_cast<std::size_t>(header.rank));
  fill(shape.data(), shape.size() * sizeof(int64_t));
  Tensor values = at::empty(shape, at::TensorOptions().dtype(static_cast<at::ScalarType>(header.dtype)));
  fill(values.mutable_data_ptr(), values.nbytes());
  return values;
}

// A file of Stride's whose last line is gone must not pass for another program's.
void refuse_own(const ImageReader& image, const std::string& where) {
  const auto has_all = [](const std::vector<std::string>& names, std::initializer_list<const char*> wanted) {
    return std::all_of(wanted.begin(), wanted.end(),
                       [&](const char* name) { return std::find(names.begin(), names.end(), name) != names.end(); });
  };
  if (!has_all(image.names(), {"x", "seed", "nfe", "model_evals", "status"}) &&
      !has_all(image.attribute_names(), {"model_sha256", "solver", "schedule", "final"}))
    return;
  throw InputError(fmt::format(
      "{} was written by Stride and has lost the checksum at its end: it was cut short, damaged, or changed "
      "by another program. Take the whole file; values that were changed on purpose go into a file of their "
      "own, without the attributes and the other datasets",
      where));
}

}  // namespace

Tensor read_foreign_dataset(const std::string& path, const std::string& name) {
  const std::string bytes = read_file(path);
  const std::string damaged = fmt::format("{}: libhdf5 cannot read it; the file is damaged", path);
  Tensor values;
  guarded_stream(
      [&](const GuardSend& send) {
        const ImageReader image(bytes, path);
        refuse_own(image, path);
        send_values(image.read(name), send);
      },
      [&](const GuardReceive& receive) { values = receive_values(receive, damaged); },
      {.file_size = bytes.size(), .damaged = damaged, .library = &library_lock()});
  return values;
}

}  // namespace stride::hdf5
