#include "framework/history.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

constexpr std::size_t kSlotsPerEntry = 3;

HistoryEntry blank_entry(const Tensor& x) {
  const Tensor zeros = at::zeros_like(x);
  return {at::ones({x.size(0)}, x.options().dtype(at::kDouble)), zeros, zeros};
}

}  // namespace

History History::empty(int64_t capacity, const Tensor& x) {
  History history;
  history.count_ = at::zeros({x.size(0)}, x.options().dtype(at::kLong));
  // Each entry has storage of its own: capture copies into it.
  for (int64_t j = 0; j < capacity; ++j) {
    HistoryEntry entry = blank_entry(x);
    entry.slope = entry.slope.clone();
    history.entries_.push_back(std::move(entry));
  }
  return history;
}

History History::from_state(const BatchState& state, const Tensor& x, int64_t extras) {
  const std::size_t size = state.size() - static_cast<std::size_t>(extras);
  if (size == 0) return empty(0, x);
  TORCH_INTERNAL_ASSERT(size % kSlotsPerEntry == 1, "not a history: ", size, " slots");
  History history;
  history.count_ = state[0];
  for (std::size_t slot = 1; slot < size; slot += kSlotsPerEntry)
    history.entries_.push_back({state[slot], state[slot + 1], state[slot + 2]});
  return history;
}

BatchState History::state(std::vector<Tensor> extras) const {
  std::vector<Tensor> slots;
  if (!entries_.empty()) slots.push_back(count_);
  for (const HistoryEntry& entry : entries_) slots.insert(slots.end(), {entry.sigma, entry.denoised, entry.slope});
  slots.insert(slots.end(), extras.begin(), extras.end());
  return BatchState(std::move(slots));
}

History History::push(HistoryEntry entry) const {
  History next;
  next.count_ = (count_ + 1).clamp_max(capacity());
  if (capacity() == 0) return next;
  next.entries_.push_back(std::move(entry));
  next.entries_.insert(next.entries_.end(), entries_.begin(), entries_.end() - 1);
  return next;
}

History History::followed_by(const History& older) const {
  History next = *this;
  next.count_ = at::where(count_ < capacity(), count_, older.count_);
  if (older.capacity() > capacity())
    next.entries_.insert(next.entries_.end(), older.entries_.begin() + capacity(), older.entries_.end());
  return next;
}

History History::resized(int64_t capacity, const Tensor& x) const {
  History next = empty(capacity, x);
  next.count_ = count_.clamp_max(capacity);
  for (int64_t j = 0; j < std::min(capacity, this->capacity()); ++j)
    next.entries_[static_cast<std::size_t>(j)] = entries_[static_cast<std::size_t>(j)];
  return next;
}

}  // namespace stride
