#include "framework/batch_state.h"

#include "framework/error.h"

#include <ATen/ATen.h>

#include <fmt/format.h>

namespace stride {
namespace {

void require_same_size(const BatchState& a, const BatchState& b) {
  TORCH_INTERNAL_ASSERT(a.size() == b.size(), "BatchState: ", a.size(), " slots meet ", b.size());
}

template <class F>
BatchState map(const BatchState& state, F f) {
  std::vector<Tensor> slots;
  slots.reserve(state.size());
  for (const Tensor& slot : state.slots()) slots.push_back(f(slot));
  return BatchState(std::move(slots));
}

}  // namespace

BatchState::BatchState(std::vector<Tensor> slots) : slots_(std::move(slots)) {
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (!slots_[i].defined() || slots_[i].dim() == 0)
      throw UsageError(fmt::format("BatchState: slot {} has no batch dimension; every slot must lead with B", i));
    if (slots_[i].size(0) != slots_[0].size(0))
      throw UsageError(fmt::format("BatchState: slot {} leads with {} rows, slot 0 with {}; all slots must agree", i,
                                   slots_[i].size(0), slots_[0].size(0)));
  }
}

BatchState BatchState::select(const Tensor& rows) const {
  return map(*this, [&](const Tensor& slot) { return slot.index_select(0, rows); });
}

BatchState BatchState::where(const Tensor& keep, const BatchState& a, const BatchState& b) {
  require_same_size(a, b);
  std::vector<Tensor> slots;
  slots.reserve(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) slots.push_back(where_rows(keep, a[i], b[i]));
  return BatchState(std::move(slots));
}

BatchState BatchState::concat(const BatchState& a, const BatchState& b) {
  require_same_size(a, b);
  std::vector<Tensor> slots;
  slots.reserve(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) slots.push_back(at::cat({a[i], b[i]}));
  return BatchState(std::move(slots));
}

void BatchState::copy_from(const BatchState& from) const {
  require_same_size(*this, from);
  copy_tensors(slots_, from.slots_);
}

BatchState BatchState::clone() const {
  return map(*this, [](const Tensor& slot) { return slot.clone(); });
}

BatchState BatchState::to(const at::Device& device) const {
  return map(*this, [&](const Tensor& slot) { return slot.to(device); });
}

void copy_tensors(const std::vector<Tensor>& to, std::vector<Tensor> from) {
  TORCH_INTERNAL_ASSERT(to.size() == from.size());
  for (std::size_t i = 0; i < from.size(); ++i)
    for (std::size_t j = 0; j < to.size(); ++j)
      if (i != j && from[i].is_alias_of(to[j])) {
        from[i] = from[i].clone();
        break;
      }
  for (std::size_t i = 0; i < to.size(); ++i) to[i].copy_(from[i]);
}

Tensor select_rows(const Tensor& field, const Tensor& rows) { return field.index_select(0, rows); }

BatchState select_rows(const BatchState& field, const Tensor& rows) { return field.select(rows); }

std::optional<Tensor> select_rows(const std::optional<Tensor>& field, const Tensor& rows) {
  if (!field) return {};
  return field->index_select(0, rows);
}

Tensor where_rows(const Tensor& keep, const Tensor& a, const Tensor& b) {
  std::vector<int64_t> shape(static_cast<std::size_t>(a.dim()), 1);
  shape[0] = keep.size(0);
  return at::where(keep.view(shape), a, b);
}

}  // namespace stride
