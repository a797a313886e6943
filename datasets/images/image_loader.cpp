#include "datasets/images/image_loader.h"

#include "framework/error.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <numeric>
#include <thread>

namespace stride {
namespace {

constexpr int kMaxThreads = 64;

int threads_of(int asked) {
  const int threads = asked > 0 ? asked : static_cast<int>(std::thread::hardware_concurrency());
  return std::clamp(threads, 1, kMaxThreads);
}

/// A batch under way.
struct Slot {
  ImageBatch batch;
  uint8_t* images = nullptr;
  int64_t first = 0;   ///< the place of its first image in the pass
  int64_t count = 0;   ///< images in it
  int64_t given = 0;   ///< handed to threads
  int64_t done = 0;    ///< decoded, or failed
  int64_t failed = 0;  ///< the first place that failed, with
  std::exception_ptr error;
};

}  // namespace

struct ImageLoader::Impl {
  std::shared_ptr<const ImageSource> source;
  ImageTransform transform;
  std::vector<int64_t> items;
  LoaderOptions options;
  Pixels first;  ///< every image has its shape
  std::vector<int64_t> shape;

  std::mutex mutex;
  std::condition_variable work, ready;
  std::deque<std::unique_ptr<Slot>> slots;  ///< in order; the first is the one that next() gives
  int64_t opened = 0;                       ///< images that have a slot
  bool ending = false;
  std::vector<std::thread> threads;

  [[nodiscard]] Pixels decode(int64_t item) const {
    const int64_t size = source->size();
    Pixels pixels = transformed(source->decode(item % size), transform, source->maximum());
    return item < size ? pixels : mirrored(pixels);
  }

  void put(int64_t item, uint8_t* to) const {
    const Pixels pixels = decode(item);
    if (!pixels.same_shape(first)) {
      const std::string hint = pixels.channels != first.channels ? "`colour` rgb or `colour` grey makes them alike"
                                                                 : "`size` N makes them alike";
      throw InputError(fmt::format("{}: is {}, and the first image of the set is {}; {}",
                                   source->name(item % source->size()), shape_text(pixels), shape_text(first), hint));
    }
    const int64_t plane = pixels.height * pixels.width;
    const uint8_t* from = pixels.values.data();
    for (int64_t c = 0; c < pixels.channels; ++c)
      for (int64_t p = 0; p < plane; ++p) *to++ = from[p * pixels.channels + c];
  }

  // Called by the consumer alone, with the lock: page-locked memory comes from its thread.
  void open_slots() {
    const auto total = static_cast<int64_t>(items.size());
    while (opened < total && static_cast<int64_t>(slots.size()) < options.ahead) {
      auto slot = std::make_unique<Slot>();
      slot->first = opened;
      slot->count = std::min(options.batch, total - opened);
      slot->batch.items.assign(items.begin() + opened, items.begin() + opened + slot->count);
      slot->batch.images = at::empty({slot->count, shape[0], shape[1], shape[2]},
                                     at::TensorOptions().dtype(at::kByte).pinned_memory(options.pinned));
      slot->images = slot->batch.images.mutable_data_ptr<uint8_t>();
      if (source->classes() > 0) {
        slot->batch.labels =
            at::empty({slot->count}, at::TensorOptions().dtype(at::kLong).pinned_memory(options.pinned));
        auto* labels = slot->batch.labels.mutable_data_ptr<int64_t>();
        for (int64_t i = 0; i < slot->count; ++i)
          labels[i] = source->label(slot->batch.items[static_cast<std::size_t>(i)] % source->size());
      }
      opened += slot->count;
      slots.push_back(std::move(slot));
    }
    work.notify_all();
  }

  Slot* waiting() {
    const auto found =
        std::find_if(slots.begin(), slots.end(), [](const auto& slot) { return slot->given < slot->count; });
    return found == slots.end() ? nullptr : found->get();
  }

