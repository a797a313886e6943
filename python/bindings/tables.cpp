// Samplers as tables of sums, for other projects: python/stride/exported runs them.
#include "python/bindings/bindings.h"
#include "python/bindings/settings.h"

#include "framework/models/lambda_denoiser.h"
#include "pipeline/familiar/sampler_export.h"
#include "pipeline/sample.h"

#include <string>

namespace stride {
namespace {

// No network is asked: the levels are those of the settings.
std::string table_of(const std::string& solver, py::dict given) {
  SampleSettings settings;
  take_settings(given, settings);
  require_none_left<SampleSettings>(given, "sampler_function");
  ModelInfo info;
  info.shape = {1};
  const LambdaDenoiser nobody(info, [](const Tensor& x, const Tensor& /*sigma*/) { return x; });
  return sampler_table(make_sampler(nobody, solver, settings), solver);
}

}  // namespace

void bind_tables(py::module_& module) {
  module.def("sampler_table", &table_of, py::arg("solver"), py::arg("settings"));
}

}  // namespace stride
