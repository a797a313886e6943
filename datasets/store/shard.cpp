#include "datasets/store/shard.h"

#include "datasets/files/checksum_line.h"
#include "datasets/files/hdf5.h"
#include "datasets/store/config_sum.h"
#include "framework/error.h"
#include "framework/files/hash.h"
#include "framework/shapes.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace stride {
namespace {

/// A shard's image, its layout checked against what its store says.
class Layout final {
 public:
  Layout(std::string_view bytes, std::string path) : path_(std::move(path)), image_(bytes, path_), bytes_(bytes) {}

  [[nodiscard]] Tensor read(const std::string& name, at::ScalarType type, const std::vector<int64_t>& shape) const {
    check(name, type, shape);
    return image_.read(name);
  }

  [[nodiscard]] bool has(const std::string& name) const { return image_.has(name); }

  /// The values where they lie in the file.
  [[nodiscard]] std::string_view find(const std::string& name, at::ScalarType type,
                                      const std::vector<int64_t>& shape) const {
    const hdf5::DatasetInfo info = check(name, type, shape);
    if (!info.offset) throw InputError(fmt::format("{}: dataset \"{}\" is not contiguous", path_, name));
    return bytes_.substr(*info.offset, info.bytes);
  }

 private:
  hdf5::DatasetInfo check(const std::string& name, at::ScalarType type, const std::vector<int64_t>& shape) const {
    hdf5::DatasetInfo info = image_.info(name);
    if (info.type != type || info.shape != shape) {
      throw InputError(fmt::format("{}: dataset \"{}\" is {} [{}], its manifest says {} [{}]", path_, name,
                                   c10::toString(info.type), fmt::join(info.shape, ", "), c10::toString(type),
                                   fmt::join(shape, ", ")));
    }
    return info;
  }

  std::string path_;
  hdf5::ImageReader image_;
  std::string_view bytes_;
};

constexpr const char* kConfigAttribute = "config_xxh3_128";

/// Shards of earlier versions have no line behind their end.
std::string_view hdf5_part(std::string_view bytes, const std::string& path) {
  return has_checksum_line(bytes) ? verify_checksum_line(bytes, path) : bytes;
}

void verify(std::string_view bytes, const std::string& path, const ShardEntry& entry) {
  if (static_cast<int64_t>(bytes.size()) != entry.bytes) {
    throw InputError(
        fmt::format("{} is damaged: it has {} bytes, its manifest says {}", path, bytes.size(), entry.bytes));
  }
  if (xxh3_128(bytes) != entry.xxh3_128) {
    throw InputError(fmt::format("{} is damaged: its content does not match the checksum in the manifest", path));
  }
}

}  // namespace

std::string format_shard(const TrajectoryBatch& batch, const TrajectoryConfig& config) {
  hdf5::ImageWriter image;
  image.attribute("format", "stride-trajectories");
  image.attribute("model_sha256", config.model_sha256);
  image.attribute("solver", config.solver);
  image.attribute("schedule", config.schedule);
  image.attribute("final", config.final);
  image.attribute(kConfigAttribute, config_sum(config));
  if (config.features) image.attribute("content", "features");
  if (!config.save_at.empty()) image.attribute("save_at", fmt::format("{}", fmt::join(config.save_at, ",")));
  image.dataset("seed", batch.seed);
  image.dataset("nfe", batch.nfe);
  image.dataset("status", batch.status);
  if (batch.label.defined()) image.dataset("class", batch.label);
  image.dataset("sigma", config.sigmas.empty() ? batch.sigma : at::tensor(config.sigmas, at::kDouble));
  for (const RowDataset& dataset : row_datasets(config)) image.dataset(dataset.name, batch.*dataset.member);
  std::string bytes = image.finish();
  append_checksum_line(bytes);
  return bytes;
}

ShardEntry sealed_shard(const std::string& folder, const std::string& name, const TrajectoryConfig& config) {
  const std::string path = folder + "/" + name;
  const MappedFile file(path);
  const hdf5::ImageReader image(verify_checksum_line(file.bytes(), path), path);
  if (image.attribute(kConfigAttribute) != config_sum(config))
    throw InputError(fmt::format("{} holds trajectories of another kind", path));
  const Tensor seed = image.read("seed");
  if (seed.scalar_type() != at::kLong || seed.dim() != 1 || seed.size(0) < 1)
    throw InputError(fmt::format("{}: \"seed\" is no list of seeds", path));
  const auto* seeds = seed.const_data_ptr<int64_t>();
  ShardEntry entry{name, seed.size(0), static_cast<int64_t>(file.bytes().size()), xxh3_128(file.bytes()),
                   SeedRanges({seeds, seeds + seed.size(0)})};
  (void)ShardReader(folder, entry, config);
  return entry;
}

ShardReader::ShardReader(const std::string& folder, const ShardEntry& entry, const TrajectoryConfig& config)
    : file_(folder + "/" + entry.file) {
  const std::string path = folder + "/" + entry.file;
  file_.will_read();
  verify(file_.bytes(), path, entry);
  const Layout layout(hdf5_part(file_.bytes(), path), path);
  const int64_t n = entry.count;
  seed_ = layout.read("seed", at::kLong, {n});
  nfe_ = layout.read("nfe", at::kInt, {n});
  status_ = layout.read("status", at::kChar, {n});
  if (layout.has("class")) label_ = layout.read("class", at::kLong, {n});
  sigma_ = config.sigmas.empty() ? layout.read("sigma", at::kDouble, {n, config.points()})
                                 : layout.read("sigma", at::kDouble, {config.points()}).expand({n, config.points()});
  for (const RowDataset& dataset : row_datasets(config)) {
    const std::string_view values = layout.find(dataset.name, dataset.dtype, prepend({n}, dataset.shape));
    columns_.push_back({values, values.size() / static_cast<std::size_t>(n)});
  }
  const auto* seeds = seed_.const_data_ptr<int64_t>();
  const SeedRanges found(std::vector<int64_t>(seeds, seeds + n));
  if (!(found == entry.seeds) || found.size() != n)
    throw InputError(fmt::format("{}: its seeds are not those of the manifest", path));
  if (!config.sigmas.empty() && !at::equal(sigma_[0], at::tensor(config.sigmas, at::kDouble))) {
    throw InputError(fmt::format("{}: its sigmas are not those of the manifest", path));
  }
}

}  // namespace stride
