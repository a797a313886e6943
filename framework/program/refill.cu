#include "framework/program/refill_cuda.h"

#include <cuda_runtime.h>

namespace stride::cuda {
namespace {

constexpr int kThreads = 1024, kWarps = kThreads / 32;
constexpr int8_t kRunning = -1, kMaxSteps = 1;  // Status

// Who leaves and who comes: one block, the slots in their order.
__global__ void choose(const __grid_constant__ RefillArgs p) {
  __shared__ int sums[kWarps];
  __shared__ int before;  // ends among the slots of earlier rounds
  __shared__ int active;
  const int lane = static_cast<int>(threadIdx.x) % 32, warp = static_cast<int>(threadIdx.x) / 32;
  if (threadIdx.x == 0) before = active = 0;
  __syncthreads();
  const int64_t next = p.counts[0], rows = p.counts[1];
  for (int first = 0; first < p.slots; first += kThreads) {
    const int b = first + static_cast<int>(threadIdx.x);
    const bool inside = b < p.slots;
    const int64_t row = inside ? p.row[b] : -1;
    bool ends = false;
    if (row >= 0) {
      if (p.status[b] == kRunning && p.index[b] + p.rejected[b] >= p.max_steps) p.status[b] = kMaxSteps;
      ends = p.status[b] != kRunning;
    }
    const unsigned votes = __ballot_sync(0xffffffffU, ends);
    if (lane == 0) sums[warp] = __popc(votes);
    __syncthreads();
    int rank = before + __popc(votes & ((1U << lane) - 1));
    for (int i = 0; i < warp; ++i) rank += sums[i];
    if (inside) {
      const int64_t wanted = next + rank;
      const int64_t coming = ends && wanted < rows ? wanted : -1;
      p.leaving[b] = ends ? row : -1;
      p.coming[b] = coming;
      if (ends) p.row[b] = coming;
      if (ends ? coming >= 0 : row >= 0) atomicAdd(&active, 1);
    }
    __syncthreads();
    if (threadIdx.x == 0)
      for (int i = 0; i < kWarps; ++i) before += sums[i];
    __syncthreads();
  }
  if (threadIdx.x == 0) {
    p.counts[0] = next + before < rows ? next + before : rows;
    p.counts[2] = active;
  }
}

__device__ void copy_row(char* to, const char* from, int64_t bytes) {
  if (((reinterpret_cast<uintptr_t>(to) | reinterpret_cast<uintptr_t>(from) | static_cast<uintptr_t>(bytes)) & 15) ==
      0) {
    for (int64_t i = threadIdx.x * 16; i < bytes; i += static_cast<int64_t>(blockDim.x) * 16)
      *reinterpret_cast<uint4*>(to + i) = *reinterpret_cast<const uint4*>(from + i);
    return;
  }
  for (int64_t i = threadIdx.x; i < bytes; i += blockDim.x) to[i] = from[i];
}

// A block is a slot and a field; a row of the pool belongs to one slot at a time.
__global__ void move(const __grid_constant__ RefillArgs p) {
  const int64_t leaving = p.leaving[blockIdx.x], coming = p.coming[blockIdx.x];
  if (leaving < 0) return;
  const RefillField field = p.fields[blockIdx.y];
  char* const slot = field.slot + static_cast<int64_t>(blockIdx.x) * field.row_bytes;
  if (field.changes != 0) {
    copy_row(field.pool + leaving * field.row_bytes, slot, field.row_bytes);
    __syncthreads();
  }
  if (coming >= 0) copy_row(slot, field.pool + coming * field.row_bytes, field.row_bytes);
}

}  // namespace

int refill(const RefillArgs& args, CUstream_st* stream) {
  choose<<<1, kThreads, 0, stream>>>(args);
  move<<<dim3(static_cast<unsigned>(args.slots), static_cast<unsigned>(args.field_count)), 128, 0, stream>>>(args);
  return static_cast<int>(cudaGetLastError());
}

}  // namespace stride::cuda
