// The keyword arguments of the module's functions: a table for each struct of settings, from which they are read,
// listed, documented and typed.
#pragma once

#include "evaluation/compare.h"
#include "neural/predictor/train_predictor.h"
#include "pipeline/fit.h"
#include "pipeline/record.h"

namespace stride {

/// visit(f): f(name, member, what it is), in the order in which help() shows them.
template <class Settings>
struct Fields;

/// What sample, fit, record and evaluate have in common.
template <class Settings, class F>
void each_condition(F f) {
  f("label", &Settings::label, "class of each sample, where the model takes one: 3, \"0-9\", \"random\", or int64 [N]");
  f("conditions", &Settings::conditions,
    "tensors by name, and as \"negative.NAME\": one sample's for all seeds, or [N, ...] with a row for each");
  f("guidance", &Settings::guidance, "classifier-free guidance: 2, \"2:interval=0.2-5\"");
  f("threshold", &Settings::threshold, "bound on the denoised prediction: \"dynamic:0.995\"");
  f("clip", &Settings::clip, "bound it to [-1, 1]");
  f("batch", &Settings::batch, "samples that run together");
  f("device", &Settings::device, "where the run is; by default the denoiser's");
  f("dtype", &Settings::dtype, "of the network; at 16 bits the rest is float32; noise levels are float64");
}

template <>
struct Fields<SampleSettings> {
  template <class F>
  static void visit(F f) {
    using S = SampleSettings;
    f("steps", &S::steps, "intervals of the grid, the last one included; by default 18");
    f("nfe", &S::nfe, "in place of steps: as many as cost that number of evaluations");
    f("sigmas", &S::sigmas,
      "in place of both: the levels themselves, float [steps + 1], decreasing, in units of the data");
    f("schedule", &S::schedule, "of the grid, by name: see stride.schedules");
    f("final", &S::final, "\"zero\": the last step jumps to 0; \"sigma_min\": there is no jump");
    f("sigma_min", &S::sigma_min, "the smallest level above 0; by default the model's");
    f("sigma_max", &S::sigma_max, "the level that a run starts at; by default the model's");
    f("noise_schedule", &S::noise_schedule,
      "behind grids of timesteps; by default the model's, else diffusers' linear one");
    f("policy", &S::policy,
      "steps per sample: \"pi:atol=0.05\", stride.pi(atol=0.05), a predictor; by default a fixed grid");
    f("term", &S::term, "\"ode\", or \"sde:eta=1\" under solvers that integrate one");
    each_condition<S>(f);
    f("init", &S::init, "in place of drawn normals: unit normals [N, ...] in the order of the seeds");
    f("noise", &S::noise, "in place of a run's draws: unit normals [draws, N, ...]");
    f("start", &S::start, "images [N, ...] to begin from");
    f("mask", &S::mask, "[N, ...] in [0, 1]: where 0, the start stays as it is");
    f("strength", &S::strength, "how much of the grid a start runs; by default all of it");
    f("init_scale", &S::init_scale, "what `init` is multiplied by: \"sigma\", \"vp\" or \"flow\"");
    f("tile", &S::tile, "\"4x4:overlap=8\": the network sees images tile by tile");
    f("exact", &S::exact, "the same bits whatever the batch");
    f("allow_model_mismatch", &S::allow_model_mismatch, "run a plan or predictor that was made otherwise");
  }
};

template <>
struct Fields<RecordSettings> {
  template <class F>
  static void visit(F f) {
    using S = RecordSettings;
    f("save_at", &S::save_at, "points of the grid that are kept, counted from 0, or from -1 at the end: \"0,4,-1\"");
    f("features_only", &S::features_only, "no states: only what train_predictor needs of them");
    f("store_dtype", &S::store_dtype, "\"float32\" or \"float16\"");
    f("shard_rows", &S::shard_rows, "trajectories a file");
  }
};

template <>
struct Fields<FitSettings> {
  template <class F>
  static void visit(F f) {
    using S = FitSettings;
    f("nfe", &S::nfe, "evaluations of the plan; by default those of init_plan, else 5");
    f("method", &S::method, "a named combination of the next two, each of which overrides it");
    f("parametrisation", &S::parametrisation, "what is fitted, joined by \"+\": grid, weights, times");
    f("residual", &S::residual, "what is compared of end points: \"pixels\", \"encoder\", \"features:CARD\"");
    f("teacher", &S::teacher, "whose end points the plan is to meet");
    f("seeds", &S::seeds, "that it is fitted on");
    f("val_seeds", &S::val_seeds, "that it is chosen on");
    f("final", &S::final, "\"zero\", \"sigma_min\", or \"best\" of both");
    f("sigma_min", &S::sigma_min, "the smallest level above 0; by default the model's");
    f("sigma_max", &S::sigma_max, "the level that a run starts at; by default the model's");
    f("restarts", &S::restarts, "grids that each end is started from");
    f("iterations", &S::iterations, "of Levenberg-Marquardt");
    f("weight_prior", &S::weight_prior, "pull of the weights to theory's");
    f("scale_prior", &S::scale_prior, "pull of the model times to the grid's");
    f("huber", &S::huber, "threshold of a robust loss, in units of the median residual; by default least squares");
    f("budget_evals", &S::budget_evals, "denoiser calls after which it ends with the best so far; 0: no limit");
    f("fit_rows", &S::fit_rows, "rows that run together, at most");
    f("fit_memory", &S::fit_memory, "bytes that the fit may take on top of its data: \"512M\"");
    f("init_plan", &S::init_plan, "a plan to start from");
    each_condition<S>(f);
  }
};

template <>
struct Fields<EvaluateSettings> {
  template <class F>
  static void visit(F f) {
    using S = EvaluateSettings;
    f("nfe", &S::nfe, "counts of evaluations; by default 4, 6 and 8");
    f("steps", &S::steps, "in their place: counts of steps");
    f("schedule", &S::schedule, "of the grids, one or several, by name");
    f("final", &S::final, "\"zero\", \"sigma_min\", or \"both\"");
    f("sigma_min", &S::sigma_min, "the smallest level above 0; by default the model's");
    f("sigma_max", &S::sigma_max, "the level that a run starts at; by default the model's");
    f("noise_schedule", &S::noise_schedule,
      "behind grids of timesteps; by default the model's, else diffusers' linear one");
    f("teacher", &S::teacher, "what \"rmse\" and metrics that end in \"-teacher\" are measured from");
    f("metrics", &S::metrics, "names of docs/evaluation.md: \"rmse\", \"fd\", \"kid\", ...");
    f("features", &S::features, "card of the feature network, for metrics of sets");
    f("ref", &S::ref, "real images, or their statistics, for metrics against them");
    f("quantise", &S::quantise, "what pixels go through before the feature network: \"none\" or \"uint8\"");
    f("blocks", &S::blocks, "of seeds, for intervals");
    f("images", &S::images, "samples kept to look at, where they are images");
    f("seeds", &S::seeds, "the samples of every sampler");
    each_condition<S>(f);
    f("allow_model_mismatch", &S::allow_model_mismatch, "run a plan or predictor that was made otherwise");
  }
};

template <>
struct Fields<PredictorTraining> {
  template <class F>
  static void visit(F f) {
    using S = PredictorTraining;
    f("base", &S::base, "the solver whose steps are learned");
    f("hidden", &S::hidden, "widths of the hidden layers");
    f("quantile", &S::quantile, "of the largest allowed step that it aims at; below 0.5 is cautious");
    f("steps", &S::steps, "of training");
    f("batch", &S::batch, "examples a step");
    f("learning_rate", &S::learning_rate, "of AdamW");
    f("weight_decay", &S::weight_decay, "of AdamW");
    f("held_out", &S::held_out, "share of the trajectories that only measures");
    f("seed", &S::seed, "of everything that is drawn");
    f("device", &S::device, "where the networks are trained");
  }
};

template <>
struct Fields<ExampleOptions> {
  template <class F>
  static void visit(F f) {
    using S = ExampleOptions;
    f("tolerance_min", &S::tolerance_min, "smallest tolerance that is trained on, in units of the data");
    f("tolerance_max", &S::tolerance_max, "largest");
    f("jumps", &S::jumps, "starts drawn a trajectory");
    f("tolerances", &S::tolerances, "drawn a start");
  }
};

}  // namespace stride
