#include "neural/networks/device_weights.h"

#include "framework/error.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

bool is_filter(const TensorSpec& spec) { return spec.shape.size() == 4; }

// A view in the layout's shape of numbers that lie channels-last.
Tensor shaped(const Tensor& numbers, const TensorSpec& spec) {
  if (!is_filter(spec)) return numbers.view(spec.shape);
  const auto& n = spec.shape;
  return numbers.view({n[0], n[2], n[3], n[1]}).permute({0, 3, 1, 2});
}

Tensor numbers_of(const Tensor& shaped, const TensorSpec& spec) {
  return (is_filter(spec) ? shaped.permute({0, 2, 3, 1}) : shaped).reshape({-1});
}

}  // namespace

DeviceWeights::DeviceWeights(const Layout& layout) {
  std::vector<Entry> rest;
  for (const TensorSpec& spec : layout) {
    (spec.shape.size() >= 2 ? entries_ : rest).push_back({spec, size_, 0});
    size_ += spec.numel();
  }
  int64_t at = 0;
  for (Entry& entry : entries_) {
    entry.packed_at = at;
    at += entry.spec.numel();
  }
  cast_ = at;
  for (Entry& entry : rest) {
    entry.packed_at = at;
    at += entry.spec.numel();
    entries_.push_back(entry);
  }
}

Tensor DeviceWeights::packed(const Tensor& flat) const {
  std::vector<Tensor> parts;
  for (const Entry& entry : entries_)
    parts.push_back(numbers_of(flat.narrow(0, entry.flat_at, entry.spec.numel()).view(entry.spec.shape), entry.spec));
  return at::cat(parts);
}

Tensor DeviceWeights::flat(const Tensor& packed) const {
  const Tensor result = at::empty_like(packed);
  for (const Entry& entry : entries_)
    result.narrow(0, entry.flat_at, entry.spec.numel())
        .view(entry.spec.shape)
        .copy_(shaped(packed.narrow(0, entry.packed_at, entry.spec.numel()), entry.spec));
  return result;
}

Weights DeviceWeights::leaves(const Tensor& packed, const Tensor& cast) const {
  Weights weights;
  for (const Entry& entry : entries_) {
    const Tensor& from = entry.packed_at < cast_ ? cast : packed;
    weights.emplace(entry.spec.name,
                    shaped(from.narrow(0, entry.packed_at, entry.spec.numel()), entry.spec).detach().requires_grad_());
  }
  return weights;
}

std::vector<Tensor> DeviceWeights::in_order(const Weights& leaves) const {
  std::vector<Tensor> tensors;
  for (const Entry& entry : entries_) tensors.push_back(leaves.at(entry.spec.name));
  return tensors;
}

Tensor DeviceWeights::gathered(const std::vector<Tensor>& gradients) const {
  std::vector<Tensor> cast, rest;
  for (std::size_t i = 0; i < entries_.size(); ++i)
    (entries_[i].packed_at < cast_ ? cast : rest).push_back(numbers_of(gradients[i], entries_[i].spec));
  return at::cat({at::cat(cast).to(at::kFloat), at::cat(rest).to(at::kFloat)});
}

}  // namespace stride
