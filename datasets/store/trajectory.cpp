#include "datasets/store/trajectory.h"

#include "framework/error.h"
#include "framework/shapes.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

namespace stride {
namespace {

constexpr Tensor TrajectoryBatch::*kMembers[] = {
    &TrajectoryBatch::x,     &TrajectoryBatch::denoised, &TrajectoryBatch::seed, &TrajectoryBatch::nfe,
    &TrajectoryBatch::sigma, &TrajectoryBatch::status,   &TrajectoryBatch::gram, &TrajectoryBatch::pooled,
    &TrajectoryBatch::start, &TrajectoryBatch::label};

int64_t values_in(const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t extent : shape) count *= extent;
  return count;
}

/// The first entry that differs.
std::string difference_of(const std::map<std::string, std::string>& here,
                          const std::map<std::string, std::string>& there) {
  std::map<std::string, std::string> keys = here;
  keys.insert(there.begin(), there.end());
  const auto show = [](const auto& map, const std::string& key) {
    const auto found = map.find(key);
    return found == map.end() ? std::string("nothing") : fmt::format("\"{}\"", found->second);
  };
  for (const auto& [key, unused] : keys) {
    if (show(here, key) != show(there, key)) {
      return fmt::format("setting \"{}\" ({} against {})", key, show(here, key), show(there, key));
    }
  }
  return "";
}

std::string difference_of(const std::vector<double>& here, const std::vector<double>& there) {
  if (here.size() != there.size()) return fmt::format("sigmas ({} against {} levels)", here.size(), there.size());
  for (std::size_t i = 0; i < here.size(); ++i) {
    if (here[i] != there[i]) return fmt::format("sigmas (level {}: {} against {})", i, here[i], there[i]);
  }
  return "";
}

/// Throws unless `tensor` is of the shape, where -1 matches every extent.
void require_shape(const char* name, const Tensor& tensor, const std::vector<int64_t>& shape) {
  if (!tensor.defined()) throw UsageError(fmt::format("trajectories to append have no {}", name));
  if (tensor.sizes() != at::IntArrayRef(shape)) {
    throw UsageError(fmt::format("trajectories to append: {} is [{}], this store takes [{}]", name,
                                 fmt::join(tensor.sizes(), ", "), fmt::join(shape, ", ")));
  }
}

Tensor to_stored(const char* name, const Tensor& values, at::ScalarType dtype) {
  if (!values.is_floating_point())
    throw UsageError(fmt::format("trajectories to append: {} is not floating point", name));
  Tensor stored = values.detach().to(at::kCPU).to(dtype).contiguous();
  if (dtype == at::kHalf && values.scalar_type() != at::kHalf &&
      at::logical_and(stored.isinf(), values.detach().to(at::kCPU).isfinite()).any().item<bool>()) {
    throw UsageError(fmt::format("{} has values beyond float16's 65504: store float32", name));
  }
  return stored;
}

Tensor to_integer(const char* name, const Tensor& values, at::ScalarType dtype) {
  if (!at::isIntegralType(values.scalar_type(), /*includeBool=*/false)) {
    throw UsageError(fmt::format("trajectories to append: {} is not whole numbers", name));
  }
  return values.detach().to(at::kCPU).to(dtype).contiguous();
}

}  // namespace

int64_t TrajectoryConfig::row_bytes() const noexcept {
  int64_t bytes = points() * 8 + 8 + 4 + 1 + (settings.contains(kClassSetting) ? 8 : 0);
  for (const RowDataset& dataset : row_datasets(*this)) {
    bytes += values_in(dataset.shape) * static_cast<int64_t>(c10::elementSize(dataset.dtype));
  }
  return bytes;
}

std::string TrajectoryConfig::invalid_reason() const {
  if (solver.empty()) return "no solver is named";
  if (steps < 1) return fmt::format("{} steps; at least 1 is needed", steps);
  if (final != "zero" && final != "sigma_min")
    return fmt::format("final is \"{}\", not \"zero\" or \"sigma_min\"", final);
  if (features != (dtype == at::kDouble)) return "features are float64, and nothing else is";
  if (!features && dtype != at::kFloat && dtype != at::kHalf)
    return fmt::format("dtype {}; stores are float32 or float16", c10::toString(dtype));
  for (const int64_t extent : sample_shape) {
    if (extent < 1) return fmt::format("sample shape [{}] has no values", fmt::join(sample_shape, ", "));
  }
  if (!sigmas.empty() && static_cast<int64_t>(sigmas.size()) != points()) {
    return fmt::format("{} sigmas for {} steps; {} are needed", sigmas.size(), steps, points());
  }
  for (const double sigma : sigmas) {
    if (!std::isfinite(sigma) || sigma < 0) return fmt::format("sigma {} is not a noise level", sigma);
  }
  if (!save_at.empty() && static_cast<int64_t>(save_at.size()) != points())
    return fmt::format("{} saved points for {} steps; {} are needed", save_at.size(), steps, points());
  for (std::size_t i = 0; i < save_at.size(); ++i) {
    if (save_at[i] < 0 || (i > 0 && save_at[i] <= save_at[i - 1])) return "the saved points do not ascend from 0";
  }
  return "";
}

