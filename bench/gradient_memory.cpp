// gradient_memory [--model digits|cifar10] [--device cpu|cuda] [--batch B] [--steps N,N,…]: memory and time of a run
// with the gradient of a loss on its end, in each mode, with the solver `reversible_heun` in float32. Memory is the
// most that tensors had at once beyond what was there before (on CUDA, what the allocator gave out). Prints Markdown.
#include "bench/live_bytes.h"
#include "framework/fixed_grid.h"
#include "framework/full_float32.h"
#include "pipeline/model_card.h"
#include "solvers/gradients/sample_with_gradients.h"
#include "solvers/registry.h"

#include <ATen/ATen.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>

#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <map>
#include <optional>
#include <sstream>

namespace stride {
namespace {

using Clock = std::chrono::steady_clock;

struct Settings {
  std::string model = "digits";
  at::Device device = at::kCPU;
  at::ScalarType dtype = at::kFloat;
  int64_t batch = 16;
  std::vector<int64_t> steps{10, 20, 50, 100, 200};
};

struct Measured {
  double mebibytes = 0.0, seconds = 0.0;
  Tensor gradient;
};

struct Mode {
  GradientMode mode;
  const char* name;
};
constexpr Mode kModes[] = {{GradientMode::plain, "plain"},
                           {GradientMode::checkpointed, "checkpointed"},
                           {GradientMode::reversible, "reversible"}};

/// The most memory since it began, above what there was.
class Peak final {
 public:
  explicit Peak(const at::Device& device) : device_(device) {
    if (device_.is_cpu()) {
      live_.emplace();
    } else {
      c10::cuda::CUDACachingAllocator::resetPeakStats(device_.index());
      before_ = stats().current;
    }
  }
  [[nodiscard]] double mebibytes() const {
    const int64_t bytes = live_ ? live_->peak() : stats().peak - before_;
    return static_cast<double>(bytes) / (1024.0 * 1024.0);
  }

 private:
  [[nodiscard]] c10::CachingAllocator::Stat stats() const {
    return c10::cuda::CUDACachingAllocator::getDeviceStats(device_.index()).allocated_bytes[0];
  }

  at::Device device_;
  std::optional<LiveBytes> live_;
  int64_t before_ = 0;
};

/// Runs of N steps, the last of which is the jump.
class Runs final {
 public:
  Runs(const LoadedModel& model, const Settings& settings, int64_t steps)
      : settings_(settings),
        solver_(make_solver("reversible_heun")),
        grid_(make_grid(Spec::parse("karras"), {steps, model.info().sigma_min, model.info().sigma_max})),
        controller_(grid_),
        problem_{*model.denoiser, flow_, noise_} {
    const Tensor ids = at::arange(settings.batch, at::TensorOptions().dtype(at::kLong).device(settings.device));
    constant_ = {ids, {}, grid_.rows(settings.batch, settings.device), {}};
    x_ = noise_.initial(ids, model.info().shape, settings.dtype) * grid_.start();
  }

  [[nodiscard]] Measured measure(GradientMode mode) const {
    const Tensor x = x_.clone().requires_grad_(true);
    synchronise();
    const Peak peak(settings_.device);
    const auto begin = Clock::now();
    sample_with_gradients(problem_, *solver_, controller_, start(x), {.mode = mode}).x.square().mean().backward();
    synchronise();
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    return {peak.mebibytes(), seconds, x.grad()};
  }

  /// How far the rebuilt start is from the start, relative to its largest entry.
  [[nodiscard]] double lost() const {
    const Tensor back = rebuilt_start(problem_, *solver_, controller_, start(x_));
    return ((back - x_).abs().max() / x_.abs().max()).item<double>();
  }

 private:
  [[nodiscard]] RunState start(const Tensor& x) const {
    return start_run(*solver_, controller_, constant_, x,
                     at::full({settings_.batch}, grid_.start(), x.options().dtype(at::kDouble)));
  }
  void synchronise() const {
    if (settings_.device.is_cuda()) c10::cuda::device_synchronize();
  }

  const Settings& settings_;
  std::unique_ptr<Solver> solver_;
  TimeGrid grid_;
  FixedGrid controller_;
  ProbabilityFlow flow_;
  PhiloxNoise noise_;
  Problem problem_;
  RunConstant constant_;
  Tensor x_;
};

Settings read(const std::vector<std::string>& words) {
  std::map<std::string, std::string> given;
  for (std::size_t i = 0; i + 1 < words.size(); i += 2) given[words[i]] = words[i + 1];
  Settings settings;
  if (given.contains("--model")) settings.model = given["--model"];
  if (given.contains("--device")) settings.device = at::Device(given["--device"]);
  if (settings.device.is_cuda() && !settings.device.has_index()) settings.device = at::Device(at::kCUDA, 0);
  if (given["--dtype"] == "float64") settings.dtype = at::kDouble;
  if (given.contains("--batch")) settings.batch = std::stoll(given["--batch"]);
  if (given.contains("--steps")) {
    settings.steps.clear();
    std::istringstream list(given["--steps"]);
    for (std::string item; std::getline(list, item, ',');) settings.steps.push_back(std::stoll(item));
  }
  return settings;
}

int run(const std::vector<std::string>& words) {
  const Settings settings = read(words);
  const LoadedModel model = load_model(settings.model, settings.device, settings.dtype);
  for (const Mode& mode : kModes) (void)Runs(model, settings, 5).measure(mode.mode);  // what is set up once
  fmt::print("| N | mode | memory, MiB | time, s | gradient against plain | start rebuilt to |\n");
  fmt::print("|---:|---|---:|---:|---:|---:|\n");
  for (const int64_t steps : settings.steps) {
    const Runs runs(model, settings, steps);
    Tensor plain;
    for (const Mode& mode : kModes) {
      const Measured measured = runs.measure(mode.mode);
      if (mode.mode == GradientMode::plain) plain = measured.gradient;
      const double apart = ((measured.gradient - plain).norm() / plain.norm()).item<double>();
      fmt::print("| {} | {} | {:.1f} | {:.2f} | {:.1e} | {} |\n", steps, mode.name, measured.mebibytes,
                 measured.seconds, apart,
                 mode.mode == GradientMode::reversible ? fmt::format("{:.1e}", runs.lost()) : "–");
      std::fflush(stdout);
    }
  }
  return 0;
}

}  // namespace
}  // namespace stride

int main(int count, char** words) {
  try {
    const stride::FullFloat32 no_tf32;  // whose roundings the way back would lose
    return stride::run({words + 1, words + count});
  } catch (const std::exception& error) {
    fmt::print(stderr, "gradient_memory: {}\n", error.what());
    return 1;
  }
}
