#include "datasets/store/trajectory_batches.h"

#include "framework/error.h"
#include "framework/shapes.h"

#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

namespace stride {
namespace {

// Draws of one row before the store is taken to have no trajectory that ended well.
constexpr int kMostDraws = 10'000;

/// Numbers of one row of one batch: a counter that is mixed (splitmix64, Steele et al. 2014).
class RowNumbers final {
 public:
  RowNumbers(uint64_t seed, uint64_t step, uint64_t row) : state_(mix(mix(mix(seed) + step) + row)) {}
  /// Below `limit`.
  int64_t below(int64_t limit) {
    state_ += 0x9E3779B97F4A7C15U;
    return static_cast<int64_t>(mix(state_) % static_cast<uint64_t>(limit));
  }

 private:
  static uint64_t mix(uint64_t value) {
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9U;
    value = (value ^ (value >> 27)) * 0x94D049BB133111EBU;
    return value ^ (value >> 31);
  }
  uint64_t state_;
};

struct Draw {
  const ShardReader* shard;
  int64_t row, from, to;
};

Tensor staging(std::vector<int64_t> shape, at::ScalarType dtype, bool pinned) {
  return at::empty(shape, at::TensorOptions().dtype(dtype).pinned_memory(pinned));
}

}  // namespace

std::string BatchesOptions::invalid_reason() const {
  if (batch < 1) return "a batch has at least one pair";
  if (largest_gap < 0) return "the largest gap between two points is not negative; 0 means any";
  if (threads < 1 || threads > 64) return "1 to 64 threads gather";
  if (ahead < 1) return "at least one batch is made ahead";
  return "";
}

/// Each thread makes whole batches, the next that nobody makes yet, in the place step % places.
struct TrajectoryBatches::Impl {
  struct Place {
    int64_t step = -1;                 ///< that lies here, ready
    StepPairs pairs;                   ///< on the host; pinned for a GPU, and then reused
    std::optional<c10::Event> copied;  ///< when the GPU has taken it
  };

