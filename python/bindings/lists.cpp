// What there is, by kind.
#include "python/bindings/bindings.h"

#include "evaluation/listing.h"

#include <pybind11/stl.h>

namespace stride {

void bind_lists(py::module_& module) {
  module.def("list_names", &list_names);
  module.def(
      "listing", [](const std::string& kind) { return make_listing(kind).json; }, py::arg("kind"),
      "JSON: an array with everything about `kind`, one of list_names().");
}

}  // namespace stride
