// Shared by the HDF5 sources: identifiers that close themselves, and libhdf5's errors. Without hdf5.h, whose place
// differs between systems.
#pragma once

#include "framework/tensor.h"

#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

namespace stride::hdf5 {

using Id = int64_t;  ///< hid_t

/// Owns an HDF5 identifier.
class Handle final {
 public:
  using Close = int (*)(Id);
  Handle() = default;
  Handle(Id id, Close close) : id_(id), close_(close) {}
  ~Handle() { reset(); }
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, kNone)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    if (this != &other) {
      reset();
      id_ = std::exchange(other.id_, kNone);
      close_ = other.close_;
    }
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  [[nodiscard]] Id get() const { return id_; }
  [[nodiscard]] bool valid() const { return id_ >= 0; }
  void reset() {
    if (id_ >= 0) close_(std::exchange(id_, kNone));
  }

 private:
  static constexpr Id kNone = -1;
  Id id_ = kNone;
  Close close_ = nullptr;
};

/// libhdf5's lock: it may be used by one thread at a time only. Not recursive.
[[nodiscard]] std::mutex& library_lock() noexcept;

/// Whoever calls libhdf5 holds one: other threads wait, and it does not print its error stack.
class Quiet final {
 public:
  Quiet();
  ~Quiet();
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;

 private:
  std::lock_guard<std::mutex> alone_;
  int (*print_)(Id, void*) = nullptr;
  void* data_ = nullptr;
};

/// A name that no file has, for an image that `owner` keeps. libhdf5 takes two open images of one name for one file.
[[nodiscard]] std::string image_name(const void* owner);

/// What libhdf5 says about its last failure.
[[nodiscard]] std::string last_error();
/// Whether that was for want of memory.
[[nodiscard]] bool memory_ran_out();

/// The type in memory or, with `file`, the little-endian one; invalid for types that have none.
[[nodiscard]] Handle type_of(at::ScalarType type, bool file);

}  // namespace stride::hdf5
