// Runs whose samples stay joined to autograd's graph.
#include "python/bindings/bindings.h"
#include "python/bindings/model.h"
#include "python/bindings/own_calls.h"
#include "python/bindings/own_parts.h"
#include "python/bindings/settings.h"

#include "framework/dtype_name.h"
#include "framework/error.h"
#include "pipeline/sample.h"
#include "solvers/gradients/sample_with_gradients.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include <memory>
#include <utility>

namespace stride {
namespace {

GradientMode mode_of(const std::string& text) {
  if (text == "plain") return GradientMode::plain;
  if (text == "checkpointed") return GradientMode::checkpointed;
  if (text == "reversible") return GradientMode::reversible;
  throw UsageError(fmt::format("`gradients` '{}': there are plain, checkpointed and reversible", text));
}

// What backward may still need; it lives as long as Python holds it.
struct Run {
  Model model;
  Sampler sampler;
  PhiloxNoise noise;
  std::optional<Problem> problem;
};

Tensor unit_start(const Tensor& init, const std::vector<int64_t>& seeds, const Model& model,
                  const SampleSettings& settings) {
  if (init.defined()) return init.to(settings.device);
  const Tensor ids = at::tensor(seeds, at::TensorOptions().dtype(at::kLong)).to(settings.device);
  return PhiloxNoise().initial(ids, model.loaded.info().shape, at::kDouble);
}

struct Ended {
  std::shared_ptr<Run> run;
  RunResult result;
};

Ended run_joined(const Model& model, py::handle solver, py::dict given, py::handle seeds, const std::string& mode,
                 std::vector<Tensor> parameters, const std::map<std::string, Tensor>& conditions) {
  SampleSettings settings;
  settings.device = model.device;
  settings.dtype = model.dtype;
  take_own(given, settings);
  take_settings(given, settings);
  require_none_left<SampleSettings>(given, "sample");
  if (settings.own_noise || settings.start.defined() || settings.noise.defined() || settings.mask.defined() ||
      !settings.tile.empty())
    throw UsageError("`gradients`: leave `start`, `noise`, `mask` and `tile` out");
  Seeds numbers = "0-63";
  if (!seeds.is_none()) convert(seeds, "seeds", numbers);
  const SolverChoice choice = own_solver(solver, "solver");
  GradientOptions options{mode_of(mode), std::move(parameters), 0};
  const py::gil_scoped_release release;
  const DrawSettings draw = draw_settings(model.choice(), settings, numbers);
  auto run = std::make_shared<Run>(Run{model, make_sampler(model.choice(), choice, settings), PhiloxNoise(), {}});
  const Sampler& sampler = run->sampler;
  run->problem.emplace(Problem{*run->model.loaded.denoiser, *sampler.term, run->noise, draw.guidance});
  const auto n = static_cast<int64_t>(draw.seeds.size());
  const double first = sampler.grid.start();
  const Tensor x = unit_start(settings.init, draw.seeds, model, settings).mul(first).to(state_dtype(settings.dtype));
  // Conditions that require gradients are the caller's own tensors: make_condition goes by way of the host.
  BatchState condition = make_condition(model.loaded.info(), draw, 0, n);
  std::vector<Tensor> slots = condition.slots();
  const std::vector<ConditionSpec>& specs = model.loaded.info().conditions;
  for (std::size_t i = 0; i < specs.size(); ++i)
    if (const auto found = conditions.find(specs[i].name); found != conditions.end() && found->second.requires_grad())
      slots[i] = found->second.size(0) == n ? found->second : found->second.expand_as(slots[i]);
  const Tensor ids = at::tensor(draw.seeds, at::TensorOptions().dtype(at::kLong)).to(settings.device);
  const RunConstant constant{ids, BatchState(std::move(slots)), sampler.grid.rows(n, settings.device), {}};
  const Times sigma = at::full({n}, first, x.options().dtype(at::kDouble).requires_grad(false));
  const RunState start = start_run(*sampler.solver, *sampler.controller, constant, x, sigma);
  return {run, sample_with_gradients(*run->problem, *sampler.solver, *sampler.controller, start, options)};
}

}  // namespace

void bind_gradients(py::module_& module) {
  py::class_<Run, std::shared_ptr<Run>>(module, "JoinedRun").def_property_readonly("sigmas", [](const Run& run) {
    return at::tensor(run.sampler.grid.sigmas(), at::kDouble);
  });
  py::class_<Ended>(module, "JoinedResult")
      .def_readonly("run", &Ended::run)
      .def_property_readonly("x", [](const Ended& e) { return e.result.x; })
      .def_property_readonly("seeds", [](const Ended& e) { return e.result.ids; })
      .def_property_readonly("status", [](const Ended& e) { return e.result.status; })
      .def_property_readonly("steps", [](const Ended& e) { return e.result.steps; })
      .def_property_readonly("rejected", [](const Ended& e) { return e.result.rejected; })
      .def_property_readonly("nfe", [](const Ended& e) { return e.result.nfe; })
      .def_property_readonly("model_evals", [](const Ended& e) { return e.result.model_evals; });
  module.def("sample_joined", &run_joined, py::arg("model"), py::arg("solver"), py::arg("settings"), py::arg("seeds"),
             py::arg("mode"), py::arg("parameters"), py::arg("conditions"));
}

}  // namespace stride
