// Runs samplers for the parity suite and writes every state: harness.py asks, and compares with the references.
//
//   stride_parity_probe CASES.json INPUT.safetensors OUTPUT.safetensors
//   stride_parity_probe --solvers      the names that need a reference, one a line
//   stride_parity_probe --tableaux     the Butcher tableaux, as JSON
//
// With a `config`, the text of a file for --config, and `steps`, the case's solver, levels and bounds are those of
// `stride sample`; `sigmas/ID` are the levels, and metadata `said/ID` says what became of the configuration, as JSON.
// A case names a solver, the levels and a mixture; INPUT has `x/ID` [B, D] (EDM coordinates) and `noise/ID` [M, B, D],
// OUTPUT gets `states/ID` [N, B, D] and `nfe/ID` [B], or the message of the error as metadata `error/ID`. A case with a
// `policy` runs adaptively between the ends of its levels: its one state is the end point, and `accepted/ID` and
// `rejected/ID` [B] are there as well.
#include "apps/cli/command.h"
#include "apps/cli/guidance_option.h"
#include "apps/cli/sampling_options.h"
#include "apps/commands/commands.h"
#include "framework/error.h"
#include "framework/files/safetensors.h"
#include "framework/fixed_grid.h"
#include "framework/models/gaussian_mixture.h"
#include "framework/sample.h"
#include "pipeline/file_noise.h"
#include "pipeline/policies.h"
#include "solvers/inversion.h"
#include "solvers/registry.h"
#include "solvers/shared/runge_kutta.h"

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include <fstream>
#include <iostream>
#include <numeric>

namespace stride {
namespace {

using nlohmann::json;

GaussianMixture mixture(const json& wanted) {
  GaussianMixtureOptions options{wanted.at("weights"), wanted.at("means"), wanted.at("std"),
                                 wanted.value("classes", std::vector<int64_t>{})};
  ModelInfo info;
  info.name = "mixture";
  info.kind = "gaussian_mixture";
  info.shape = {static_cast<int64_t>(options.means.at(0).size())};
  if (!options.classes.empty())
    info.conditions = {{"class", 1 + *std::max_element(options.classes.begin(), options.classes.end()), {}}};
  return {info, options};
}

// A model that says tanh(D) of its variance.
class Predicting final : public Denoiser {
 public:
  explicit Predicting(const Denoiser& inner) : inner_(inner) {}
  [[nodiscard]] const ModelInfo& info() const noexcept override { return inner_.info(); }
  [[nodiscard]] Evaluation evaluate(const Tensor& x, const Times& sigma, const BatchState& condition) const override {
    Evaluation out = inner_.evaluate(x, sigma, condition);
    out.log_variance = out.denoised.tanh();
    return out;
  }

