#include "datasets/files/hdf5_skeleton.h"
#include "datasets/files/hdf5_handle.h"
#include "framework/error.h"

#include <c10/core/ScalarType.h>
#include <fmt/format.h>
#include <hdf5.h>
#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <map>
#include <numeric>

namespace stride::hdf5 {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are written as they lie in memory");

// So that every dataset can be used in place, whatever its type.
constexpr hsize_t kAlignment = 64;

/// What libhdf5 has written to a file that exists nowhere: the pages that it touched, zeros elsewhere.
class Pages final {
 public:
  void write(uint64_t at, const char* bytes, std::size_t size) {
    each(at, size, [&](uint64_t page, std::size_t from, std::size_t n, std::size_t done) {
      const auto [place, fresh] = pages_.try_emplace(page);
      if (fresh) place->second.fill(0);
      std::memcpy(place->second.data() + from, bytes + done, n);
    });
    end_ = std::max(end_, at + size);
  }

  void read(uint64_t at, char* bytes, std::size_t size) const {
    each(at, size, [&](uint64_t page, std::size_t from, std::size_t n, std::size_t done) {
      if (const auto found = pages_.find(page); found != pages_.end()) {
        std::memcpy(bytes + done, found->second.data() + from, n);
      } else {
        std::memset(bytes + done, 0, n);
      }
    });
  }

  [[nodiscard]] uint64_t end() const { return end_; }  ///< of what was written
  uint64_t size = 0;                                   ///< of the file, as libhdf5 says it

 private:
  static constexpr std::size_t kSize = 4096;

  // visit(page, offset in it, bytes, bytes before them)
  template <typename Visit>
  static void each(uint64_t at, std::size_t size, const Visit& visit) {
    for (std::size_t done = 0; done < size;) {
      const std::size_t from = (at + done) % kSize, n = std::min(kSize - from, size - done);
      visit((at + done) / kSize, from, n, done);
      done += n;
    }
  }