  Impl(std::shared_ptr<const ShardSet> set, BatchesOptions wanted)
      : shards(std::move(set)),
        options(wanted),
        places(static_cast<std::size_t>(wanted.ahead)),
        made(wanted.first_step),
        taken(wanted.first_step) {
    row_shape = shards->config().sample_shape;
    point_bytes = c10::elementSize(shards->config().dtype);
    for (const int64_t extent : row_shape) point_bytes *= static_cast<std::size_t>(extent);
    for (int i = 0; i < options.threads; ++i) threads.emplace_back([this] { run(); });
  }
  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      ended = true;
    }
    changed.notify_all();
    for (std::thread& thread : threads) thread.join();
    for (Place& place : places) {
      if (place.copied) place.copied->synchronize();
    }
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void run() {
    try {
      while (true) {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return ended || error || made < taken + options.ahead; });
        if (ended || error) return;
        const int64_t step = made++;
        Place& place = places[static_cast<std::size_t>(step % options.ahead)];
        lock.unlock();
        if (place.copied) place.copied->synchronize();
        fill(place.pairs, step);
        lock.lock();
        place.step = step;
        changed.notify_all();
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
      changed.notify_all();
    }
  }

  Draw draw(int64_t step, int64_t index) const {
    RowNumbers numbers(options.seed, static_cast<uint64_t>(step), static_cast<uint64_t>(index));
    const StoreIndex& store = shards->index();
    for (int attempt = 0; attempt < kMostDraws; ++attempt) {
      const int64_t row = numbers.below(store.size());
      const std::size_t place = store.shard_of(row);
      const ShardReader& shard = shards->shard(place);
      const int64_t inside = row - store.shards()[place].first_row;
      if (shard.status().const_data_ptr<int8_t>()[inside] != 0) continue;
      const int64_t last = shards->config().points() - 1;
      const int64_t from = numbers.below(last);
      const int64_t most = options.largest_gap == 0 ? last - from : std::min(options.largest_gap, last - from);
      return {&shard, inside, from, from + 1 + numbers.below(most)};
    }
    throw InputError(fmt::format("{}: {} trajectories were drawn and none had ended well", store.folder(), kMostDraws));
  }

  void fill(StepPairs& pairs, int64_t step) const {
    const bool pinned = options.device.is_cuda();
    const int64_t n = options.batch;
    if (!pinned || !pairs.from.defined()) {
      const std::vector<int64_t> shape = prepend({n}, row_shape);
      for (Tensor* states : {&pairs.from, &pairs.to, &pairs.denoised})
        *states = staging(shape, shards->config().dtype, pinned);
      for (Tensor* levels : {&pairs.sigma_from, &pairs.sigma_to}) *levels = staging({n}, at::kDouble, pinned);
      for (Tensor* numbers : {&pairs.point_from, &pairs.point_to, &pairs.seed})
        *numbers = staging({n}, at::kLong, pinned);
    }
    auto* from = static_cast<char*>(pairs.from.mutable_data_ptr());
    auto* to = static_cast<char*>(pairs.to.mutable_data_ptr());
    auto* denoised = static_cast<char*>(pairs.denoised.mutable_data_ptr());
    for (int64_t i = 0; i < n; ++i) {
      const Draw drawn = draw(step, i);
      const std::string_view states = drawn.shard->row(0, drawn.row);
      const std::string_view evaluations = drawn.shard->row(1, drawn.row);
      const auto point = [&](std::string_view row, int64_t k) {
        return row.data() + static_cast<std::size_t>(k) * point_bytes;
      };
      const std::size_t place = static_cast<std::size_t>(i) * point_bytes;
      std::memcpy(from + place, point(states, drawn.from), point_bytes);
      std::memcpy(to + place, point(states, drawn.to), point_bytes);
      std::memcpy(denoised + place, point(evaluations, drawn.from), point_bytes);
      const Tensor& sigma = drawn.shard->sigma();
      const double* levels = sigma.const_data_ptr<double>() + drawn.row * sigma.stride(0);
      pairs.sigma_from.mutable_data_ptr<double>()[i] = levels[drawn.from];
      pairs.sigma_to.mutable_data_ptr<double>()[i] = levels[drawn.to];
      pairs.point_from.mutable_data_ptr<int64_t>()[i] = drawn.from;
      pairs.point_to.mutable_data_ptr<int64_t>()[i] = drawn.to;
      pairs.seed.mutable_data_ptr<int64_t>()[i] = drawn.shard->seed().const_data_ptr<int64_t>()[drawn.row];
    }
  }

  StepPairs hand_over(Place& place) const {
    if (!options.device.is_cuda()) return std::exchange(place.pairs, {});
    StepPairs out;
    for (const auto member : {&StepPairs::from, &StepPairs::to, &StepPairs::denoised, &StepPairs::sigma_from,
                              &StepPairs::sigma_to, &StepPairs::point_from, &StepPairs::point_to, &StepPairs::seed}) {
      out.*member = (place.pairs.*member).to(options.device, /*non_blocking=*/true);
    }
    if (!place.copied) place.copied.emplace(options.device.type());
    place.copied->record(c10::impl::VirtualGuardImpl(options.device.type()).getStream(options.device));
    return out;
  }

  std::shared_ptr<const ShardSet> shards;
  BatchesOptions options;
  std::vector<int64_t> row_shape;
  std::size_t point_bytes = 0;
  std::vector<Place> places;
  std::mutex mutex;
  std::condition_variable changed;
  int64_t made;   ///< the next step that a thread makes
  int64_t taken;  ///< the next step that is handed out
  bool ended = false;
  std::exception_ptr error;
  std::vector<std::thread> threads;
};

TrajectoryBatches::TrajectoryBatches(std::shared_ptr<const ShardSet> shards, BatchesOptions options) {
  if (const std::string reason = options.invalid_reason(); !reason.empty())
    throw UsageError("batches of trajectories: " + reason);
  const StoreIndex& index = shards->index();
  if (shards->config().features)
    throw UsageError(fmt::format("{} holds features and no states: record it without `features_only`", index.folder()));
  if (index.size() == 0) throw UsageError(fmt::format("{} is empty: record trajectories first", index.folder()));
  impl_ = std::make_unique<Impl>(std::move(shards), options);
}

TrajectoryBatches::~TrajectoryBatches() = default;

StepPairs TrajectoryBatches::next() {
  std::unique_lock lock(impl_->mutex);
  Impl::Place& place = impl_->places[static_cast<std::size_t>(impl_->taken % impl_->options.ahead)];
  impl_->changed.wait(lock, [&] { return impl_->error || place.step == impl_->taken; });
  if (place.step != impl_->taken) std::rethrow_exception(impl_->error);
  StepPairs pairs = impl_->hand_over(place);
  ++impl_->taken;
  impl_->changed.notify_all();
  return pairs;
}

int64_t TrajectoryBatches::bytes() const noexcept {
  return 3 * impl_->options.batch * static_cast<int64_t>(impl_->point_bytes);
}

}  // namespace stride
