// A Python object that C++ keeps, and may drop on any thread.
#pragma once

#include <pybind11/pybind11.h>

#include <memory>
#include <utility>

namespace stride {

namespace py = pybind11;

/// Copies share one reference, which is given back under the GIL; after the interpreter's end it is left alone.
class Held final {
 public:
  explicit Held(py::object object)
      : object_(new py::object(std::move(object)), [](py::object* last) {
          if (Py_IsInitialized() == 0) return;
          const py::gil_scoped_acquire gil;
          delete last;
        }) {}

  /// With the GIL held.
  [[nodiscard]] const py::object& get() const noexcept { return *object_; }

 private:
  std::shared_ptr<py::object> object_;
};

}  // namespace stride
