// Continuous batching: where a sample has ended, a waiting one takes its place.
#pragma once

#include "framework/run_state.h"

namespace stride {

/// Samples that run, and those that wait or have ended, at fixed addresses: what a CUDA graph is captured from.
struct Slots {
  RunState running;  ///< B rows
  RunState pool;     ///< N rows: starts, then, one by one, ends
  Tensor row;        ///< int64 `[B]`: the pool's row that a slot runs; −1: none
  Tensor leaving;    ///< int64 `[B]`: the pool's row that the last refill wrote from a slot; −1: none
  Tensor coming;     ///< int64 `[B]`: the pool's row that it put there; −1: none
  Tensor counts;     ///< int64 `[3]`: the next waiting row, rows of the pool, slots that run
};

/// Slots for the rows of `pool`, all of them waiting. The pool's tensors are copied to addresses of their own.
[[nodiscard]] Slots make_slots(const RunState& pool, int64_t slots);

/// Other starts in the place of the pool's: as many rows or fewer. The slots get their first.
void load_pool(Slots& slots, const RunState& starts, int64_t max_steps);

/// What has ended goes to its row of the pool, and the next waiting rows, in their order, take its place, in the order
/// of the slots. Running rows with `max_steps` attempts end first, as Status::max_steps. On CUDA two kernels and no
/// look at the device, else refill_plain.
void refill(Slots& slots, int64_t max_steps);
void refill_plain(Slots& slots, int64_t max_steps);

}  // namespace stride
