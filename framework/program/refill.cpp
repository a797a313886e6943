#include "framework/program/refill.h"

#include "framework/error.h"
#include "framework/program/refill_cuda.h"

#include <ATen/ATen.h>
#include <ATen/cuda/CUDAContext.h>
#include <c10/cuda/CUDAException.h>
#include <c10/cuda/CUDAGuard.h>
#include <fmt/format.h>

#include <algorithm>

namespace stride {
namespace {

// Calls f(slot's tensor, pool's tensor) for every tensor of a kind of field that is there.
template <typename F>
struct ByTensor {
  F f;
  void operator()(const char*, const Tensor& slot, const Tensor& pool) const {
    if (slot.defined()) f(slot, pool);
  }
  void operator()(const char*, const std::optional<Tensor>& slot, const std::optional<Tensor>& pool) const {
    if (slot) f(*slot, *pool);
  }
  void operator()(const char*, const BatchState& slot, const BatchState& pool) const {
    for (std::size_t i = 0; i < slot.size(); ++i) f(slot[i], pool[i]);
  }
};

template <typename F>
void each_constant(const Slots& slots, F f) {
  RunConstant::each(ByTensor<F>{f}, slots.running.constant, slots.pool.constant);
}
template <typename F>
void each_changing(const Slots& slots, F f) {
  RunState::each_changing(ByTensor<F>{f}, slots.running, slots.pool);
}

// The rows at addresses of their own, one after the other in memory; what the host knows of the counts is left out.
RunState owned(const RunState& state, const Tensor& rows) {
  RunState own = state.select(rows);
  own.lockstep = false;
  own.least_index = 0;
  own.shared = {};
  return own;
}

}  // namespace

Slots make_slots(const RunState& pool, int64_t slots) {
  if (slots < 1) throw UsageError("make_slots: there must be at least one slot");
  if (pool.batch() < 1) throw UsageError("make_slots: the pool is empty");
  const auto number = pool.constant.ids.options();
  Slots out;
  out.pool = owned(pool, at::arange(pool.batch(), number));
  out.running = owned(pool, at::zeros({slots}, number));
  out.row = at::full({slots}, -1, number);
  out.leaving = at::full({slots}, -1, number);
  out.coming = at::full({slots}, -1, number);
  out.counts = at::zeros({3}, number);
  return out;
}

void load_pool(Slots& slots, const RunState& starts, int64_t max_steps) {
  const int64_t rows = starts.batch(), all = slots.pool.batch(), n = slots.row.size(0);
  if (rows > all) throw UsageError(fmt::format("load_pool: {} rows for a pool of {}", rows, all));
  const auto fill = [&](const Tensor& to, const Tensor& from) { to.narrow(0, 0, rows).copy_(from); };
  const ByTensor<decltype(fill)> by_tensor{fill};
  RunState::each(by_tensor, slots.pool, starts);
  // Slots beyond the rows hold the first one as ended, and nobody's.
  const Tensor numbers = at::arange(n, slots.row.options());
  const Tensor inside = numbers < rows;
  const Tensor from = at::where(inside, numbers, 0);
  const auto begin = [&](const Tensor& slot, const Tensor& pool) { slot.copy_(pool.index_select(0, from)); };
  each_constant(slots, begin);
  each_changing(slots, begin);
  slots.running.status.masked_fill_(inside.logical_not(), static_cast<int8_t>(Status::ok));
  slots.row.copy_(at::where(inside, numbers, -1));
  slots.counts.copy_(at::tensor({std::min(n, rows), rows, int64_t{0}}, at::kLong));
  refill(slots, max_steps);
}

void refill_plain(Slots& slots, int64_t max_steps) {
  const RunState& now = slots.running;
  const Tensor exhausted = now.running().logical_and(now.index + now.rejected >= max_steps).logical_and(slots.row >= 0);
  now.status.masked_fill_(exhausted, static_cast<int8_t>(Status::max_steps));
  const Tensor ends = now.running().logical_not().logical_and(slots.row >= 0);
  const Tensor wanted = slots.counts[0] + ends.to(at::kLong).cumsum(0) - 1;
  const Tensor none = at::full_like(slots.row, -1);
  slots.leaving.copy_(at::where(ends, slots.row, none));
  slots.coming.copy_(at::where(ends.logical_and(wanted < slots.counts[1]), wanted, none));
  const Tensor out = ends.nonzero().squeeze(1), in = (slots.coming >= 0).nonzero().squeeze(1);
  const Tensor to = slots.row.index_select(0, out), from = slots.coming.index_select(0, in);
  each_changing(slots,
                [&](const Tensor& slot, const Tensor& pool) { pool.index_copy_(0, to, slot.index_select(0, out)); });
  const auto take = [&](const Tensor& slot, const Tensor& pool) {
    slot.index_copy_(0, in, pool.index_select(0, from));
  };
  each_changing(slots, take);
  each_constant(slots, take);
  slots.row.copy_(at::where(ends, slots.coming, slots.row));
  slots.counts[0].copy_(at::minimum(slots.counts[0] + ends.sum(), slots.counts[1]));
  slots.counts[2].copy_((slots.row >= 0).sum());
}

void refill(Slots& slots, int64_t max_steps) {
  if (!slots.row.is_cuda()) return refill_plain(slots, max_steps);
  cuda::RefillArgs args;
  const auto field = [&](const Tensor& slot, const Tensor& pool, bool changes) {
    TORCH_CHECK(args.field_count < cuda::kMostFields, "refill: a state of more than ", cuda::kMostFields, " tensors");
    TORCH_CHECK(slot.is_contiguous() && pool.is_contiguous(), "refill: rows that do not lie one after the other");
    const int64_t rows = slot.size(0);
    args.fields[args.field_count++] = {static_cast<char*>(slot.mutable_data_ptr()),
                                       static_cast<char*>(pool.mutable_data_ptr()),
                                       static_cast<int64_t>(slot.nbytes()) / rows, changes ? 1 : 0};
  };
  each_changing(slots, [&](const Tensor& slot, const Tensor& pool) { field(slot, pool, true); });
  each_constant(slots, [&](const Tensor& slot, const Tensor& pool) { field(slot, pool, false); });
  args.slots = static_cast<int>(slots.row.size(0));
  args.max_steps = max_steps;
  args.status = slots.running.status.mutable_data_ptr<int8_t>();
  args.index = slots.running.index.const_data_ptr<int64_t>();
  args.rejected = slots.running.rejected.const_data_ptr<int64_t>();
  args.row = slots.row.mutable_data_ptr<int64_t>();
  args.leaving = slots.leaving.mutable_data_ptr<int64_t>();
  args.coming = slots.coming.mutable_data_ptr<int64_t>();
  args.counts = slots.counts.mutable_data_ptr<int64_t>();
  const c10::cuda::CUDAGuard guard(slots.row.device());
  C10_CUDA_CHECK(static_cast<cudaError_t>(cuda::refill(args, at::cuda::getCurrentCUDAStream())));
}

}  // namespace stride
