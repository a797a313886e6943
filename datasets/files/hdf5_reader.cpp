#include "datasets/files/hdf5.h"
#include "datasets/files/hdf5_handle.h"
#include "framework/error.h"
#include "framework/files/limits.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

namespace stride::hdf5 {
namespace {

/// Lends libhdf5's memory driver the caller's bytes in place of a copy. libhdf5 opens read-only and never
/// writes to them.
struct Loan {
  void* bytes;
};

void* lend(size_t, H5FD_file_image_op_t, void* loan) { return static_cast<Loan*>(loan)->bytes; }
void* copy_nothing(void* to, const void*, size_t, H5FD_file_image_op_t, void*) { return to; }
void* grow_nothing(void*, size_t, H5FD_file_image_op_t, void*) { return nullptr; }
herr_t take_back(void*, H5FD_file_image_op_t, void*) { return 0; }
void* share_loan(void* loan) { return loan; }
herr_t keep_loan(void*) { return 0; }

std::optional<at::ScalarType> float_type(hid_t type) {
  switch (H5Tget_size(type)) {
    case 8:
      return at::kDouble;
    case 4:
      return at::kFloat;
    case 2: {
      std::size_t sign = 0, exponent = 0, exponent_size = 0, mantissa = 0, mantissa_size = 0;
      const bool half = H5Tget_fields(type, &sign, &exponent, &exponent_size, &mantissa, &mantissa_size) >= 0 &&
                        exponent_size == 5 && mantissa_size == 10;
      return half ? std::optional(at::kHalf) : std::nullopt;
    }
    default:
      return std::nullopt;
  }
}

std::optional<at::ScalarType> integer_type(hid_t type) {
  const bool is_signed = H5Tget_sign(type) == H5T_SGN_2;
  switch (H5Tget_size(type)) {
    case 8:
      return is_signed ? std::optional(at::kLong) : std::nullopt;
    case 4:
      return is_signed ? std::optional(at::kInt) : std::nullopt;
    case 2:
      return is_signed ? std::optional(at::kShort) : std::nullopt;
    case 1:
      return is_signed ? at::kChar : at::kByte;
    default:
      return std::nullopt;
  }
}

std::optional<at::ScalarType> scalar_type(hid_t type) {
  switch (H5Tget_class(type)) {
    case H5T_FLOAT:
      return float_type(type);
    case H5T_INTEGER:
      return integer_type(type);
    default:
      return std::nullopt;
  }
}

}  // namespace

struct ImageReader::Impl {
  std::string_view bytes;
  std::string where;
  Loan loan;
  Handle file;

  [[noreturn]] void fail(const std::string& what) const { throw InputError(fmt::format("{}: {}", where, what)); }
  [[noreturn]] void fail_reading(const std::string& name) const {
    if (memory_ran_out()) throw ResourceError(fmt::format("{}: no memory to read \"{}\"", where, name));
    fail(fmt::format("cannot read \"{}\" ({})", name, last_error()));
  }
  Handle require(Handle handle, const std::string& name) const {
    if (!handle.valid()) fail_reading(name);
    return handle;
  }

  Handle open_dataset(const std::string& name) const {
    H5L_info_t link{};
    if (H5Lexists(file.get(), name.c_str(), H5P_DEFAULT) <= 0) fail(fmt::format("has no dataset \"{}\"", name));
    if (H5Lget_info(file.get(), name.c_str(), &link, H5P_DEFAULT) < 0) fail_reading(name);
    if (link.type != H5L_TYPE_HARD) fail(fmt::format("\"{}\" is a link; Stride reads plain datasets only", name));
    return require(Handle(H5Dopen2(file.get(), name.c_str(), H5P_DEFAULT), H5Dclose), name);
  }

