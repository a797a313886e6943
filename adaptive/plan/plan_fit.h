// Fitting a few-step plan to a denoiser: black-box least squares on end points (design §3).
#pragma once

#include "adaptive/plan/ceres_solver.h"
#include "adaptive/plan/plan_parameters.h"
#include "adaptive/plan/plan_runs.h"
#include "framework/denoiser.h"
#include "framework/evaluator.h"
#include "framework/progress.h"

#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace stride {

/// Samples to fit to, or to choose by: where they start and where the teacher ended.
struct PlanFitData {
  Tensor start;          ///< `[S, …]`, EDM coordinates at sigma_max
  Tensor target;         ///< `[S, …]`, the teacher's end points from there
  BatchState condition;  ///< S rows: the model's conditions, and then what stands for none of each where it is given
};

struct PlanFitOptions {
  int64_t nfe = 5;
  std::vector<Final> ends{Final::zero, Final::sigma_min};  ///< tried; the better on the validation samples wins
  double sigma_min = 0.002;
  double sigma_max = 80.0;
  PlanFree free = {};               ///< what is fitted; the rest stays as at the start
  EndPointMap compare = {};         ///< what is compared of end points; none: themselves ("pixels")
  std::string residual = "pixels";  ///< its name, for the report
  int64_t starts = 2;               ///< grids that each end is started from: Karras with rho = 7, 12, 3, 30, 1.5
  int64_t screen_iterations =
      6;                        ///< of each start, where there are several; the best on the validation samples goes on
  int64_t screen_samples = 48;  ///< how many of the training samples the screening looks at
  int64_t iterations = 16;      ///< of the one that goes on, on all training samples
  double fd_step = 2e-3;        ///< see PlanParameters::turn
  Differences differences = Differences::forward;  ///< half the runs of central ones, and plans as good
  double initial_radius = 30.0;  ///< of the trust region: damping is its inverse, times the diagonal of JᵀJ
  double weight_prior = 1e-3;    ///< pull of the weights to theory's: see below
  double scale_prior = 1e-2;     ///< pull of log s to 0
  /// Huber threshold on a sample's RMSE, in units of the median at the start; infinity: least squares.
  double huber = std::numeric_limits<double>::infinity();
  int64_t rows = 1024;             ///< rows that run together, at most
  int64_t memory = 0;              ///< bytes that the fit may take on top of its data: fewer rows run together; 0: any
  int64_t budget_evaluations = 0;  ///< denoiser calls after which the fit ends with the best so far, which is at least
                                   ///< the start, measured; 0: none
  std::optional<Plan> initial;     ///< starts from this plan alone, at its own end
  // Steps beyond these sizes of the parameters are refused, which shortens the next one. (Bounds given to Ceres make it
  // search along the bent step instead, and creep: ten times the iterations on the digits.)
  double logit_bound = 8.0;
  double weight_bound = 5.0;  ///< of a weight's correction
  double log_scale_bound = 1.0;

  // A prior of strength p adds p · (mean squared residual at the start) · (deviation)² to the mean squared
  // residual: p = 1e-3 lets a weight move by 1 for a gain of 0.1 % of what iPNDM leaves.

  /// Empty when valid, else what is wrong and how to fix it.
  [[nodiscard]] std::string invalid_reason() const;
};

/// One start that was tried.
struct PlanFitTrial {
  Final final = Final::zero;
  std::string start;          ///< "rho=7", or "plan" for PlanFitOptions::initial
  double train_before = 0.0;  ///< RMSE of iPNDM on the Karras grid with this end
  double validation_before = 0.0;
  double validation_after = 0.0;
};

struct PlanFitResult {
  Plan plan;  ///< best on the validation samples of all iterates; provenance is the caller's
  // RMSEs are of what is compared.
  double train_before = 0.0;  ///< RMSE to the teacher of iPNDM on the Karras grid with the plan's end
  double train_after = 0.0;
  double validation_before = 0.0;
  double validation_after = 0.0;
  double validation_pixels = 0.0;  ///< validation_after of the end points themselves, whatever was compared
  int64_t iterations = 0;          ///< steps tried, over all starts
  int64_t evaluations = 0;         ///< denoiser calls, counted per row
  double seconds = 0.0;
  std::vector<PlanFitTrial> trials;
  std::string end;       ///< why it ended: "budget", "stopped", or what the optimiser says
  bool stopped = false;  ///< `progress` ended it; the plan is the best until then
};

/// Fits a plan to `train`, choosing among iterates, starts and ends on `validation`. Deterministic. `progress`
/// counts Levenberg–Marquardt iterations and may stop the fit, also within an iteration. Throws UsageError for
/// invalid options or data that do not fit together, QualityError when the end points are not finite. Stopped before
/// the first plan was measured, the result's plan is empty: nfe() is 0.
[[nodiscard]] PlanFitResult fit_plan(const Denoiser& denoiser, const Guidance& guidance, const PlanFitData& train,
                                     const PlanFitData& validation, const PlanFitOptions& options,
                                     const ProgressFn& progress = {});

/// The `fit` object of the plan's file. `teacher` and the seeds are as the user gave them.
struct PlanFitProvenance {
  std::string teacher, seeds, validation_seeds;
};
[[nodiscard]] std::string fit_report_json(const PlanFitResult& result, const PlanFitOptions& options,
                                          const PlanFitProvenance& provenance);

}  // namespace stride
