// store_bench FOLDER [TRAJECTORIES [SECONDS]]: writes a store of CIFAR-size trajectories of 36 states in float16 into a
// new folder, then times verifying it, reading random pairs of points (to the GPU too, where there is one), and opening
// the index of a simulated million.
#include "datasets/store/async_writer.h"
#include "datasets/store/store_index.h"
#include "datasets/store/trajectory_batches.h"
#include "datasets/store/trajectory_store.h"
#include "framework/error.h"
#include "framework/files/file.h"

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <fmt/format.h>

#include <chrono>
#include <cstdio>

namespace stride {
namespace {

constexpr int64_t kSteps = 35;
constexpr int64_t kBatch = 100;
constexpr int64_t kMillion = 1'000'000;

class Watch final {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  }

 private:
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

void say(const char* what, double bytes, double seconds) {
  fmt::print("{:<30} {:8.2f} GB  {:8.3f} s  {:6.2f} GB/s\n", what, bytes / 1e9, seconds, bytes / 1e9 / seconds);
}

TrajectoryConfig config() {
  TrajectoryConfig config;
  config.solver = "heun";
  config.schedule = "karras";
  config.dtype = at::kHalf;
  config.sample_shape = {3, 32, 32};
  config.steps = kSteps;
  for (int64_t k = 0; k <= kSteps; ++k) config.sigmas.push_back(80.0 * static_cast<double>(kSteps - k) / kSteps);
  return config;
}

void write(const std::string& folder, int64_t trajectories) {
  TrajectoryBatch batch;
  batch.x = at::randn({kBatch, kSteps + 1, 3, 32, 32}, at::kFloat).to(at::kHalf);
  batch.denoised = at::randn({kBatch, kSteps, 3, 32, 32}, at::kFloat).to(at::kHalf);
  batch.nfe = at::full({kBatch}, 2 * kSteps - 1, at::kInt);
  const Watch watch;
  TrajectoryWriter writer(folder, config());
  AsyncTrajectoryWriter queue(writer);
  double waited = 0;
  for (int64_t first = 0; first < trajectories; first += kBatch) {
    batch.seed = at::arange(first, first + kBatch, at::kLong);
    const Watch push;
    queue.push(batch);
    waited += push.seconds();
  }
  queue.close();
  say("write, synced", static_cast<double>(StoreIndex(folder).bytes()), watch.seconds());
}

void verify(const std::string& folder) {
  const StoreReport report = verify_store(folder);
  if (!report.ok()) throw InputError(report.problems.front());
  say("verify", static_cast<double>(report.bytes), report.seconds);
}

void read(const std::string& folder, double at_least, const at::Device& device, int threads) {
  const auto shards = std::make_shared<ShardSet>(folder);
  shards->verify();
  BatchesOptions options;
  options.device = device;
  options.threads = threads;
  TrajectoryBatches batches(shards, options);
  Tensor last = batches.next().to;
  const Watch watch;
  double bytes = 0;
  while (watch.seconds() < at_least) {
    last = batches.next().to;
    bytes += static_cast<double>(batches.bytes());
  }
  (void)last.sum().item<double>();  // waits for the device
  say(fmt::format("random pairs, {}, {} threads", device.str(), threads).c_str(), bytes, watch.seconds());
}

/// A manifest as of a store of a million trajectories; no shards.
void open_index(const std::string& folder, int64_t rows_a_shard, int64_t stride) {
  StoreManifest manifest{config(), {}};
  for (int64_t first = 0; first < kMillion; first += rows_a_shard) {
    std::vector<int64_t> seeds;
    for (int64_t i = 0; i < rows_a_shard; ++i) seeds.push_back((first + i) * stride);
    manifest.shards.push_back({shard_name(first / rows_a_shard), rows_a_shard, rows_a_shard * config().row_bytes(),
                               std::string(32, 'a'), SeedRanges(std::move(seeds))});
  }
  make_folders(folder);
  manifest.save(folder);
  const Watch watch;
  const StoreIndex index(folder);
  fmt::print("index of {} in {} shards, {}: {:.3f} s\n", index.size(), index.shards().size(),
             stride == 1 ? "seeds in a row" : "every other seed", watch.seconds());
}

int run(int argc, char** argv) {
  if (argc < 2) throw UsageError("store_bench FOLDER [TRAJECTORIES [SECONDS]]");
  const std::string folder = argv[1];
  const int64_t trajectories = argc > 2 ? std::stoll(argv[2]) : 2000;
  if (file_exists(folder)) throw UsageError(folder + " is there already: name a new folder");
  write(folder + "/store", trajectories);
  verify(folder + "/store");
  const double at_least = argc > 3 ? std::stod(argv[3]) : 3.0;
  for (const int threads : {2, 4}) {
    read(folder + "/store", at_least, at::kCPU, threads);
    if (at::hasCUDA()) read(folder + "/store", at_least, at::Device(at::kCUDA, 0), threads);
  }
  open_index(folder + "/large-shards", 4000, 1);
  open_index(folder + "/small-shards", 100, 1);
  open_index(folder + "/gaps", 100, 2);
  return 0;
}

}  // namespace
}  // namespace stride

int main(int argc, char** argv) {
  try {
    return stride::run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "store_bench: {}\n", error.what());
    return 1;
  }
}
