#include "datasets/store/host_copy.h"

#include "framework/error.h"

#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>

#include <utility>
#include <vector>

namespace stride {
namespace {

constexpr Tensor TrajectoryBatch::*kSmall[] = {&TrajectoryBatch::seed, &TrajectoryBatch::nfe, &TrajectoryBatch::sigma,
                                               &TrajectoryBatch::status, &TrajectoryBatch::label};

Tensor started(const Tensor& from) {
  if (!from.defined() || from.is_cpu()) return from;
  Tensor to = at::empty(from.sizes(), from.options().device(at::kCPU).pinned_memory(true));
  to.copy_(from, /*non_blocking=*/true);
  return to;
}

}  // namespace

struct HostCopy::OnDevice {
  explicit OnDevice(at::DeviceType type) : done(type) {}
  c10::Event done;
  std::vector<Tensor> sources;  // alive until they are copied
  std::vector<std::pair<const char*, Tensor>> overflowed;
};

HostCopy::HostCopy(const TrajectoryBatch& batch, const TrajectoryConfig& config) : host_(batch) {
  const std::vector<RowDataset> datasets = row_datasets(config);
  const Tensor& first = batch.*datasets.front().member;
  if (!first.defined() || !first.is_cuda()) return;

  device_ = std::make_unique<OnDevice>(first.device().type());
  TrajectoryBatch narrow = batch;
  for (const RowDataset& dataset : datasets) {
    Tensor& values = narrow.*dataset.member;
    if (!values.defined() || !values.is_floating_point()) continue;  // the writer says what is wrong
    const Tensor wide = values.detach();
    values = wide.to(dataset.dtype).contiguous();
    if (dataset.dtype == at::kHalf && wide.scalar_type() != at::kHalf)
      device_->overflowed.emplace_back(dataset.name, values.isinf().logical_and_(wide.isfinite()).any());
  }
  const c10::impl::VirtualGuardImpl device(first.device().type());
  const c10::Stream side = device.getStreamFromGlobalPool(first.device());
  c10::Event ready(first.device().type());
  ready.record(device.getStream(first.device()));
  ready.block(side);
  const c10::StreamGuard guard(side);
  for (const RowDataset& dataset : datasets) {
    device_->sources.push_back(narrow.*dataset.member);
    host_.*dataset.member = started(narrow.*dataset.member);
  }
  for (const auto member : kSmall) {
    device_->sources.push_back(narrow.*member);
    host_.*member = started(narrow.*member);
  }
  for (auto& [name, flag] : device_->overflowed) {
    device_->sources.push_back(flag);
    flag = started(flag);
  }
  device_->done.record(side);
}

HostCopy::~HostCopy() {
  // What is being copied must not go away under the copy.
  if (device_) device_->done.synchronize();
}
HostCopy::HostCopy(HostCopy&&) noexcept = default;
HostCopy& HostCopy::operator=(HostCopy&&) noexcept = default;

TrajectoryBatch HostCopy::wait() {
  if (device_) {
    device_->done.synchronize();
    for (const auto& [name, flag] : device_->overflowed) {
      if (flag.item<bool>()) throw UsageError(fmt::format("{} has values beyond float16's 65504: store float32", name));
    }
    device_.reset();
  }
  return std::move(host_);
}

}  // namespace stride