 private:
  const Denoiser& inner_;
};

// "guidance" is a scale; "guidance_text", "threshold" and "clip" are the command line's options.
Guidance guidance_of(const json& wanted) {
  Guidance guidance{.scale = wanted.value("guidance", 1.0)};
  if (wanted.contains("guidance_text")) guidance = parse_guidance(wanted.at("guidance_text"), 0.5);
  if (wanted.contains("threshold")) guidance.threshold = parse_threshold(wanted.at("threshold"));
  if (wanted.value("clip", false)) guidance.clip = kClipRange;
  return guidance;
}

struct Outcome {
  std::vector<Tensor> states;
  RunResult result;
};

const Command& sample_command() {
  static const auto commands = make_commands();
  for (const auto& command : commands)
    if (command->info().name == "sample") return *command;
  throw std::logic_error("no command sample");
}

// The case's configuration as `stride sample` reads it, in place of its solver, levels and bounds; `said` gets words.
json configured(json wanted, const ModelInfo& model, json& said) {
  OptionValues options(full_table(sample_command().info()));
  apply_config(options, parse_config(wanted.at("config"), "config"), "sample");
  for (const auto& assignment : wanted.value("set", std::vector<std::string>{})) apply_set(options, assignment);
  if (wanted.contains("steps"))
    options.set("steps", {std::to_string(wanted.at("steps").get<int64_t>())}, ValueSource::command_line, "--steps");
  const SamplerSpec spec = sampler_specs(options).at(0);
  const Sampler sampler = make_sampler(spec, model);
  wanted["solver"] = spec.solver;
  wanted["sigmas"] = sampler.grid.sigmas();
  wanted["noise_schedule"] = spec.noise_schedule.empty() ? "linear" : spec.noise_schedule;
  wanted["clip"] = options.flag("clip");
  if (options.has("threshold")) wanted["threshold"] = options.text("threshold");
  said = {
      {"solver", spec.solver},          {"schedule", spec.schedule},    {"noise_schedule", spec.noise_schedule},
      {"final", to_string(spec.final)}, {"clip", options.flag("clip")}, {"threshold", options.text_or("threshold", "")},
      {"notes", options.notes()}};
  for (const char* name : {"seeds", "guidance", "init-scale"}) said[name] = options.text_or(name, "");
  return wanted;
}

Outcome run(const json& wanted, const Tensor& x, const Tensor& noise) {
  const GaussianMixture plain = mixture(wanted.at("mixture"));
  const Predicting predicting(plain);
  const Denoiser& model = wanted.value("predicts_variance", false) ? static_cast<const Denoiser&>(predicting) : plain;
  std::optional<NoiseSchedule> schedule;
  if (wanted.contains("noise_schedule")) schedule = make_noise_schedule(Spec::parse(wanted.at("noise_schedule")));
  const auto solver = make_solver(wanted.at("solver").get<std::string>(), {schedule ? &*schedule : nullptr});
  const TimeGrid grid(wanted.at("sigmas").get<std::vector<double>>());
  const int64_t batch = x.size(0);
  std::vector<int64_t> ids(static_cast<std::size_t>(batch));
  std::iota(ids.begin(), ids.end(), 0);
  const FileNoise source(noise, ids, at::kCPU);
  const std::string term_name = wanted.value("term", "ode");
  std::unique_ptr<Term> term = std::make_unique<ProbabilityFlow>();
  if (const Spec spec = Spec::parse(term_name); spec.name == "sde") {
    const auto eta = spec.options.find("eta");
    term = std::make_unique<ReverseSde>(eta == spec.options.end() ? 1.0 : parse_number(eta->second, "eta"));
  }
  BatchState condition;
  if (wanted.contains("label"))
    condition = BatchState({at::full({batch}, wanted.at("label").get<int64_t>(), at::kLong)});
  RunConstant constant{at::tensor(ids, at::kLong), condition, grid.rows(batch, at::kCPU), {}};
  const Times start = at::full({batch}, grid.start(), at::kDouble);
  const Problem problem{model, *term, source, guidance_of(wanted)};
  Outcome outcome;
  if (wanted.contains("invert")) {
    const RunResult up = invert(problem, grid, constant, x, {.iterations = wanted.at("invert").get<int64_t>()});
    return {{up.x}, up};
  }
  SampleOptions options;
  if (wanted.contains("policy")) {
    SamplerSpec spec;
    spec.policy = wanted.at("policy");
    const auto controller = make_policy(spec, grid, *solver, model.info(), at::kCPU);
    outcome.result =
        sample(problem, *solver, *controller, start_run(*solver, *controller, constant, x, start), options);
    outcome.states.push_back(outcome.result.x);
    return outcome;
  }
  options.observer = [&](const RunState&, const RunState& after, const StepResult&, bool) {
    outcome.states.push_back(after.x);
  };
  const FixedGrid controller(grid);
  outcome.result = sample(problem, *solver, controller, start_run(*solver, controller, constant, x, start), options);
  return outcome;
}

int probe(const std::string& cases_path, const std::string& input_path, const std::string& output_path) {
  std::ifstream file(cases_path);
  const json cases = json::parse(file);
  const std::map<std::string, Tensor> input = read_safetensors(input_path);
  std::map<std::string, Tensor> output;
  std::map<std::string, std::string> errors;
  for (const json& wanted : cases) {
    const std::string id = wanted.at("id");
    try {
      json full = wanted;
      Tensor x = input.at("x/" + id);
      if (wanted.contains("config")) {
        json said;
        full = configured(wanted, mixture(wanted.at("mixture")).info(), said);
        errors.emplace("said/" + id, said.dump());
        const Tensor sigmas = at::tensor(full.at("sigmas").get<std::vector<double>>(), at::kDouble);
        output.emplace("sigmas/" + id, sigmas);
        x = x * sigmas[0];  // unit normals: the configuration says the level
        if (wanted.value("levels_only", false)) continue;
      }
      Outcome outcome = run(full, x, input.at("noise/" + id));
      output.emplace("states/" + id, at::stack(outcome.states));
      output.emplace("nfe/" + id, outcome.result.nfe.contiguous());
      if (!wanted.contains("policy")) continue;
      output.emplace("accepted/" + id, outcome.result.steps.contiguous());
      output.emplace("rejected/" + id, outcome.result.rejected.contiguous());
    } catch (const std::exception& error) {
      errors.emplace("error/" + id, error.what());
    }
  }
  write_safetensors(output_path, output, errors);
  return 0;
}

json tableaux() {
  json out;
  for (const ButcherTableau& tableau : butcher_tableaux())
    out[tableau.name] = {
        {"nodes", tableau.nodes}, {"stages", tableau.stages}, {"weights", tableau.weights}, {"error", tableau.error}};
  return out;
}

}  // namespace
}  // namespace stride

int main(int count, char** words) {
  if (count == 2 && std::string(words[1]) == "--solvers") {
    for (const std::string& name : stride::solver_names()) {
      std::cout << name << '\n';
      for (const std::string& options : stride::solver_traits(name).variants)
        std::cout << name << ':' << options << '\n';
    }
    return 0;
  }
  if (count == 2 && std::string(words[1]) == "--tableaux") {
    std::cout << stride::tableaux() << '\n';
    return 0;
  }
  if (count != 4) {
    std::cerr
        << "usage: stride_parity_probe CASES.json INPUT.safetensors OUTPUT.safetensors | --solvers | --tableaux\n";
    return 2;
  }
  return stride::probe(words[1], words[2], words[3]);
}
