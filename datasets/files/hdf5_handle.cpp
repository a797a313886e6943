#include "datasets/files/hdf5_handle.h"

#include <fmt/format.h>
#include <hdf5.h>

#include <type_traits>

namespace stride::hdf5 {

static_assert(std::is_same_v<hid_t, Id> && std::is_same_v<herr_t, int>, "HDF5 1.10 or newer is needed");

namespace {

/// IEEE binary16, which HDF5 1.10 can describe but does not name; as h5py describes it.
Handle half_type() {
  Handle type(H5Tcopy(H5T_IEEE_F32LE), H5Tclose);
  if (H5Tset_fields(type.get(), 15, 10, 5, 0, 10) < 0 || H5Tset_size(type.get(), 2) < 0 ||
      H5Tset_ebias(type.get(), 15) < 0) {
    type.reset();
  }
  return type;
}

}  // namespace

std::mutex& library_lock() noexcept {
  static std::mutex lock;
  return lock;
}

Quiet::Quiet() : alone_(library_lock()) {
  H5Eget_auto2(H5E_DEFAULT, &print_, &data_);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

Quiet::~Quiet() { H5Eset_auto2(H5E_DEFAULT, print_, data_); }

std::string image_name(const void* owner) { return fmt::format("/dev/null/stride-{}", owner); }

std::string last_error() {
  std::string text = "no reason given";
  const auto take_first = [](unsigned depth, const H5E_error2_t* error, void* data) -> herr_t {
    if (depth == 0 && error->desc != nullptr) *static_cast<std::string*>(data) = error->desc;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, &text);
  return text;
}

bool memory_ran_out() {
  bool found = false;
  const auto look = [](unsigned, const H5E_error2_t* error, void* data) -> herr_t {
    if (error->maj_num == H5E_RESOURCE) *static_cast<bool*>(data) = true;
    return 0;
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, look, &found);
  return found;
}

Handle type_of(at::ScalarType type, bool file) {
  const auto copy = [&](hid_t in_memory, hid_t in_file) {
    return Handle(H5Tcopy(file ? in_file : in_memory), H5Tclose);
  };
  switch (type) {
    case at::kDouble:
      return copy(H5T_NATIVE_DOUBLE, H5T_IEEE_F64LE);
    case at::kFloat:
      return copy(H5T_NATIVE_FLOAT, H5T_IEEE_F32LE);
    case at::kHalf:
      return half_type();
    case at::kLong:
      return copy(H5T_NATIVE_INT64, H5T_STD_I64LE);
    case at::kInt:
      return copy(H5T_NATIVE_INT32, H5T_STD_I32LE);
    case at::kShort:
      return copy(H5T_NATIVE_INT16, H5T_STD_I16LE);
    case at::kChar:
      return copy(H5T_NATIVE_INT8, H5T_STD_I8LE);
    case at::kByte:
      return copy(H5T_NATIVE_UINT8, H5T_STD_U8LE);
    default:
      return {};
  }
}

}  // namespace stride::hdf5
