#include "framework/program/captured_run.h"

#include "framework/capture_graph.h"
#include "framework/error.h"
#include "framework/forbid_sync.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <algorithm>
#include <vector>

namespace stride {
namespace {

constexpr int64_t kWarmUpSteps = 3;

struct Own {
  void operator()(const char*, Tensor& to) const {
    if (to.defined()) to = to.clone();
  }
  void operator()(const char*, std::optional<Tensor>& to) const {
    if (to) to = to->clone();
  }
  void operator()(const char*, BatchState& to) const { to = to.clone(); }
};

RunConstant at_own_addresses(RunConstant constant) {
  RunConstant::each(Own{}, constant);
  return constant;
}

// Of the graph that the stream is capturing.
int64_t nodes_so_far(const c10::cuda::CUDAStream& stream) {
  cudaStreamCaptureStatus status{};
  cudaGraph_t graph = nullptr;
  C10_CUDA_CHECK(cudaStreamGetCaptureInfo(stream, &status, nullptr, &graph));
  std::size_t count = 0;
  C10_CUDA_CHECK(cudaGraphGetNodes(graph, nullptr, &count));
  return static_cast<int64_t>(count);
}

}  // namespace

struct CapturedRun::Impl {
  RunConstant constant;
  Tensor x;
  std::unique_ptr<SteppedRun> run;
  std::vector<std::unique_ptr<at::cuda::CUDAGraph>> graphs;
  int64_t launches = 0;
};

CapturedRun::CapturedRun(const Make& make, const RunConstant& constant, const Tensor& x, const See& see)
    : impl_(std::make_unique<Impl>()) {
  if (!x.is_cuda()) throw UsageError("CapturedRun: the run is on the CPU; CUDA graphs need a CUDA device");
  const at::NoGradGuard no_grad;
  const c10::cuda::CUDAGuard device(x.device());
  at::cuda::getCurrentCUDAStream().synchronize();
  const c10::cuda::CUDAStream side = c10::cuda::getStreamFromPool();
  const c10::cuda::CUDAStreamGuard stream(side);
  impl_->constant = at_own_addresses(constant);
  impl_->x = x.clone();
  impl_->run = make(impl_->constant, impl_->x);
  SteppedRun& run = *impl_->run;
  const int64_t steps = run.steps();
  run.begin();
  side.synchronize();
  {
    // Kernels are chosen and buffers made outside the graphs.
    const ForbidSync forbid;
    for (int64_t i = 0; i < std::min(steps, kWarmUpSteps); ++i) run.step();
  }
  const int64_t a_graph = std::max<int64_t>(1, kEvaluations * steps / std::max<int64_t>(1, run.evaluations()));
  with_all_memory([&] {
    impl_->graphs.clear();
    impl_->launches = 0;
    run.begin();
    side.synchronize();
    at::cuda::MempoolId_t pool{0, 0};
    for (int64_t first = 0; first < steps; first += a_graph) {
      const auto some_steps = [&] {
        for (int64_t i = first; i < std::min(steps, first + a_graph); ++i) {
          const Tensor before = run.x();
          run.step();
          if (see) see(i, before, run.x(), run.denoised());
        }
        impl_->launches += nodes_so_far(side);
      };
      impl_->graphs.push_back(capture_graph(some_steps, pool));
      pool = impl_->graphs.back()->pool();
    }
  });
  side.synchronize();
}

CapturedRun::~CapturedRun() = default;
CapturedRun::CapturedRun(CapturedRun&&) noexcept = default;
CapturedRun& CapturedRun::operator=(CapturedRun&&) noexcept = default;

void CapturedRun::replay() {
  for (const auto& graph : impl_->graphs) graph->replay();
}

int64_t CapturedRun::launches() const noexcept { return impl_->launches; }
int64_t CapturedRun::steps() const noexcept { return impl_->run->steps(); }

RunResult CapturedRun::operator()(const RunConstant& constant, const Tensor& x, const std::function<bool()>& stop) {
  const at::NoGradGuard no_grad;
  Impl& one = *impl_;
  one.constant.ids.copy_(constant.ids);
  one.constant.condition.copy_from(constant.condition);
  if (constant.noise_keys) one.constant.noise_keys->copy_(*constant.noise_keys);
  one.x.copy_(x);
  bool stopped = false;
  for (const auto& graph : one.graphs) {
    stopped = stop && stop();
    if (stopped) break;
    graph->replay();
  }
  RunResult result = one.run->result();
  // The next batch writes where these lie.
  for (Tensor* rows : {&result.x, &result.status, &result.steps, &result.rejected, &result.nfe, &result.model_evals})
    *rows = rows->clone();
  result.ids = constant.ids;
  result.stopped = stopped;
  return result;
}

}  // namespace stride
