// What the options of `stride fit` ask for, checked.
#pragma once

#include "adaptive/plan/plan_fit.h"
#include "apps/cli/option_table.h"
#include "pipeline/model_card.h"
#include "pipeline/sampler.h"

#include <string>
#include <vector>

namespace stride {

/// A combination that --method names.
struct FitMethod {
  std::string name, parametrisation, optimiser, residual, summary;
};
[[nodiscard]] const std::vector<FitMethod>& fit_methods();

struct FitRequest {
  PlanFitOptions fit;
  SamplerSpec teacher;
  std::string teacher_text, method;
  std::vector<int64_t> validation_seeds;
};

/// The options of `stride fit` beside those of sampling.
[[nodiscard]] OptionTable fit_options();

/// Throws UsageError for values that make no sense, alone or together; `seeds` are those that are fitted to.
[[nodiscard]] FitRequest fit_request(const OptionValues& options, const std::vector<int64_t>& seeds,
                                     const LoadedModel& model);

/// "512M" as bytes: a whole number, with K, M or G for powers of 1,024. Throws UsageError, naming `where`.
[[nodiscard]] int64_t parse_bytes(const std::string& text, const std::string& where);

}  // namespace stride