std::string TrajectoryConfig::difference(const TrajectoryConfig& other) const {
  const auto text = [](const char* name, const std::string& here, const std::string& there) {
    return here == there ? std::string() : fmt::format("{} (\"{}\" against \"{}\")", name, here, there);
  };
  const auto shape = [](const std::vector<int64_t>& extents) { return fmt::format("[{}]", fmt::join(extents, ", ")); };
  for (const std::string& found :
       {text("model_sha256", model_sha256, other.model_sha256), text("solver", solver, other.solver),
        text("schedule", schedule, other.schedule), text("final", final, other.final),
        text("dtype", c10::toString(dtype), c10::toString(other.dtype)),
        text("sample_shape", shape(sample_shape), shape(other.sample_shape)),
        text("content", features ? "features" : "states", other.features ? "features" : "states"),
        text("save_at", shape(save_at), shape(other.save_at)),
        text("steps", std::to_string(steps), std::to_string(other.steps)), difference_of(sigmas, other.sigmas),
        difference_of(settings, other.settings)}) {
    if (!found.empty()) return found;
  }
  return "";
}

TrajectoryBatch TrajectoryBatch::slice(int64_t first, int64_t count) const {
  TrajectoryBatch part;
  for (const auto member : kMembers) {
    if ((this->*member).defined()) part.*member = (this->*member).narrow(0, first, count);
  }
  return part;
}

TrajectoryBatch TrajectoryBatch::concat(const std::vector<TrajectoryBatch>& batches) {
  if (batches.size() == 1) return batches.front();
  TrajectoryBatch all;
  for (const auto member : kMembers) {
    std::vector<Tensor> parts;
    for (const TrajectoryBatch& batch : batches) parts.push_back(batch.*member);
    if (!parts.empty() && parts.front().defined()) all.*member = at::cat(parts);
  }
  return all;
}

std::vector<RowDataset> row_datasets(const TrajectoryConfig& config) {
  using Batch = TrajectoryBatch;
  if (config.features) {
    const int64_t vectors = config.points() + config.steps;
    return {{"gram", &Batch::gram, at::kDouble, {vectors, vectors}},
            {"pooled", &Batch::pooled, at::kDouble, {config.steps, kPooledStatistics}},
            {"start", &Batch::start, at::kDouble, {kStartStatistics}}};
  }
  return {{"x", &Batch::x, config.dtype, prepend({config.points()}, config.sample_shape)},
          {"denoised", &Batch::denoised, config.dtype, prepend({config.steps}, config.sample_shape)}};
}

TrajectoryBatch conform(const TrajectoryBatch& batch, const TrajectoryConfig& config) {
  if (!batch.seed.defined() || batch.seed.dim() != 1) throw UsageError("trajectories to append have no list of seeds");
  const int64_t n = batch.size();
  require_shape("nfe", batch.nfe, {n});
  TrajectoryBatch result;
  for (const RowDataset& dataset : row_datasets(config)) {
    require_shape(dataset.name, batch.*dataset.member, prepend({n}, dataset.shape));
    result.*dataset.member = to_stored(dataset.name, batch.*dataset.member, dataset.dtype);
  }
  result.seed = to_integer("seed", batch.seed, at::kLong);
  if (n > 0 && result.seed.min().item<int64_t>() < 0) throw UsageError("trajectories to append: a seed is negative");
  result.nfe = to_integer("nfe", batch.nfe, at::kInt);
  if (config.sigmas.empty()) {
    require_shape("sigma", batch.sigma, {n, config.points()});
    result.sigma = batch.sigma.detach().to(at::kCPU).to(at::kDouble).contiguous();
  } else {
    result.sigma = at::tensor(config.sigmas, at::kDouble).expand({n, config.points()});
    if (batch.sigma.defined() && !at::equal(result.sigma, batch.sigma.detach().to(at::kCPU).to(at::kDouble))) {
      throw UsageError("trajectories to append: their sigmas are not the store's");
    }
  }
  if (batch.status.defined()) require_shape("status", batch.status, {n});
  result.status = batch.status.defined() ? to_integer("status", batch.status, at::kChar)
                                         : at::zeros({n}, at::TensorOptions().dtype(at::kChar));
  if (batch.label.defined()) {
    require_shape("class", batch.label, {n});
    result.label = to_integer("class", batch.label, at::kLong);
  }
  return result;
}

}  // namespace stride
