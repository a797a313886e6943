// stride._stride: the extension behind `import stride`.
#include "python/bindings/bindings.h"

PYBIND11_MODULE(_stride, module) {
  module.doc() = "Bindings of Stride's pipeline and evaluation; use the package stride.";
  module.attr("__version__") = STRIDE_VERSION;
  stride::bind_errors(module);
  stride::bind_lists(module);
  stride::bind_field_list(module);
  stride::bind_model(module);
  stride::bind_own_solver(module);
  stride::bind_own_policy(module);
  stride::bind_results(module);
  stride::bind_run(module);
  stride::bind_gradients(module);
  stride::bind_checks(module);
  stride::bind_tables(module);
}
