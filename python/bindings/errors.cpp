// Stride's exceptions as Python's.
#include "python/bindings/bindings.h"

#include "framework/error.h"
#include "framework/stopped.h"

#include <c10/util/Exception.h>
#include <array>
#include <utility>

namespace stride {
namespace {

// Made in Python (stride/errors.py), so that they pickle and document themselves.
constexpr std::array<std::pair<ErrorKind, const char*>, 5> kNames{{{ErrorKind::usage, "UsageError"},
                                                                   {ErrorKind::input, "InputError"},
                                                                   {ErrorKind::quality, "QualityError"},
                                                                   {ErrorKind::resources, "ResourceError"},
                                                                   {ErrorKind::locked, "LockedError"}}};

void raise(const char* name, const char* message) {
  const py::object type = py::module_::import("stride.errors").attr(name);
  PyErr_SetString(type.ptr(), message);
}

}  // namespace

void bind_errors(py::module_& /*module*/) {
  py::register_local_exception_translator([](std::exception_ptr failure) {
    try {
      std::rethrow_exception(std::move(failure));
    } catch (const Error& error) {
      for (const auto& [kind, name] : kNames)
        if (kind == error.kind()) return raise(name, error.what());
      throw;
    } catch (const Stopped&) {
      raise("Interrupted", "stopped before there was anything to give back");
    } catch (const c10::OutOfMemoryError& error) {
      const py::object type = py::module_::import("torch").attr("OutOfMemoryError");
      PyErr_SetString(type.ptr(), error.what_without_backtrace());
    } catch (const c10::Error& error) {
      PyErr_SetString(PyExc_RuntimeError, error.what_without_backtrace());
    }
  });
}

}  // namespace stride
