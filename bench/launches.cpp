// launches [--device cuda] [SOLVER…]: what a step costs besides the network, for every solver of the registry but
// `plan`, or for those named. On a GPU the kernels and copies of one step of a run, as a CUDA graph counts them, and
// the time of a step, plain and replayed; on the CPU the ATen operators. The denoiser says one tensor again and again.
#include "bench/operator_counter.h"
#include "framework/captured.h"
#include "framework/fixed_grid.h"
#include "solvers/registry.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <ATen/cuda/CUDAContext.h>
#include <ATen/cuda/CUDAGeneratorImpl.h>
// CUDAGraph.h needs CUDAGeneratorImpl.h before it.
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <fmt/format.h>

#include <chrono>
#include <cstdio>

namespace stride {
namespace {

constexpr int64_t kBatch = 64;
constexpr int64_t kSteps = 10;
constexpr int kBefore = 5;  // steps made before the one that is measured: every history is full
constexpr int kTimed = 300;

class OneAnswer final : public Denoiser {
 public:
  explicit OneAnswer(const at::Device& device) {
    info_.name = "one answer";
    info_.kind = "test";
    info_.shape = {3, 32, 32};
    answer_ = at::zeros({kBatch, 3, 32, 32}, at::TensorOptions().dtype(at::kFloat).device(device));
  }
  [[nodiscard]] const ModelInfo& info() const noexcept override { return info_; }
  [[nodiscard]] Evaluation evaluate(const Tensor& /*x*/, const Times& /*sigma*/,
                                    const BatchState& /*condition*/) const override {
    return {answer_, {}, {}};
  }

 private:
  ModelInfo info_;
  Tensor answer_;
};

struct Nodes {
  int64_t kernels = 0;
  int64_t copies = 0;  // and fills by the driver
};

Nodes nodes_of(cudaGraph_t graph) {
  std::size_t count = 0;
  C10_CUDA_CHECK(cudaGraphGetNodes(graph, nullptr, &count));
  std::vector<cudaGraphNode_t> nodes(count);
  C10_CUDA_CHECK(cudaGraphGetNodes(graph, nodes.data(), &count));
  Nodes out;
  for (cudaGraphNode_t node : nodes) {
    cudaGraphNodeType type{};
    C10_CUDA_CHECK(cudaGraphNodeGetType(node, &type));
    if (type == cudaGraphNodeTypeKernel) ++out.kernels;
    if (type == cudaGraphNodeTypeMemcpy || type == cudaGraphNodeTypeMemset) ++out.copies;
  }
  return out;
}

double microseconds(const std::function<void()>& step) {
  for (int i = 0; i < 20; ++i) step();
  at::cuda::getCurrentCUDAStream().synchronize();
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < kTimed; ++i) step();
  at::cuda::getCurrentCUDAStream().synchronize();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count() / kTimed;
}

/// One solver's run, stopped before the step that is measured.
class Case final {
 public:
  Case(const std::string& name, const at::Device& device)
      : linear_(make_noise_schedule(Spec::parse("linear"))),
        solver_(make_solver(name, {&linear_, device})),
        denoiser_(device),
        grid_(make_grid(Spec::parse("karras"), {kSteps, 0.002, 80.0, Final::zero, nullptr})),
        controller_(grid_) {
    const Tensor ids = at::arange(kBatch, at::TensorOptions().dtype(at::kLong).device(device));
    const Tensor x = noise_.initial(ids, denoiser_.info().shape, at::kFloat) * grid_.start();
    start_ = start_run(*solver_, controller_, {ids, {}, grid_.rows(kBatch, device), {}}, x,
                       at::full({kBatch}, grid_.start(), ids.options().dtype(at::kDouble)));
    state_ = start_;
    for (int i = 0; i < kBefore; ++i) state_ = advance(problem_, *solver_, controller_, state_);
  }

  [[nodiscard]] int64_t operators() const {
    const OperatorCounter counter;
    step();
    return counter.count();
  }

  [[nodiscard]] Nodes nodes() const {
    const c10::cuda::CUDAStream side = c10::cuda::getStreamFromPool();
    at::cuda::getCurrentCUDAStream().synchronize();
    const c10::cuda::CUDAStreamGuard guard(side);
    step();
    side.synchronize();
    at::cuda::CUDAGraph graph(/*keep_graph=*/true);
    graph.capture_begin();
    step();
    graph.capture_end();
    return nodes_of(graph.raw_cuda_graph());
  }

  [[nodiscard]] double plain() const {
    return microseconds([this] { step(); });
  }

  [[nodiscard]] double replayed() const {
    CapturedStep captured(problem_, *solver_, controller_, start_);
    captured.load(start_);
    return microseconds([&] { captured.replay(); });
  }

 private:
  void step() const { (void)advance(problem_, *solver_, controller_, state_); }

  NoiseSchedule linear_;
  std::unique_ptr<Solver> solver_;
  OneAnswer denoiser_;
  ProbabilityFlow flow_;
  PhiloxNoise noise_;
  TimeGrid grid_;
  FixedGrid controller_;
  Problem problem_{denoiser_, flow_, noise_};
  RunState start_, state_;
};

int run(const std::vector<std::string>& words) {
  at::Device device(at::kCPU);
  std::vector<std::string> solvers;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--device" && i + 1 < words.size())
      device = at::Device(words[++i]);
    else
      solvers.push_back(words[i]);
  }
  if (solvers.empty())
    for (const std::string& name : solver_names())
      if (name != "plan") solvers.push_back(name);
  const at::NoGradGuard no_grad;
  if (device.is_cpu()) {
    fmt::print("| solver | operators a step |\n|---|---:|\n");
    for (const std::string& name : solvers) fmt::print("| `{}` | {} |\n", name, Case(name, device).operators());
    return 0;
  }
  const c10::cuda::CUDAGuard guard(device.has_index() ? device : at::Device(at::kCUDA, 0));
  fmt::print("| solver | kernels a step | copies | plain, µs | replayed, µs |\n|---|---:|---:|---:|---:|\n");
  for (const std::string& name : solvers) {
    const Case one(name, device);
    const Nodes nodes = one.nodes();
    fmt::print("| `{}` | {} | {} | {:.0f} | {:.0f} |\n", name, nodes.kernels, nodes.copies, one.plain(),
               one.replayed());
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace stride

int main(int count, char** words) {
  try {
    return stride::run({words + 1, words + count});
  } catch (const std::exception& error) {
    fmt::print(stderr, "launches: {}\n", error.what());
    return 1;
  }
}
