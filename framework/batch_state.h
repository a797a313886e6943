// All memory of a run, explicit (design §2.3).
#pragma once

#include "framework/tensor.h"

#include <cstddef>
#include <optional>
#include <vector>

namespace stride {

/// An immutable flat list of tensors that all lead with the batch dimension B. Solver history,
/// controller memory and conditions are BatchStates, so that compaction, acceptance, capture and resume
/// are each written once.
class BatchState final {
 public:
  BatchState() = default;
  /// Throws UsageError when a slot has no batch dimension or two slots disagree about B.
  explicit BatchState(std::vector<Tensor> slots);

  [[nodiscard]] const std::vector<Tensor>& slots() const noexcept { return slots_; }
  [[nodiscard]] const Tensor& operator[](std::size_t slot) const { return slots_.at(slot); }
  [[nodiscard]] std::size_t size() const noexcept { return slots_.size(); }
  [[nodiscard]] bool empty() const noexcept { return slots_.empty(); }

  /// The rows `rows` (int64 `[n]`), in that order: compaction and refill.
  [[nodiscard]] BatchState select(const Tensor& rows) const;

  /// Row by row `a` where `keep` (bool `[B]`) holds, else `b`: acceptance and rejection.
  [[nodiscard]] static BatchState where(const Tensor& keep, const BatchState& a, const BatchState& b);

  /// The rows of `a`, then the rows of `b`: refill of a running batch.
  [[nodiscard]] static BatchState concat(const BatchState& a, const BatchState& b);

  /// Copies every slot of `from` into the storage of this state: capture at fixed addresses.
  void copy_from(const BatchState& from) const;

  [[nodiscard]] BatchState clone() const;
  [[nodiscard]] BatchState to(const at::Device& device) const;

 private:
  std::vector<Tensor> slots_;
};

/// Copies from[i] into the storage of to[i]. A source that lies in the storage of another target (a history that moved
/// up by one) is read before that target is written.
void copy_tensors(const std::vector<Tensor>& to, std::vector<Tensor> from);

/// The rows `rows` (int64 `[n]`) of a field of a state, whatever it is.
[[nodiscard]] Tensor select_rows(const Tensor& field, const Tensor& rows);
[[nodiscard]] BatchState select_rows(const BatchState& field, const Tensor& rows);
[[nodiscard]] std::optional<Tensor> select_rows(const std::optional<Tensor>& field, const Tensor& rows);

/// Row-wise choice between two tensors that lead with B. Both sides are read: NaN on the side that is
/// not chosen does not reach the result.
[[nodiscard]] Tensor where_rows(const Tensor& keep, const Tensor& a, const Tensor& b);

}  // namespace stride