  void run() {
    std::unique_lock lock(mutex);
    const int64_t image = shape[0] * shape[1] * shape[2];
    while (true) {
      Slot* slot = nullptr;
      work.wait(lock, [&] { return ending || (slot = waiting()) != nullptr; });
      if (ending) return;
      const int64_t at = slot->given++;
      lock.unlock();
      std::exception_ptr error;
      try {
        put(slot->batch.items[static_cast<std::size_t>(at)], slot->images + at * image);
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      if (error && (!slot->error || at < slot->failed)) {
        slot->error = error;
        slot->failed = at;
      }
      if (++slot->done == slot->count) ready.notify_one();
    }
  }

  void end() {
    {
      const std::lock_guard lock(mutex);
      ending = true;
    }
    work.notify_all();
    for (std::thread& thread : threads) thread.join();
    threads.clear();
  }
};

ImageLoader::ImageLoader(std::shared_ptr<const ImageSource> source, const ImageTransform& transform,
                         std::vector<int64_t> items, const LoaderOptions& options)
    : impl_(std::make_unique<Impl>()) {
  if (options.batch < 1 || options.ahead < 1) throw UsageError("a loader needs batches of at least one image");
  impl_->source = std::move(source);
  impl_->transform = transform;
  impl_->items = std::move(items);
  impl_->options = options;
  impl_->options.pinned = options.pinned && at::hasCUDA();
  const int64_t size = size_of(*impl_->source, transform);
  for (const int64_t item : impl_->items)
    if (item < 0 || item >= size) throw UsageError(fmt::format("there is no image {} among {}", item, size));
  impl_->first = impl_->decode(0);
  impl_->shape = {impl_->first.channels, impl_->first.height, impl_->first.width};
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->open_slots();
  }
  try {
    for (int i = 0; i < threads_of(options.threads); ++i) impl_->threads.emplace_back([this] { impl_->run(); });
  } catch (...) {
    impl_->end();
    throw ResourceError("cannot start the threads that decode images; give `threads` a smaller number");
  }
}

ImageLoader::~ImageLoader() { impl_->end(); }

const std::vector<int64_t>& ImageLoader::shape() const noexcept { return impl_->shape; }

std::optional<ImageBatch> ImageLoader::next() {
  std::unique_lock lock(impl_->mutex);
  if (impl_->slots.empty()) return std::nullopt;
  Slot& slot = *impl_->slots.front();
  impl_->ready.wait(lock, [&] { return slot.done == slot.count; });
  if (slot.error) std::rethrow_exception(slot.error);
  ImageBatch batch = std::move(slot.batch);
  impl_->slots.pop_front();
  impl_->open_slots();
  return batch;
}

int64_t size_of(const ImageSource& source, const ImageTransform& transform) {
  return source.size() * (transform.mirror ? 2 : 1);
}

DecodedImages read_all(std::shared_ptr<const ImageSource> source, const ImageTransform& transform,
                       const ProgressFn& progress, int threads) {
  const int64_t total = size_of(*source, transform);
  const bool labelled = source->classes() > 0;
  std::vector<int64_t> items(static_cast<std::size_t>(total));
  std::iota(items.begin(), items.end(), 0);
  ImageLoader loader(std::move(source), transform, std::move(items), {.batch = 128, .ahead = 8, .threads = threads});

  DecodedImages out;
  const std::vector<int64_t>& shape = loader.shape();
  try {
    out.images = at::zeros({total, shape[0], shape[1], shape[2]}, at::kByte);
  } catch (const c10::Error&) {
    throw ResourceError(fmt::format("{} images of {} × {} × {} do not fit into memory; make them smaller with `size` N",
                                    total, shape[2], shape[1], shape[0]));
  }
  if (labelled) out.labels = at::zeros({total}, at::kLong);
  int64_t done = 0;
  while (const std::optional<ImageBatch> batch = loader.next()) {
    const int64_t count = batch->images.size(0);
    out.images.narrow(0, done, count).copy_(batch->images);
    if (labelled) out.labels.narrow(0, done, count).copy_(batch->labels);
    done += count;
    if (progress && !progress(done, total, "")) {
      out.stopped = done < total;
      if (out.stopped) return out;
    }
  }
  return out;
}

}  // namespace stride
