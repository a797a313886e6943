#include "tests/solvers/fixtures.h"

#include "solvers/plan.h"

#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace stride::fixtures {
namespace {

ModelInfo info(int64_t dimensions) {
  ModelInfo out;
  out.name = "test";
  out.kind = "gaussian_mixture";
  out.shape = {dimensions};
  return out;
}

std::vector<double> ramp(int64_t dimensions, double first, double step) {
  std::vector<double> out;
  for (int64_t d = 0; d < dimensions; ++d) out.push_back(first + step * static_cast<double>(d));
  return out;
}

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

GaussianFlow::GaussianFlow(int64_t dimensions)
    : mean(at::tensor(ramp(dimensions, 0.3, -0.4), at::kDouble).to(device())) {
  GaussianMixtureOptions options{{1.0}, {ramp(dimensions, 0.3, -0.4)}, {std}, {}};
  denoiser = std::make_unique<GaussianMixture>(info(dimensions), options, device());
}

Tensor GaussianFlow::exact(const Tensor& x, double from, double to) const {
  return mean + (x - mean) * std::sqrt((std * std + to * to) / (std * std + from * from));
}

std::unique_ptr<GaussianMixture> three_components(int64_t dimensions) {
  ModelInfo model = info(dimensions);
  model.conditions = {{"class", 2, {}}};
  GaussianMixtureOptions options{{0.5, 0.3, 0.2},
                                 {ramp(dimensions, -1.0, 0.3), ramp(dimensions, 1.0, -0.2), ramp(dimensions, 0.2, 0.5)},
                                 {0.3, 0.2, 0.4},
                                 {0, 1, 0}};
  return std::make_unique<GaussianMixture>(model, options, device());
}

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

RunState start(const Setup& setup, const Tensor& sample_ids, at::ScalarType dtype) {
  const int64_t batch = sample_ids.size(0);
  const auto where = sample_ids.device();
  const Tensor unit = PhiloxNoise().initial(sample_ids, setup.denoiser.info().shape, at::kDouble);
  const Tensor x = (unit * setup.grid.start()).to(dtype);
  BatchState condition;
  if (!setup.denoiser.info().conditions.empty()) condition = BatchState({sample_ids.remainder(2)});
  RunConstant constant{sample_ids, condition, setup.grid.rows(batch, where), {}};
  return start_run(setup.solver, FixedGrid(setup.grid), constant, x,
                   at::full({batch}, setup.grid.start(), at::TensorOptions().dtype(at::kDouble).device(where)));
}

RunResult run(const Setup& setup, const Tensor& sample_ids, at::ScalarType dtype, const SampleOptions& options) {
  const ProbabilityFlow flow;
  return sample({setup.denoiser, flow, setup.noise}, setup.solver, FixedGrid(setup.grid),
                start(setup, sample_ids, dtype), options);
}

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

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.sizes() != b.sizes() || a.scalar_type() != b.scalar_type()) return false;
  const Tensor left = a.contiguous().cpu();
  const Tensor right = b.contiguous().cpu();
  return left.numel() == 0 || std::memcmp(left.const_data_ptr(), right.const_data_ptr(), left.nbytes()) == 0;
}

bool same_bits(const RunState& a, const RunState& b) {
  const auto left = a.tensors();
  const auto right = b.tensors();
  if (left.size() != right.size()) return false;
  for (const auto& [name, tensor] : left)
    if (!right.contains(name) || !same_bits(tensor, right.at(name))) return false;
  return true;
}

double measured_order(const std::vector<int64_t>& steps, const std::vector<double>& errors) {
  double mean_x = 0.0;
  double mean_y = 0.0;
  const auto count = static_cast<double>(steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    mean_x -= std::log(static_cast<double>(steps[i])) / count;
    mean_y += std::log(errors[i]) / count;
  }
  double covariance = 0.0;
  double variance = 0.0;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const double dx = -std::log(static_cast<double>(steps[i])) - mean_x;
    covariance += dx * (std::log(errors[i]) - mean_y);
    variance += dx * dx;
  }
  return covariance / variance;
}

}  // namespace stride::fixtures
