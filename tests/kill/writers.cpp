#include "tests/kill/writers.h"

#include "datasets/store/trajectory_writer.h"
#include "tests/trajectory_content.h"

#include <hdf5.h>
#include <unistd.h>

#include <stdexcept>

namespace stride::kill {
namespace {

void acknowledge(int pipe, const std::vector<int64_t>& seeds) {
  std::string lines;
  for (const int64_t seed : seeds) lines += std::to_string(seed) + "\n";
  if (!lines.empty() && ::write(pipe, lines.data(), lines.size()) != static_cast<ssize_t>(lines.size())) ::_exit(1);
}

}  // namespace

TrajectoryConfig config() {
  TrajectoryConfig config = testing::small_config();
  config.sample_shape = {64};
  return config;
}

void write_store(const std::string& folder, int pipe) {
  TrajectoryWriter writer(folder, config(), {.shard_bytes = int64_t{1} << 20, .shard_rows = 8, .run_id = "kill"});
  int64_t seed = writer.size();
  for (int64_t rows = 1;; rows = rows % 5 + 1) {  // batches that end within shards
    const std::vector<int64_t> seeds = writer.missing(testing::seeds_from(seed, rows));
    seed += rows;
    if (!seeds.empty()) acknowledge(pipe, writer.append(testing::trajectories_of(seeds, config())));
  }
}

void write_in_place(const std::string& path, int pipe) {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_EXCL, H5P_DEFAULT, H5P_DEFAULT);
  const hsize_t none[2] = {0, kInPlaceColumns};
  const hsize_t most[2] = {H5S_UNLIMITED, kInPlaceColumns};
  const hsize_t chunk[2] = {16, kInPlaceColumns};
  const hid_t space = H5Screate_simple(2, none, most);
  const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(creation, 2, chunk);
  const hid_t dataset = H5Dcreate2(file, "x", H5T_IEEE_F32LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  if (dataset < 0) throw std::runtime_error("cannot start " + path);
  const hsize_t count[2] = {1, kInPlaceColumns};
  const hid_t row = H5Screate_simple(2, count, nullptr);
  for (hsize_t seed = 0;; ++seed) {
    const at::Tensor values = testing::values_of({static_cast<int64_t>(seed)}, {kInPlaceColumns}, 0);
    const hsize_t extent[2] = {seed + 1, kInPlaceColumns};
    const hsize_t start[2] = {seed, 0};
    H5Dset_extent(dataset, extent);
    const hid_t place = H5Dget_space(dataset);
    H5Sselect_hyperslab(place, H5S_SELECT_SET, start, nullptr, count, nullptr);
    if (H5Dwrite(dataset, H5T_NATIVE_FLOAT, row, place, H5P_DEFAULT, values.const_data_ptr()) < 0) ::_exit(1);
    H5Sclose(place);
    acknowledge(pipe, {static_cast<int64_t>(seed)});
  }
}

}  // namespace stride::kill
