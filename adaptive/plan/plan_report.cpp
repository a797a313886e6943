// The `fit` object of a plan's file (contract).
#include "adaptive/plan/plan_fit.h"

#include <cmath>
#include <nlohmann/json.hpp>

namespace stride {

std::string fit_report_json(const PlanFitResult& result, const PlanFitOptions& options,
                            const PlanFitProvenance& provenance) {
  using nlohmann::json;
  json trials = json::array();
  for (const PlanFitTrial& trial : result.trials)
    trials.push_back({{"final", to_string(trial.final)},
                      {"start", trial.start},
                      {"validation_rmse_before", trial.validation_before},
                      {"validation_rmse", trial.validation_after}});
  const bool central = options.differences == Differences::central;
  json report{
      {"method", central ? "levenberg-marquardt, central differences" : "levenberg-marquardt, forward differences"},
      {"residual", options.residual},
      {"parametrisation", options.free.text()},
      {"teacher", provenance.teacher},
      {"seeds", provenance.seeds},
      {"validation_seeds", provenance.validation_seeds},
      {"cost", result.train_after * result.train_after},
      {"train_rmse_before", result.train_before},
      {"train_rmse", result.train_after},
      {"validation_rmse_before", result.validation_before},
      {"validation_rmse", result.validation_after},
      {"validation_rmse_pixels", result.validation_pixels},
      {"iterations", result.iterations},
      {"evaluations", result.evaluations},
      {"seconds", result.seconds},
      {"end", result.end},
      {"fd_step", options.fd_step},
      {"weight_prior", options.weight_prior},
      {"scale_prior", options.scale_prior},
      {"trials", trials}};
  if (std::isfinite(options.huber)) report["huber"] = options.huber;
  return report.dump();
}

}  // namespace stride
