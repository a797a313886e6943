#include "tests/solvers/fixtures.h"

#include "solvers/plan.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace stride::fixtures {
namespace {

// A plan that differs from every classic method, on a grid of 6 levels.
std::string plan_file() {
  Plan plan;
  plan.sigmas = {10.0, 4.0, 1.5, 0.6, 0.2, 0.05};
  plan.weights = {{1.02}, {1.4, -0.45}, {1.8, -1.2, 0.38}, {1.9, -1.3, 0.5, -0.1}, {1.85, -1.25, 0.45, -0.05}};
  plan.scale_time = {0.95, 1.0, 1.02, 0.98, 0.9};
  const auto path =
      std::filesystem::temp_directory_path() / ("stride-test-plan-" + std::to_string(::getpid()) + ".json");
  std::ofstream(path) << plan.to_json();
  return path.string();
}

}  // namespace

std::string runnable(const std::string& name) {
  if (name != "plan") return name;
  static const std::string path = plan_file();
  return "plan:" + path;
}

std::unique_ptr<Solver> solver_for(const std::string& name) {
  static const NoiseSchedule linear = make_noise_schedule(Spec::parse("linear"));
  return make_solver(runnable(name), {&linear, device()});
}

std::vector<std::string> with_variants(const std::string& solver) {
  std::vector<std::string> out{solver};
  for (const std::string& options : solver_traits(solver).variants) out.push_back(solver + ":" + options);
  return out;
}

std::vector<std::string> all_solvers() {
  std::vector<std::string> out;
  for (const std::string& solver : solver_names())
    for (std::string& name : with_variants(solver)) out.push_back(std::move(name));
  return out;
}

at::Device device() {
  const char* name = std::getenv("STRIDE_TEST_DEVICE");
  return at::Device(name == nullptr ? "cpu" : name);
}

Tensor ids(int64_t batch, int64_t first) {
  return at::arange(first, first + batch, at::TensorOptions().dtype(at::kLong).device(device()));
}

Tensor index(const std::vector<int64_t>& rows) { return at::tensor(rows, at::kLong).to(device()); }

RunState start(const Setup& setup, const StepController& controller, const Tensor& sample_ids) {
  const RunState state = start(setup, sample_ids);
  return start_run(setup.solver, controller, state.constant, state.x, state.sigma);
}

RunResult run(const Setup& setup, const StepController& controller, const Tensor& sample_ids,
              const SampleOptions& options) {
  const ProbabilityFlow flow;
  return sample({setup.denoiser, flow, setup.noise}, setup.solver, controller, start(setup, controller, sample_ids),
                options);
}

}  // namespace stride::fixtures