  DatasetInfo describe(hid_t dataset, const std::string& name) const;
  void describe_shape(hid_t dataset, const std::string& name, DatasetInfo& info) const;
};

void ImageReader::Impl::describe_shape(hid_t dataset, const std::string& name, DatasetInfo& info) const {
  const Handle space = require(Handle(H5Dget_space(dataset), H5Sclose), name);
  const int rank = H5Sget_simple_extent_ndims(space.get());
  if (rank < 0) fail_reading(name);
  std::vector<hsize_t> extent(static_cast<std::size_t>(rank));
  if (H5Sget_simple_extent_dims(space.get(), extent.data(), nullptr) < 0) fail_reading(name);
  info.bytes = c10::elementSize(info.type);
  // What is chunked and packed may be larger than the file, within bounds.
  const uint64_t limit = most_unpacked(bytes.size());
  for (const hsize_t each : extent) {
    if (each != 0 && info.bytes > limit / each) {
      fail(fmt::format("dataset \"{}\" claims to be larger than the file can hold", name));
    }
    info.bytes *= each;
    info.shape.push_back(static_cast<int64_t>(each));
  }
}

DatasetInfo ImageReader::Impl::describe(hid_t dataset, const std::string& name) const {
  const Handle type = require(Handle(H5Dget_type(dataset), H5Tclose), name);
  const std::optional<at::ScalarType> scalar = scalar_type(type.get());
  if (!scalar) fail(fmt::format("dataset \"{}\" is of a type that Stride does not read", name));
  DatasetInfo info{*scalar, {}, 0, std::nullopt};
  describe_shape(dataset, name, info);
  const Handle creation = require(Handle(H5Dget_create_plist(dataset), H5Pclose), name);
  const H5D_layout_t layout = H5Pget_layout(creation.get());
  if (layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED && layout != H5D_COMPACT) {
    fail(fmt::format("dataset \"{}\" is stored outside the file", name));
  }
  if (layout != H5D_CONTIGUOUS) return info;
  if (H5Pget_external_count(creation.get()) != 0) fail(fmt::format("dataset \"{}\" is stored outside the file", name));
  const Handle plain = type_of(info.type, true);
  const haddr_t offset = H5Dget_offset(dataset);
  if (offset == HADDR_UNDEF || !plain.valid() || H5Tequal(type.get(), plain.get()) <= 0) return info;
  if (offset > bytes.size() || info.bytes > bytes.size() - offset) {
    fail(fmt::format("dataset \"{}\" ends behind the end of the file", name));
  }
  info.offset = offset;
  return info;
}

ImageReader::ImageReader(std::string_view bytes, std::string where) : impl_(std::make_unique<Impl>()) {
  const Quiet quiet;
  impl_->bytes = bytes;
  impl_->where = std::move(where);
  impl_->loan.bytes = const_cast<char*>(bytes.data());
  const auto check = [&](bool worked) {
    if (!worked && memory_ran_out()) throw ResourceError(fmt::format("{}: no memory to open it", impl_->where));
    if (!worked) impl_->fail(fmt::format("is not a readable HDF5 file ({})", last_error()));
  };
  check(!bytes.empty());
  const Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5FD_file_image_callbacks_t callbacks{lend,       copy_nothing, grow_nothing, take_back,
                                        share_loan, keep_loan,    &impl_->loan};
  check(access.valid() && H5Pset_fapl_core(access.get(), std::size_t{1} << 16, /*backing_store=*/0) >= 0);
  check(H5Pset_file_image_callbacks(access.get(), &callbacks) >= 0);
  check(H5Pset_file_image(access.get(), impl_->loan.bytes, bytes.size()) >= 0);
  impl_->file = Handle(H5Fopen(image_name(impl_.get()).c_str(), H5F_ACC_RDONLY, access.get()), H5Fclose);
  check(impl_->file.valid());
}

ImageReader::~ImageReader() {
  const Quiet quiet;
  impl_->file.reset();
}

std::vector<std::string> ImageReader::names() const {
  const Quiet quiet;
  std::vector<std::string> found;
  const auto take = [](hid_t, const char* name, const H5L_info_t*, void* data) -> herr_t {
    auto* names = static_cast<std::vector<std::string>*>(data);
    names->emplace_back(name, strnlen(name, kMaxNameBytes));
    return names->size() > kMaxNames ? -1 : 0;
  };
  if (H5Literate(impl_->file.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, take, &found) < 0) impl_->fail_reading("/");
  std::sort(found.begin(), found.end());
  return found;
}

bool ImageReader::has(const std::string& name) const {
  const Quiet quiet;
  return H5Lexists(impl_->file.get(), name.c_str(), H5P_DEFAULT) > 0;
}

DatasetInfo ImageReader::info(const std::string& name) const {
  const Quiet quiet;
  return impl_->describe(impl_->open_dataset(name).get(), name);
}

Tensor ImageReader::read(const std::string& name) const {
  const Quiet quiet;
  const Handle dataset = impl_->open_dataset(name);
  const DatasetInfo info = impl_->describe(dataset.get(), name);
  const Handle type = impl_->require(type_of(info.type, false), name);
  Tensor values = at::empty(info.shape, at::TensorOptions().dtype(info.type));
  if (values.numel() == 0) return values;
  if (H5Dread(dataset.get(), type.get(), H5S_ALL, H5S_ALL, H5P_DEFAULT, values.mutable_data_ptr()) < 0) {
    impl_->fail_reading(name);
  }
  return values;
}

std::optional<std::string> ImageReader::attribute(const std::string& name) const {
  const Quiet quiet;
  if (H5Aexists(impl_->file.get(), name.c_str()) <= 0) return std::nullopt;
  const Handle attribute =
      impl_->require(Handle(H5Aopen(impl_->file.get(), name.c_str(), H5P_DEFAULT), H5Aclose), name);
  const Handle type = impl_->require(Handle(H5Aget_type(attribute.get()), H5Tclose), name);
  const Handle space = impl_->require(Handle(H5Aget_space(attribute.get()), H5Sclose), name);
  if (H5Tget_class(type.get()) != H5T_STRING || H5Sget_simple_extent_npoints(space.get()) != 1) {
    impl_->fail(fmt::format("attribute \"{}\" is not one text", name));
  }
  if (H5Tis_variable_str(type.get()) > 0) {
    char* text = nullptr;
    if (H5Aread(attribute.get(), type.get(), &text) < 0) impl_->fail_reading(name);
    const std::string copy = text != nullptr ? text : "";
    H5Dvlen_reclaim(type.get(), space.get(), H5P_DEFAULT, &text);
    return copy;
  }
  const std::size_t size = H5Tget_size(type.get());
  if (size > impl_->bytes.size()) impl_->fail(fmt::format("attribute \"{}\" claims to be larger than the file", name));
  std::string text(size, '\0');
  if (H5Aread(attribute.get(), type.get(), text.data()) < 0) impl_->fail_reading(name);
  text.resize(std::min(text.size(), text.find('\0')));
  return text;
}

std::vector<std::string> ImageReader::attribute_names() const {
  const Quiet quiet;
  std::vector<std::string> found;
  const auto take = [](hid_t, const char* name, const H5A_info_t*, void* data) -> herr_t {
    static_cast<std::vector<std::string>*>(data)->emplace_back(name);
    return 0;
  };
  if (H5Aiterate2(impl_->file.get(), H5_INDEX_NAME, H5_ITER_INC, nullptr, take, &found) < 0) impl_->fail_reading("/");
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace stride::hdf5