  std::map<uint64_t, std::array<char, kSize>> pages_;
  uint64_t end_ = 0;
};

/// What a file is opened with.
struct PagesGiven {
  Pages* pages;
};

/// The driver through which libhdf5 writes to Pages. It keeps C's rules: no exception leaves it.
struct OpenPages {
  H5FD_t base;  // first: libhdf5 sees only this
  Pages* pages;
};
Pages& pages_of(const H5FD_t* file) { return *reinterpret_cast<const OpenPages*>(file)->pages; }

H5FD_t* open_pages(const char*, unsigned, hid_t access, haddr_t) {
  const auto* const given = static_cast<const PagesGiven*>(H5Pget_driver_info(access));
  if (given == nullptr) return nullptr;
  auto* const file = new (std::nothrow) OpenPages{};
  if (file == nullptr) return nullptr;
  file->pages = given->pages;
  return &file->base;
}
herr_t close_pages(H5FD_t* file) {
  delete reinterpret_cast<OpenPages*>(file);
  return 0;
}
haddr_t size_of_pages(const H5FD_t* file, H5FD_mem_t) { return pages_of(file).size; }
herr_t resize_pages(H5FD_t* file, H5FD_mem_t, haddr_t size) {
  pages_of(file).size = size;
  return 0;
}
haddr_t end_of_pages(const H5FD_t* file, H5FD_mem_t) { return pages_of(file).end(); }
herr_t read_pages(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t at, size_t size, void* bytes) {
  pages_of(file).read(at, static_cast<char*>(bytes), size);
  return 0;
}
herr_t write_pages(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t at, size_t size, const void* bytes) {
  try {
    pages_of(file).write(at, static_cast<const char*>(bytes), size);
    return 0;
  } catch (const std::bad_alloc&) {
    return -1;
  }
}

H5FD_class_t driver() {
  H5FD_class_t out{};
#if H5_VERSION_GE(1, 13, 0)
  out.version = H5FD_CLASS_VERSION;
  out.value = static_cast<H5FD_class_value_t>(600);
#endif
  out.name = "stride-skeleton";
  out.maxaddr = static_cast<haddr_t>(INT64_MAX);
  out.fc_degree = H5F_CLOSE_WEAK;
  out.fapl_size = sizeof(PagesGiven);
  out.open = open_pages;
  out.close = close_pages;
  out.get_eoa = size_of_pages;
  out.set_eoa = resize_pages;
  out.get_eof = end_of_pages;
  out.read = read_pages;
  out.write = write_pages;
  return out;
}

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

uint64_t FilePlan::size() const {
  return std::accumulate(parts.begin(), parts.end(), uint64_t{end.size()},
                         [](uint64_t sum, const Part& part) { return sum + part.before.size() + part.size; });
}

struct Skeleton::Impl {
  Pages pages;
  Handle driver, file;
  struct Values {
    uint64_t offset, size;
    std::size_t dataset;
  };
  std::vector<Values> values;  // of datasets that have any
  std::size_t datasets = 0;
};

Skeleton::Skeleton() : impl_(std::make_unique<Impl>()) {
  const Quiet quiet;
  const std::string what = "start a file";
  const H5FD_class_t ours = driver();
  impl_->driver = require(Handle(H5FDregister(&ours), H5FDunregister), what);
  const Handle access = require(Handle(H5Pcreate(H5P_FILE_ACCESS), H5Pclose), what);
  const PagesGiven given{&impl_->pages};
  require(H5Pset_driver(access.get(), impl_->driver.get(), &given), what);
  require(H5Pset_alignment(access.get(), 1, kAlignment), what);
  const Handle creation = require(Handle(H5Pcreate(H5P_FILE_CREATE), H5Pclose), what);
  // No times: equal contents are equal bytes.
  require(H5Pset_obj_track_times(creation.get(), 0), what);
  impl_->file = require(
      Handle(H5Fcreate(image_name(impl_.get()).c_str(), H5F_ACC_TRUNC, creation.get(), access.get()), H5Fclose), what);
}

Skeleton::~Skeleton() {
  const Quiet quiet;
  impl_->file.reset();
  impl_.reset();
}

void Skeleton::dataset(const std::string& name, at::ScalarType type, at::IntArrayRef shape) {
  const Quiet quiet;
  const std::string what = fmt::format("write dataset \"{}\"", name);
  const Handle file_type = type_of(type, true);
  if (!file_type.valid()) {
    throw UsageError(fmt::format("HDF5 files of Stride have no dtype {} (dataset \"{}\"): convert it first",
                                 c10::toString(type), name));
  }
  const std::vector<hsize_t> extent(shape.begin(), shape.end());
  const Handle space =
      require(Handle(extent.empty() ? H5Screate(H5S_SCALAR)
                                    : H5Screate_simple(static_cast<int>(extent.size()), extent.data(), nullptr),
                     H5Sclose),
              what);
  const Handle creation = require(Handle(H5Pcreate(H5P_DATASET_CREATE), H5Pclose), what);
  require(H5Pset_obj_track_times(creation.get(), 0), what);
  require(H5Pset_layout(creation.get(), H5D_CONTIGUOUS), what);
  require(H5Pset_alloc_time(creation.get(), H5D_ALLOC_TIME_EARLY), what);
  require(H5Pset_fill_time(creation.get(), H5D_FILL_TIME_NEVER), what);
  const Handle dataset = require(Handle(H5Dcreate2(impl_->file.get(), name.c_str(), file_type.get(), space.get(),
                                                   H5P_DEFAULT, creation.get(), H5P_DEFAULT),
                                        H5Dclose),
                                 what);
  const auto values = std::accumulate(extent.begin(), extent.end(), uint64_t{1}, std::multiplies<>());
  const std::size_t number = impl_->datasets++;
  if (values == 0) return;
  const haddr_t offset = H5Dget_offset(dataset.get());
  if (offset == HADDR_UNDEF) fail(what);
  impl_->values.push_back({offset, values * c10::elementSize(type), number});
}

void Skeleton::attribute(const std::string& name, const std::string& text) {
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

FilePlan Skeleton::finish() {
  const Quiet quiet;
  require(H5Fflush(impl_->file.get(), H5F_SCOPE_GLOBAL), "finish a file");
  impl_->file.reset();
  std::sort(impl_->values.begin(), impl_->values.end(),
            [](const auto& a, const auto& b) { return a.offset < b.offset; });
  FilePlan plan;
  uint64_t at = 0;
  const auto up_to = [&](uint64_t place) {
    std::string bytes(place - at, '\0');
    impl_->pages.read(at, bytes.data(), bytes.size());
    return bytes;
  };
  for (const Impl::Values& values : impl_->values) {
    plan.parts.push_back({up_to(values.offset), values.dataset, values.size});
    at = values.offset + values.size;
  }
  plan.end = up_to(std::max(impl_->pages.size, at));
  return plan;
}

}  // namespace stride::hdf5
