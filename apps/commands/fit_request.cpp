#include "apps/commands/fit_request.h"

#include "apps/cli/sampling_options.h"
#include "evaluation/evaluation.h"
#include "evaluation/feature_setup.h"
#include "framework/spec.h"
#include "neural/networks/encoder_features.h"
#include "pipeline/seeds.h"
#include "pipeline/teacher.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <algorithm>
#include <limits>

namespace stride {
namespace {

constexpr const char* kGroup = "Fit";

std::vector<std::string> method_names() {
  std::vector<std::string> names;
  for (const FitMethod& method : fit_methods()) names.push_back(method.name);
  return names;
}

std::string method_help() {
  std::vector<std::string> parts;
  for (const FitMethod& method : fit_methods()) parts.push_back(fmt::format("{} ({})", method.name, method.summary));
  return fmt::format("a named combination of the next three: {}", fmt::join(parts, ", "));
}

// What is compared: none for pixels.
EndPointMap residual_of(const std::string& residual, const LoadedModel& model) {
  if (residual == "pixels") return {};
  if (residual == "encoder") return encoder_features(model.denoiser);
  const Spec spec = Spec::parse(residual);
  if (spec.name != "features")
    throw UsageError(fmt::format("--residual {}: there are pixels, encoder and features:CARD", residual));
  const std::string card = residual.size() > 9 ? residual.substr(9) : "";
  if (card.empty()) throw UsageError("--residual features: name the network, as in features:features-digits");
  return [features = make_feature_setup({.features = card}, "", model.info()).features](const Tensor& x) {
    return features(x).to(x.device());
  };
}

}  // namespace

const std::vector<FitMethod>& fit_methods() {
  static const std::vector<FitMethod> all = {
      {"stride", "grid+weights+times", "lm", "pixels", "everything"},
      {"stride-encoder", "grid+weights+times", "lm", "encoder", "everything, compared by the model's own encoder"},
      {"grid", "grid", "lm", "pixels", "the grid alone"},
      {"weights", "weights", "lm", "pixels", "the history weights alone"},
      {"times", "times", "lm", "pixels", "the model times alone"}};
  return all;
}

int64_t parse_bytes(const std::string& text, const std::string& where) {
  const std::size_t unit = text.empty() ? std::string::npos : std::string("KMG").find(text.back());
  const std::string digits = unit == std::string::npos ? text : text.substr(0, text.size() - 1);
  const int64_t factor = unit == std::string::npos ? 1 : int64_t{1} << (10 * (unit + 1));
  const int64_t count = parse_integer(digits, where);
  if (count < 1 || count > std::numeric_limits<int64_t>::max() / factor)
    throw UsageError(fmt::format("{} {}: needs a positive number of bytes, as in 512M", where, text));
  return count * factor;
}

FitRequest fit_request(const OptionValues& options, const std::vector<int64_t>& seeds, const LoadedModel& model) {
  FitRequest request;
  PlanFitOptions& fit = request.fit;
  request.method = options.text("method");
  const auto method = std::find_if(fit_methods().begin(), fit_methods().end(),
                                   [&](const FitMethod& m) { return m.name == request.method; });
  fit.free = PlanFree::parse(options.text_or("parametrisation", method->parametrisation));
  fit.residual = options.text_or("residual", method->residual);
  fit.compare = residual_of(fit.residual, model);
  if (options.has("fit-memory")) request.memory = parse_bytes(options.text("fit-memory"), "--fit-memory");
  fit.sigma_min = options.has("sigma-min") ? options.number("sigma-min") : model.info().sigma_min;
  fit.sigma_max = options.has("sigma-max") ? options.number("sigma-max") : model.info().sigma_max;
  fit.starts = options.integer("restarts");
  fit.iterations = options.integer("iterations");
  fit.weight_prior = options.number("weight-prior");
  fit.scale_prior = options.number("scale-prior");
  if (options.has("huber")) fit.huber = options.number("huber");
  fit.rows = options.integer("fit-rows");
  if (options.has("budget-evals")) fit.budget_evaluations = options.integer("budget-evals");
  if (options.has("init-plan")) fit.initial = Plan::load(options.text("init-plan"));
  fit.nfe = fit.initial && !options.given("nfe") ? fit.initial->nfe() : options.integer("nfe");
  if (const std::string final = options.text("final"); final != "best") fit.ends = {parse_final(final)};
  if (const std::string reason = fit.invalid_reason(); !reason.empty()) throw UsageError(reason);
  if (fit.initial) {
    const Final end = fit.initial->final_zero() ? Final::zero : Final::sigma_min;
    if (options.asked("final") && options.text("final") != to_string(end))
      throw UsageError(fmt::format("--final {}: the fit starts from --init-plan, which ends at {}; leave --final out",
                                   options.text("final"), to_string(end)));
    if (options.asked("restarts"))
      throw UsageError("--restarts: with --init-plan the fit starts from that plan alone; leave one of them out");
    const PlanParameters space({.nfe = fit.nfe, .final = end, .sigma_min = fit.sigma_min, .sigma_max = fit.sigma_max});
    (void)space.parameters(*fit.initial);  // throws when the plan lies elsewhere
  }
  request.teacher_text = options.text("teacher");
  request.teacher = parse_teacher(request.teacher_text);
  if (options.has("sigma-min")) request.teacher.sigma_min = fit.sigma_min;
  if (options.has("sigma-max")) request.teacher.sigma_max = fit.sigma_max;
  request.validation_seeds = parse_seeds(options.text("val-seeds"));
  for (const int64_t seed : request.validation_seeds) {
    if (std::find(seeds.begin(), seeds.end(), seed) != seeds.end())
      throw UsageError(fmt::format("--val-seeds: seed {} is fitted to; choose the plan on other seeds", seed));
  }
  return request;
}

OptionTable fit_options() {
  return {{.name = "nfe",
           .kind = ValueKind::integer,
           .fallback = "5",
           .value = "N",
           .help = "evaluations of the plan",
           .group = kGroup,
           .key = "fit.nfe"},
          {.name = "method",
           .fallback = "stride",
           .value = "NAME",
           .help = method_help(),
           .group = kGroup,
           .key = "fit.method",
           .choices = method_names()},
          {.name = "parametrisation",
           .value = "PARTS",
           .help = "what is fitted, of grid, weights and times, e.g. grid+weights (default: the method's)",
           .group = kGroup,
           .key = "fit.parametrisation"},
          {.name = "optimiser",
           .value = "NAME",
           .help = "lm: Levenberg-Marquardt with finite differences (default: the method's)",
           .group = kGroup,
           .key = "fit.optimiser",
           .choices = {"lm"}},
          {.name = "residual",
           .value = "WHAT",
           .help = "what is compared of end points: pixels, encoder (the model's own UNet) or features:CARD (default: "
                   "the method's)",
           .group = kGroup,
           .key = "fit.residual"},
          {.name = "teacher",
           .fallback = "heun:steps=40",
           .value = "NAME[:key=value,...]",
           .help = "whose end points to meet; its options may be steps, schedule and final too",
           .group = kGroup,
           .key = "fit.teacher"},
          {.name = "val-seeds",
           .fallback = "5000-5127",
           .value = "LIST",
           .help = "seeds that the plan is chosen on",
           .group = kGroup,
           .key = "fit.val_seeds"},
          {.name = "final",
           .fallback = "best",
           .value = "END",
           .help = "zero: the last step jumps to 0; best: try both",
           .group = kGroup,
           .key = "fit.final",
           .choices = {"best", "zero", "sigma_min"}},
          {.name = "sigma-min",
           .kind = ValueKind::number,
           .value = "S",
           .help = "smallest noise level (default: the model's)",
           .group = kGroup,
           .key = "fit.sigma_min"},
          {.name = "sigma-max",
           .kind = ValueKind::number,
           .value = "S",
           .help = "where sampling starts (default: the model's)",
           .group = kGroup,
           .key = "fit.sigma_max"},
          {.name = "restarts",
           .kind = ValueKind::integer,
           .fallback = "2",
           .value = "N",
           .help = "grids that each end is started from, 1 to 5",
           .group = kGroup,
           .key = "fit.restarts"},
          {.name = "iterations",
           .kind = ValueKind::integer,
           .fallback = "16",
           .value = "N",
           .help = "Levenberg-Marquardt steps of the start that goes on",
           .group = kGroup,
           .key = "fit.iterations"},
          {.name = "weight-prior",
           .kind = ValueKind::number,
           .fallback = "0.001",
           .value = "P",
           .help = "pull of the weights to Adams-Bashforth's",
           .group = kGroup,
           .key = "fit.weight_prior"},
          {.name = "scale-prior",
           .kind = ValueKind::number,
           .fallback = "0.01",
           .value = "P",
           .help = "pull of the model times to the grid's",
           .group = kGroup,
           .key = "fit.scale_prior"},
          {.name = "huber",
           .kind = ValueKind::number,
           .value = "T",
           .help = "robust loss: a sample counts less beyond T times the median residual",
           .group = kGroup,
           .key = "fit.huber"},
          {.name = "budget-evals",
           .kind = ValueKind::integer,
           .value = "N",
           .help = "end with the best so far after N denoiser calls",
           .group = kGroup,
           .key = "fit.budget_evals"},
          {.name = "fit-rows",
           .kind = ValueKind::integer,
           .fallback = "1024",
           .value = "N",
           .help = "turned plans' samples that run together, at most",
           .group = kGroup,
           .key = "fit.rows"},
          {.name = "fit-memory",
           .value = "BYTES",
           .help = "memory for these runs, e.g. 512M: fewer run together where they need more",
           .group = kGroup,
           .key = "fit.memory"},
          {.name = "init-plan",
           .value = "FILE",
           .help = "start from this plan, at its own end",
           .group = kGroup,
           .key = "fit.init_plan"},
          {.name = "plan-out",
           .value = "FILE",
           .help = "where the plan goes, beside plan.json in the run folder",
           .group = kGroup,
           .key = "fit.plan_out"}};
}

}  // namespace stride
