// sample, fit, record, train_predictor and evaluate.
#include "python/bindings/bindings.h"
#include "python/bindings/model.h"
#include "python/bindings/own_calls.h"
#include "python/bindings/own_parts.h"
#include "python/bindings/settings.h"

#include "evaluation/compare.h"
#include "pipeline/fit.h"
#include "pipeline/record.h"

#include <ATen/ATen.h>
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include <utility>

namespace stride {
namespace {

constexpr int64_t kDefaultBatch = 256;

// Where the run is, unless that is asked for; the command's batch.
template <class Settings>
Settings starting_at(const Model& model) {
  Settings out;
  out.device = model.device;
  out.dtype = model.dtype;
  out.batch = kDefaultBatch;
  return out;
}

SampleResult run_sample(const Model& model, py::handle solver, py::dict given, py::handle seeds, py::object progress) {
  auto settings = starting_at<SampleSettings>(model);
  take_own(given, settings);
  take_settings(given, settings);
  require_none_left<SampleSettings>(given, "sample");
  settings.progress = watched(std::move(progress));
  const SolverChoice choice = own_solver(solver, "solver");
  Seeds numbers = "0-63";
  if (!seeds.is_none()) convert(seeds, "seeds", numbers);
  const py::gil_scoped_release release;
  return sample(model.choice(), choice, settings, numbers);
}

PlanFitResult run_fit(const Model& model, const TrajectoryStore* store, py::dict given, py::object progress) {
  auto settings = starting_at<FitSettings>(model);
  take_settings(given, settings);
  require_none_left<FitSettings>(given, "fit");
  settings.progress = watched(std::move(progress));
  const py::gil_scoped_release release;
  return store != nullptr ? fit(model.choice(), *store, settings) : fit(model.choice(), settings);
}

std::shared_ptr<TrajectoryStore> run_record(const Model& model, py::handle solver, py::dict given, py::handle seeds,
                                            const std::string& folder, py::object progress) {
  auto settings = starting_at<SampleSettings>(model);
  RecordSettings keep;
  take_own(given, settings);
  take_settings(given, settings);
  take_settings(given, keep);
  require_none_left<SampleSettings, RecordSettings>(given, "record");
  settings.progress = watched(std::move(progress));
  const SolverChoice choice = own_solver(solver, "solver");
  Seeds numbers = "0-63";
  if (!seeds.is_none()) convert(seeds, "seeds", numbers);
  const py::gil_scoped_release release;
  return std::make_shared<TrajectoryStore>(record(model.choice(), choice, settings, numbers, folder, keep));
}

TrainedPredictor run_training(const TrajectoryStore& store, py::dict given, py::object progress) {
  PredictorTraining training;
  take_settings(given, training);
  take_settings(given, training.examples);
  require_none_left<PredictorTraining, ExampleOptions>(given, "train_predictor");
  training.examples.seed = training.seed;
  const ProgressFn watching = watched(std::move(progress));
  const py::gil_scoped_release release;
  return train_predictor(store, training, watching);
}

EvaluationResult run_evaluation(const Model& model, const py::list& samplers, py::dict given, py::object left_out,
                                py::object progress) {
  auto settings = starting_at<EvaluateSettings>(model);
  take_own(given, settings);
  take_settings(given, settings);
  require_none_left<EvaluateSettings>(given, "evaluate");
  settings.progress = watched(std::move(progress));
  settings.left_out = [&left_out](const std::string& what) {
    const py::gil_scoped_acquire gil;
    left_out(what);
  };
  std::vector<Contender> contenders;
  for (const py::handle each : samplers) {
    const auto pair = py::cast<py::tuple>(each);
    PolicyChoice policy;
    if (!pair[1].is_none()) policy = own_policy(pair[1], "policy");
    contenders.emplace_back(own_solver(pair[0], "samplers"), std::move(policy));
  }
  const py::gil_scoped_release release;
  return evaluate(model.choice(), contenders, settings);
}

}  // namespace

void bind_run(py::module_& module) {
  py::class_<SampleResult>(module, "SampleResult")
      .def_property_readonly("x", [](const SampleResult& r) { return r.x; })
      .def_readonly("seeds", &SampleResult::seeds)
      .def_readonly("status", &SampleResult::status)
      .def_readonly("steps", &SampleResult::steps)
      .def_readonly("rejected", &SampleResult::rejected)
      .def_readonly("nfe", &SampleResult::nfe)
      .def_readonly("model_evals", &SampleResult::model_evals)
      .def_readonly("sigmas", &SampleResult::sigmas)
      .def_readonly("seconds", &SampleResult::seconds)
      .def_readonly("capture_seconds", &SampleResult::capture_seconds)
      .def_readonly("batch", &SampleResult::batch)
      .def_readonly("stopped", &SampleResult::stopped)
      .def_readonly("stepwise", &SampleResult::stepwise)
      .def_readonly("warnings", &SampleResult::warnings);
  module.def("sample", &run_sample, py::arg("model"), py::arg("solver"), py::arg("settings"), py::arg("seeds"),
             py::arg("progress"));
  module.def("fit", &run_fit, py::arg("model"), py::arg("store"), py::arg("settings"), py::arg("progress"));
  module.def("record", &run_record, py::arg("model"), py::arg("solver"), py::arg("settings"), py::arg("seeds"),
             py::arg("folder"), py::arg("progress"));
  module.def("train_predictor", &run_training, py::arg("store"), py::arg("settings"), py::arg("progress"));
  module.def("evaluate", &run_evaluation, py::arg("model"), py::arg("samplers"), py::arg("settings"),
             py::arg("left_out"), py::arg("progress"));
}

}  // namespace stride
