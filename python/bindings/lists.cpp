// What there is, by kind.
#include "python/bindings/bindings.h"

#include "evaluation/listing.h"
#include "framework/spec.h"
#include "solvers/registry.h"

#include <pybind11/stl.h>

namespace stride {

void bind_lists(py::module_& module) {
  module.def("list_names", &list_names);
  module.def("nearest", &nearest, py::arg("word"), py::arg("candidates"), "The nearest of them; \"\": none is near.");
  module.def(
      "parse_spec",
      [](const std::string& text) {
        const Spec spec = Spec::parse(text);
        return py::make_tuple(spec.name, spec.argument, spec.options);
      },
      py::arg("text"), "NAME:key=value,... as (name, argument, options).");
  module.def(
      "is_solver", [](const std::string& name) { return find_solver(name) != nullptr; }, py::arg("name"));
  module.def(
      "listing", [](const std::string& kind) { return make_listing(kind).json; }, py::arg("kind"),
      "JSON: an array with everything about `kind`, one of list_names().");
}

}  // namespace stride
