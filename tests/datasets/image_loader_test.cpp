#include "datasets/images/image_loader.h"
#include "framework/error.h"
#include "tests/catch_torch.h"
#include "tests/datasets/image_files.h"

#include <atomic>
#include <chrono>
#include <numeric>
#include <thread>

using namespace stride;
using namespace stride::testing;

namespace {

/// Image i has the value i everywhere but at the left, where it has 100 + i; decoding takes a while, and not always the
/// same. Counts what is decoded.
class SlowSource final : public ImageSource {
 public:
  explicit SlowSource(int64_t size, std::vector<int64_t> bad = {}) : size_(size), bad_(std::move(bad)) {}
  [[nodiscard]] std::string kind() const override { return "slow"; }
  [[nodiscard]] int64_t size() const override { return size_; }
  [[nodiscard]] int64_t classes() const override { return 3; }
  [[nodiscard]] std::vector<std::string> class_names() const override { return {}; }
  [[nodiscard]] std::string name(int64_t i) const override { return "slow: " + std::to_string(i); }
  [[nodiscard]] int64_t label(int64_t i) const override { return i % 3; }
  [[nodiscard]] std::string sha256() const override { return "slow"; }
  [[nodiscard]] Pixels decode(int64_t i) const override {
    ++decoded;
    std::this_thread::sleep_for(std::chrono::microseconds((i * 7919) % 400));
    if (std::find(bad_.begin(), bad_.end(), i) != bad_.end()) throw InputError(name(i) + ": is damaged");
    Pixels out(2, i == odd ? 4 : 3, 1);
    std::fill(out.values.begin(), out.values.end(), static_cast<uint8_t>(i));
    out.values[0] = static_cast<uint8_t>(100 + i);
    return out;
  }
  mutable std::atomic<int64_t> decoded = 0;
  int64_t odd = -1;  ///< this one has another width

 private:
  int64_t size_;
  std::vector<int64_t> bad_;
};

std::vector<int64_t> first(int64_t n) {
  std::vector<int64_t> out(static_cast<std::size_t>(n));
  std::iota(out.begin(), out.end(), 0);
  return out;
}

}  // namespace

TEST_CASE("image loader: batches come in the order asked for, whatever the threads do") {
  const auto source = std::make_shared<SlowSource>(50);
  std::vector<int64_t> order = first(50);
  std::reverse(order.begin(), order.end());
  order.push_back(7);
  for (const int threads : {1, 2, 8}) {
    INFO(threads << " threads");
    ImageLoader loader(source, {}, order, {.batch = 8, .ahead = 3, .threads = threads});
    CHECK(loader.shape() == std::vector<int64_t>{1, 2, 3});
    std::vector<int64_t> seen;
    while (const auto batch = loader.next()) {
      REQUIRE(batch->images.size(0) == static_cast<int64_t>(batch->items.size()));
      for (std::size_t i = 0; i < batch->items.size(); ++i) {
        seen.push_back(batch->images[static_cast<int64_t>(i)][0][1][2].item<int64_t>());
        CHECK(batch->labels[static_cast<int64_t>(i)].item<int64_t>() == seen.back() % 3);
      }
    }
    CHECK(seen == order);
    CHECK_FALSE(loader.next().has_value());
  }
}

TEST_CASE("image loader: no more batches are decoded ahead than was said") {
  const auto source = std::make_shared<SlowSource>(100);
  ImageLoader loader(source, {}, first(100), {.batch = 5, .ahead = 2, .threads = 4});
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  CHECK(source->decoded == 11);  // the first once more, for its shape
  (void)loader.next();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  CHECK(source->decoded == 16);
}

TEST_CASE("image loader: the first damaged image is the error, after the batches before it") {
  const auto source = std::make_shared<SlowSource>(40, std::vector<int64_t>{13, 14, 30});
  for (int turn = 0; turn < 10; ++turn) {
    ImageLoader loader(source, {}, first(40), {.batch = 10, .ahead = 4, .threads = 8});
    CHECK(loader.next().has_value());
    CHECK_THROWS_WITH(loader.next(), contains("slow: 13: is damaged"));
    CHECK_THROWS_AS(loader.next(), InputError);
  }
  CHECK_THROWS_WITH(read_all(source), contains("slow: 13"));
}

TEST_CASE("image loader: an image of another size is named, with the way out") {
  const auto source = std::make_shared<SlowSource>(9);
  source->odd = 4;
  CHECK_THROWS_WITH(read_all(source), contains("slow: 4: is 4 × 2 × 1") && contains("`size` N"));
  CHECK(read_all(source, {.size = 2}).images.sizes() == at::IntArrayRef({9, 1, 2, 2}));
}

TEST_CASE("image loader: going away in the middle ends its threads") {
  const auto source = std::make_shared<SlowSource>(1000);
  const auto before = std::chrono::steady_clock::now();
  for (int turn = 0; turn < 20; ++turn) {
    ImageLoader loader(source, {}, first(1000), {.batch = 50, .ahead = 20, .threads = 4});
    if (turn % 2 == 0) (void)loader.next();
  }
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(20));
  CHECK(source.use_count() == 1);
  CHECK(source->decoded < 20'000);
}

TEST_CASE("image loader: mirrored twins follow the images") {
  const auto all = read_all(std::make_shared<SlowSource>(4), {.mirror = true});
  REQUIRE(all.images.size(0) == 8);
  CHECK(torch::equal(all.images.narrow(0, 4, 4), all.images.narrow(0, 0, 4).flip(3)));
  CHECK(torch::equal(all.labels.narrow(0, 4, 4), all.labels.narrow(0, 0, 4)));
  CHECK_FALSE(torch::equal(all.images.narrow(0, 4, 4), all.images.narrow(0, 0, 4)));
}

TEST_CASE("image loader: reading a whole set tells where it stands and stops when asked") {
  int64_t calls = 0;
  const auto source = std::make_shared<SlowSource>(600);
  const auto stopped = read_all(source, {}, [&](int64_t done, int64_t total, const std::string&) {
    CHECK(total == 600);
    CHECK(done > 0);
    return ++calls < 2;
  });
  CHECK(stopped.stopped);
  CHECK(calls == 2);
  CHECK_FALSE(read_all(source, {}, [](int64_t, int64_t, const std::string&) { return true; }).stopped);
}

TEST_CASE("image loader: an item that there is not is a usage error") {
  const auto source = std::make_shared<SlowSource>(4);
  CHECK_THROWS_AS(ImageLoader(source, {}, {4}), UsageError);
  CHECK_THROWS_AS(ImageLoader(source, {}, {-1}), UsageError);
  CHECK_THROWS_AS(ImageLoader(source, {}, {0}, {.batch = 0}), UsageError);
}

TEST_CASE("image loader: batches can be page-locked", "[cuda]") {
  ImageLoader loader(std::make_shared<SlowSource>(4), {}, first(4), {.pinned = true});
  const auto batch = loader.next();
  REQUIRE(batch.has_value());
  CHECK(batch->images.is_pinned());
  CHECK(batch->labels.is_pinned());
}
