// What comes out: plans, predictors, stores, comparisons.
#include "python/bindings/bindings.h"
#include "python/bindings/own_parts.h"

#include "datasets/files/samples_file.h"
#include "datasets/images/png.h"
#include "datasets/store/trajectory_store.h"
#include "evaluation/evaluation_result.h"
#include "evaluation/report/report.h"
#include "evaluation/results_table.h"
#include "framework/dtype_name.h"
#include "neural/predictor/train_predictor.h"
#include "pipeline/fitting.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <pybind11/stl.h>
#include <torch/csrc/utils/pybind.h>

#include <cmath>
#include <utility>

namespace stride {
namespace {

Plan read_plan(const std::string& text) { return Plan::from_json(text, "the plan"); }

void bind_plan(py::module_& module) {
  py::class_<Plan>(
      module, "Plan",
      "A few-step sampler as a table: x <- x + (s[i+1] - s[i]) * sum_j w[i][j] d[i-j], with d the slope at "
      "scale_time[i] * sigmas[i].")
      .def(py::init([](std::vector<double> sigmas, std::vector<std::vector<double>> weights,
                       std::optional<std::vector<double>> scale_time) {
             Plan plan;
             plan.scale_time = scale_time.value_or(std::vector<double>(weights.size(), 1.0));
             plan.sigmas = std::move(sigmas);
             plan.weights = std::move(weights);
             return Plan::from_json(plan.to_json(), "the plan");
           }),
           py::arg("sigmas"), py::arg("weights"), py::arg("scale_time") = py::none())
      .def_static("load", &Plan::load, py::arg("path"), "Reads a plan's file. Raises InputError on what is none.")
      .def_static("from_json", &read_plan, py::arg("text"))
      .def("save", &Plan::save, py::arg("path"),
           "Writes the file whole or not at all; the command runs it as plan:FILE.")
      .def("to_json", &Plan::to_json)
      .def_readonly("sigmas", &Plan::sigmas, "nfe + 1 levels, decreasing; the last may be 0")
      .def_readonly("weights", &Plan::weights, "of each step: of d[i], d[i-1], ...")
      .def_readonly("scale_time", &Plan::scale_time, "of each step: what sigma is multiplied by for the model")
      .def_property_readonly("nfe", &Plan::nfe)
      .def_property_readonly("final", [](const Plan& p) { return p.final_zero() ? "zero" : "sigma_min"; })
      .def_readonly("model_sha256", &Plan::model_sha256)
      .def_property_readonly(
          "made_with", [](const Plan& p) { return to_json(p.made_with); }, "JSON")
      .def_property_readonly(
          "fit_report", [](const Plan& p) { return p.fit_json; }, "JSON; empty: it was not fitted")
      .def("__repr__",
           [](const Plan& p) -> std::string {
             if (p.sigmas.size() < 2) return "Plan(empty)";
             return fmt::format("Plan({} evaluations, sigmas {:.4g} to {:.4g}{})", p.nfe(), p.sigmas.front(),
                                p.sigmas[p.sigmas.size() - (p.final_zero() ? 2 : 1)], p.final_zero() ? ", then 0" : "");
           })
      .def(py::pickle([](const Plan& plan) { return plan.to_json(); }, &read_plan));

  py::class_<PlanFitResult>(module, "PlanFitResult")
      .def_readonly("plan", &PlanFitResult::plan)
      .def_readonly("train_before", &PlanFitResult::train_before)
      .def_readonly("train_after", &PlanFitResult::train_after)
      .def_readonly("validation_before", &PlanFitResult::validation_before)
      .def_readonly("validation_after", &PlanFitResult::validation_after)
      .def_readonly("iterations", &PlanFitResult::iterations)
      .def_readonly("evaluations", &PlanFitResult::evaluations)
      .def_readonly("seconds", &PlanFitResult::seconds)
      .def_readonly("end", &PlanFitResult::end)
      .def_readonly("stopped", &PlanFitResult::stopped);
}

void bind_predictor(py::module_& module) {
  py::class_<StepPredictor, std::shared_ptr<StepPredictor>>(module, "StepPredictor", "A trained step predictor.")
      .def_static(
          "load", [](const std::string& path) { return std::make_shared<StepPredictor>(StepPredictor::load(path)); },
          py::arg("path"))
      .def(
          "save", [](const StepPredictor& p, const std::string& path) { p.save(path); }, py::arg("path"))
      .def_property_readonly(
          "base", [](const StepPredictor& p) { return p.info().base; }, "the solver that it is for")
      .def_property_readonly(
          "tolerances",
          [](const StepPredictor& p) { return std::pair(p.info().tolerance_min, p.info().tolerance_max); })
      .def(
          "policy",
          [](const std::shared_ptr<StepPredictor>& predictor, const std::string& options) {
            return OwnPolicy{PolicyChoice(predictor, options)};
          },
          py::arg("options"));
  py::class_<TrainedPredictor>(module, "TrainedPredictor")
      .def_property_readonly("predictor",
                             [](const TrainedPredictor& t) { return std::make_shared<StepPredictor>(t.predictor); })
      .def_readonly("stopped", &TrainedPredictor::stopped)
      .def_property_readonly("report", [](const TrainedPredictor& t) {
        py::dict out;
        out["examples"] = t.report.examples;
        out["held_out"] = t.report.held_out;
        out["loss"] = t.report.loss;
        out["constant_loss"] = t.report.constant_loss;
        out["schedule_loss"] = t.report.schedule_loss;
        out["within_tolerance"] = t.report.within;
        out["within_double"] = t.report.within_double;
        return out;
      });
}

py::dict batch_of(const TrajectoryStore& store, const std::vector<int64_t>& rows) {
  TrajectoryBatch batch;
  {
    const py::gil_scoped_release release;
    batch = store.batch(rows);
  }
  py::dict out;
  const auto add = [&](const char* name, const Tensor& value) {
    if (value.defined()) out[name] = value;
  };
  add("x", batch.x);
  add("denoised", batch.denoised);
  add("sigma", batch.sigma);
  add("seed", batch.seed);
  add("nfe", batch.nfe);
  add("status", batch.status);
  add("gram", batch.gram);
  add("pooled", batch.pooled);
  add("start", batch.start);
  return out;
}

void bind_store(py::module_& module) {
  py::class_<TrajectoryStore, std::shared_ptr<TrajectoryStore>>(module, "TrajectoryStore")
      .def(py::init([](const std::string& folder) {
             const py::gil_scoped_release release;
             return std::make_shared<TrajectoryStore>(folder);
           }),
           py::arg("folder"))
      .def_property_readonly("folder", &TrajectoryStore::folder)
      .def("__len__", &TrajectoryStore::size)
      .def_property_readonly("seeds", &TrajectoryStore::seeds)
      .def_property_readonly("ok_rows", &TrajectoryStore::ok_rows)
      .def("rows_of", &TrajectoryStore::rows_of, py::arg("seeds"))
      .def("batch", &batch_of, py::arg("rows"))
      .def_property_readonly("sigmas", [](const TrajectoryStore& s) { return s.config().sigmas; })
      .def_property_readonly("solver", [](const TrajectoryStore& s) { return s.config().solver; })
      .def_property_readonly("schedule", [](const TrajectoryStore& s) { return s.config().schedule; })
      .def_property_readonly("final", [](const TrajectoryStore& s) { return s.config().final; })
      .def_property_readonly("shape", [](const TrajectoryStore& s) { return s.config().sample_shape; })
      .def_property_readonly("dtype", [](const TrajectoryStore& s) { return dtype_name(s.config().dtype); })
      .def_property_readonly("settings", [](const TrajectoryStore& s) { return s.config().settings; })
      .def_property_readonly("model_sha256", [](const TrajectoryStore& s) { return s.config().model_sha256; })
      .def_property_readonly("files", [](const TrajectoryStore& s) {
        std::vector<std::string> out;
        for (const auto& entry : s.shards()->index().shards()) out.push_back(entry.folder + "/" + entry.entry.file);
        return out;
      });
}

py::dict row_of(const SamplerResult& row) {
  py::dict out;
  out["sampler"] = row.sampler;
  out["schedule"] = row.schedule;
  out["final"] = row.final;
  out["policy"] = row.policy;
  out["steps"] = row.steps;
  out["nfe"] = row.cost.nfe_mean;
  out["nfe_p95"] = row.cost.nfe_p95;
  out["nfe_max"] = row.cost.nfe_max;
  out["model_evals"] = row.cost.model_evals_mean;
  out["seconds_per_sample"] = row.cost.n > 0 ? row.cost.seconds / static_cast<double>(row.cost.n) : std::nan("");
  py::dict metrics;
  for (const MetricResult& metric : row.metrics)
    metrics[metric.name.c_str()] = py::make_tuple(metric.all.value, metric.all.low, metric.all.high);
  out["metrics"] = metrics;
  out["sigmas"] = row.sigmas;
  out["not_finite"] = row.not_finite;
  out["gave_up"] = row.gave_up;
  out["png"] = row.strip_png.empty() ? py::object(py::none()) : py::bytes(row.strip_png);
  return out;
}

void bind_evaluation(py::module_& module) {
  py::class_<EvaluationResult>(module, "EvaluationResult")
      .def("table", &results_table)
      .def("to_csv", &to_csv)
      .def("to_json", [](const EvaluationResult& r) { return to_json(r); })
      .def("html",
           [](const EvaluationResult& r) {
             ReportData data;
             data.evaluations = {r};
             return report_html(data);
           })
      .def_readonly("complete", &EvaluationResult::complete)
      .def_readonly("model", &EvaluationResult::model)
      .def_readonly("seeds", &EvaluationResult::seeds)
      .def_readonly("warnings", &EvaluationResult::warnings)
      .def_property_readonly("teacher", [](const EvaluationResult& r) { return row_of(r.teacher); })
      .def_property_readonly("rows", [](const EvaluationResult& r) {
        py::list out;
        for (const SamplerResult& row : r.samplers) out.append(row_of(row));
        return out;
      });
}

py::bytes png_grid(const Tensor& pixels, int64_t columns) { return encode_png(tile_images(pixels, columns)); }

}  // namespace

void bind_results(py::module_& module) {
  bind_plan(module);
  bind_predictor(module);
  bind_store(module);
  bind_evaluation(module);
  module.def(
      "read_dataset", [](const std::string& path, const std::string& name) { return read_dataset(path, name); },
      py::arg("path"), py::arg("name"), "A dataset of a samples.h5, or of another HDF5 file.");
  module.def("png_grid", &png_grid, py::arg("pixels"), py::arg("columns"),
             "A PNG file of uint8 [N, H, W, C], in rows of `columns`.");
}

}  // namespace stride
