// CUDA graphs, captured.
#pragma once

#include "framework/out_of_memory.h"

#include <ATen/cuda/CUDAContext.h>
#include <ATen/cuda/CUDAGeneratorImpl.h>
// CUDAGraph.h needs CUDAGeneratorImpl.h before it.
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/util/Exception.h>

#include <functional>
#include <memory>

namespace stride {

/// What `body` launches on the current stream, which is not the default one, as a graph; its memory is of `pool`, or,
/// with no pool given, its own. After a failure, which is passed on, stream and allocator are as they were.
[[nodiscard]] inline std::unique_ptr<at::cuda::CUDAGraph> capture_graph(const std::function<void()>& body,
                                                                        at::cuda::MempoolId_t pool = {0, 0}) {
  auto graph = std::make_unique<at::cuda::CUDAGraph>();
  graph->capture_begin(pool);
  try {
    body();
  } catch (...) {
    try {
      graph->capture_end();
    } catch (const c10::Error&) {
      // What was captured is no graph: that is why we are here.
    }
    throw;
  }
  graph->capture_end();
  return graph;
}

/// Calls `capture`, and, where that found no memory, once more. While a graph is captured the allocator cannot give
/// back what it keeps for later, and what ran before, the warm-up among it, may have left it most of the device's
/// memory: so that is given back in between.
inline void with_all_memory(const std::function<void()>& capture) {
  try {
    return capture();
  } catch (const c10::Error& error) {
    if (!is_out_of_memory(error)) throw;
  }
  c10::cuda::CUDACachingAllocator::emptyCache();
  capture();
}

}  // namespace stride
