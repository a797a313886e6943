#include "neural/training/batch_order.h"

#include "framework/error.h"
#include "neural/training/random.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <vector>

namespace stride {
namespace {

constexpr uint64_t kPurpose = 0x6f72646572;  // keeps the stream apart from the noise of the same step

}  // namespace

BatchOrder::BatchOrder(uint64_t seed, int64_t items, int64_t batch) : seed_(seed), items_(items), batch_(batch) {
  if (items < 1 || batch < 1) throw UsageError("training needs at least one item and a positive batch size");
}

Tensor BatchOrder::indices(int64_t step) const {
  std::vector<Tensor> parts;
  int64_t at = step * batch_;
  for (int64_t left = batch_; left > 0;) {
    const int64_t pass = at / items_;
    const int64_t from = at % items_;
    const int64_t taken = std::min(left, items_ - from);
    auto generator = make_generator(seed_, static_cast<uint64_t>(pass), kPurpose);
    parts.push_back(at::randperm(items_, generator, at::kLong).narrow(0, from, taken));
    at += taken;
    left -= taken;
  }
  return at::cat(parts);
}

}  // namespace stride
