// Multistep memory in one canonical form, (σ, D, d), so that any method can take over from any other.
#pragma once

#include "framework/batch_state.h"

#include <cstdint>

namespace stride {

/// One evaluation of the denoiser: where, what it said, and the slope dx/dσ = (x − D)/σ there.
struct HistoryEntry {
  Times sigma;      ///< float64 `[B]`
  Tensor denoised;  ///< `[B, …]`
  Tensor slope;     ///< `[B, …]`
};

/// A view of a BatchState that holds the last `capacity` evaluations, newest first, and the number of
/// valid ones per row (int64 `[B]`). Rows may differ in that number: a refilled batch mixes fresh rows
/// with old ones. Slots beyond the valid ones hold zeros (σ = 1), never garbage.
class History final {
 public:
  /// An empty history for `x` `[B, …]`.
  [[nodiscard]] static History empty(int64_t capacity, const Tensor& x);
  /// A view of `state`; no slots are the history of capacity 0 of a method that looks at none, shaped by `x`. The
  /// last `extras` slots (SolverNeeds::extras) are a method's own and are left out.
  [[nodiscard]] static History from_state(const BatchState& state, const Tensor& x, int64_t extras = 0);
  /// The slots, then a method's own.
  [[nodiscard]] BatchState state(std::vector<Tensor> extras = {}) const;

  [[nodiscard]] int64_t capacity() const noexcept { return static_cast<int64_t>(entries_.size()); }
  /// The j-th newest entry, 0 ≤ j < capacity().
  [[nodiscard]] const HistoryEntry& operator[](int64_t j) const { return entries_.at(static_cast<std::size_t>(j)); }
  /// Valid entries per row: int64 `[B]`.
  [[nodiscard]] const Tensor& count() const noexcept { return count_; }

  /// A history with `entry` in front; the oldest one falls out. No tensor data is copied.
  [[nodiscard]] History push(HistoryEntry entry) const;

  /// These entries, then those of `older` beyond them; valid are as many as in `older`, but where a row of these is
  /// not full, as many as in these.
  [[nodiscard]] History followed_by(const History& older) const;

  /// The same rows with another capacity: what a hybrid hands from one method to the next. Entries
  /// beyond the new capacity are dropped; new places are invalid.
  [[nodiscard]] History resized(int64_t capacity, const Tensor& x) const;

 private:
  std::vector<HistoryEntry> entries_;
  Tensor count_;
};

}  // namespace stride
