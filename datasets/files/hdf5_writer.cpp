#include "datasets/files/hdf5.h"
#include "datasets/files/hdf5_handle.h"
#include "framework/error.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <hdf5.h>

#include <vector>

namespace stride::hdf5 {
namespace {

constexpr std::size_t kGrowth = std::size_t{1} << 22;
// So that every dataset can be used in place, whatever its type.
constexpr hsize_t kAlignment = 64;

[[noreturn]] void fail(const std::string& what) {
  throw ResourceError(fmt::format("libhdf5 cannot {} in memory: {}", what, last_error()));
}

Handle require(Handle handle, const std::string& what) {
  if (!handle.valid()) fail(what);
  return handle;
}

void require(herr_t result, const std::string& what) {
  if (result < 0) fail(what);
}

}  // namespace

struct ImageWriter::Impl {
  Handle file;
};

ImageWriter::ImageWriter() : impl_(std::make_unique<Impl>()) {
  const Quiet quiet;
  const Handle access = require(Handle(H5Pcreate(H5P_FILE_ACCESS), H5Pclose), "start a file");
  require(H5Pset_fapl_core(access.get(), kGrowth, /*backing_store=*/0), "start a file");
  require(H5Pset_alignment(access.get(), 1, kAlignment), "start a file");
  const Handle creation = require(Handle(H5Pcreate(H5P_FILE_CREATE), H5Pclose), "start a file");
  // No times: equal contents are equal bytes.
  require(H5Pset_obj_track_times(creation.get(), 0), "start a file");
  // The name is never opened: there is no backing store.
  impl_->file =
      require(Handle(H5Fcreate(image_name(impl_.get()).c_str(), H5F_ACC_TRUNC, creation.get(), access.get()), H5Fclose),
              "start a file");
}

ImageWriter::~ImageWriter() {
  const Quiet quiet;
  impl_.reset();
}

void ImageWriter::dataset(const std::string& name, const Tensor& values) {
  const Quiet quiet;
  const std::string what = fmt::format("write dataset \"{}\"", name);
  const Tensor tensor = values.detach().to(at::kCPU).contiguous();
  const Handle file_type = type_of(tensor.scalar_type(), true);
  if (!file_type.valid()) {
    throw UsageError(fmt::format("HDF5 files of Stride have no dtype {} (dataset \"{}\"): convert it first",
                                 c10::toString(tensor.scalar_type()), name));
  }
  const Handle memory_type = require(type_of(tensor.scalar_type(), false), what);
  const std::vector<hsize_t> extent(tensor.sizes().begin(), tensor.sizes().end());
  const Handle space =
      require(Handle(extent.empty() ? H5Screate(H5S_SCALAR)
                                    : H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr),
                     H5Sclose),
              what);
  const Handle creation = require(Handle(H5Pcreate(H5P_DATASET_CREATE), H5Pclose), what);
  require(H5Pset_obj_track_times(creation.get(), 0), what);
  require(H5Pset_layout(creation.get(), H5D_CONTIGUOUS), what);
  require(H5Pset_fill_time(creation.get(), H5D_FILL_TIME_NEVER), what);
  const Handle dataset = require(Handle(H5Dcreate2(impl_->file.get(), name.c_str(), file_type.get(), space.get(),
                                                   H5P_DEFAULT, creation.get(), H5P_DEFAULT),
                                        H5Dclose),
                                 what);
  if (tensor.numel() == 0) return;
  require(H5Dwrite(dataset.get(), memory_type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, tensor.const_data_ptr()), what);
}

void ImageWriter::attribute(const std::string& name, const std::string& text) {
  const Quiet quiet;
  const std::string what = fmt::format("write attribute \"{}\"", name);
  const Handle type = require(Handle(H5Tcopy(H5T_C_S1), H5Tclose), what);
  require(H5Tset_size(type.get(), H5T_VARIABLE), what);
  require(H5Tset_cset(type.get(), H5T_CSET_UTF8), what);
  const Handle space = require(Handle(H5Screate(H5S_SCALAR), H5Sclose), what);
  const Handle attribute = require(
      Handle(H5Acreate2(impl_->file.get(), name.c_str(), type.get(), space.get(), H5P_DEFAULT, H5P_DEFAULT), H5Aclose),
      what);
  const char* start = text.c_str();
  require(H5Awrite(attribute.get(), type.get(), &start), what);
}

std::string ImageWriter::finish() {
  const Quiet quiet;
  require(H5Fflush(impl_->file.get(), H5F_SCOPE_GLOBAL), "finish a file");
  const ssize_t size = H5Fget_file_image(impl_->file.get(), nullptr, 0);
  if (size <= 0) fail("finish a file");
  std::string image(static_cast<std::size_t>(size), '\0');
  if (H5Fget_file_image(impl_->file.get(), image.data(), image.size()) != size) fail("finish a file");
  impl_->file.reset();
  return image;
}

}  // namespace stride::hdf5
