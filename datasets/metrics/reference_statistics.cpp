#include "datasets/metrics/reference_statistics.h"

#include "datasets/files/npz.h"
#include "datasets/files/npz_reader.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/json_place.h"
#include "framework/files/json_text.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstring>

namespace stride {
namespace {

constexpr const char* kFormat = "stride-reference-statistics";
constexpr int kVersion = 1;
constexpr double kAsymmetry = 1e-5;  // of the largest entry: float32 files are that far from symmetric

Tensor text_tensor(const std::string& text) {
  Tensor out = at::empty({static_cast<int64_t>(text.size())}, at::TensorOptions().dtype(at::kByte));
  std::memcpy(out.mutable_data_ptr(), text.data(), text.size());
  return out;
}

// Float64 and finite.
Tensor numbers(const NpzReader& file, const std::string& name, const std::string& where) {
  const Tensor values = file.read(name);
  if (!values.is_floating_point())
    throw InputError(fmt::format("{}: '{}' holds {} and must hold floating-point numbers", where, name,
                                 at::toString(values.scalar_type())));
  if (!at::isfinite(values).all().item<bool>())
    throw InputError(fmt::format("{}: '{}' holds a value that is not finite", where, name));
  return values.to(at::kDouble);
}

FeatureStatistics moments(const NpzReader& file, const std::string& where) {
  if (!file.has("mu") || !file.has("sigma")) {
    throw InputError(fmt::format(
        "{}: holds no reference statistics: the arrays 'mu' and 'sigma' are missing; `stride stats` writes such a file",
        where));
  }
  FeatureStatistics out{numbers(file, "mu", where), numbers(file, "sigma", where), 0};
  const int64_t size = out.mean.numel();
  if (out.mean.dim() != 1 || size < 1) throw InputError(fmt::format("{}: 'mu' is no list of numbers", where));
  if (out.covariance.sizes() != at::IntArrayRef({size, size}))
    throw InputError(fmt::format("{}: 'mu' has {} features, 'sigma' is not [{}, {}]", where, size, size, size));
  const double scale = out.covariance.abs().max().item<double>();
  if ((out.covariance - out.covariance.t()).abs().max().item<double>() > kAsymmetry * scale)
    throw InputError(fmt::format("{}: 'sigma' is not symmetric: no covariance", where));
  if (out.covariance.diagonal().min().item<double>() < 0.0)
    throw InputError(fmt::format("{}: 'sigma' has a negative variance on its diagonal", where));
  out.covariance = (out.covariance + out.covariance.t()) / 2;
  return out;
}

void read_own(const NpzReader& file, const std::string& where, ReferenceStatistics& out) {
  const Tensor text = file.read("stride");
  if (text.scalar_type() != at::kByte || text.dim() != 1)
    throw InputError(fmt::format("{}: 'stride' is no text", where));
  const std::string place = where + ": stride";
  const auto json =
      parse_json_text({static_cast<const char*>(text.const_data_ptr()), static_cast<std::size_t>(text.numel())}, place);
  const JsonPlace<nlohmann::json> root(json, place);
  if (root.at("format").value() != kFormat || root.at("version").value() != kVersion)
    throw InputError(fmt::format("{}: is not a {} of version {}", where, kFormat, kVersion));
  out.network = root.at("network").text();
  out.network_sha256 = root.at("network_sha256").text();
  out.quantisation = root.at("quantisation").text();
  out.data = root.at("data").text();
  out.data_sha256 = root.at("data_sha256").text();
  const Tensor n = file.read("n");
  if (n.scalar_type() != at::kLong || n.numel() != 1 || n.item<int64_t>() < 2)
    throw InputError(fmt::format("{}: 'n' is no number of images", where));
  out.statistics.n = n.item<int64_t>();
  if (!file.has("features")) return;
  out.features = file.read("features");
  if (out.features.scalar_type() != at::kFloat ||
      out.features.sizes() != at::IntArrayRef({out.statistics.n, out.statistics.mean.numel()}))
    throw InputError(
        fmt::format("{}: 'features' must be float32 [{}, {}]", where, out.statistics.n, out.statistics.mean.numel()));
}

}  // namespace

std::string reference_statistics_bytes(const ReferenceStatistics& reference) {
  const FeatureStatistics& statistics = reference.statistics;
  const int64_t size = statistics.mean.numel();
  if (statistics.covariance.sizes() != at::IntArrayRef({size, size}) || statistics.n < 2)
    throw UsageError("reference statistics need a mean [F], a covariance [F, F] and at least two images");
  if (reference.features.defined() && reference.features.sizes() != at::IntArrayRef({statistics.n, size}))
    throw UsageError("the features kept beside reference statistics must be theirs: [n, F]");
  if (!at::isfinite(statistics.mean).all().item<bool>() || !at::isfinite(statistics.covariance).all().item<bool>())
    throw InputError(fmt::format("{}: the mean or covariance of its features is not finite", reference.data));
  const nlohmann::json text = {{"format", kFormat},
                               {"version", kVersion},
                               {"network", reference.network},
                               {"network_sha256", reference.network_sha256},
                               {"quantisation", reference.quantisation},
                               {"data", reference.data},
                               {"data_sha256", reference.data_sha256}};
  std::vector<std::pair<std::string, Tensor>> arrays = {
      {"mu", statistics.mean.to(at::kDouble)},
      {"sigma", statistics.covariance.to(at::kDouble)},
      {"n", at::scalar_tensor(statistics.n, at::TensorOptions().dtype(at::kLong))},
      {"stride", text_tensor(text.dump())}};
  if (reference.features.defined()) arrays.emplace_back("features", reference.features.to(at::kFloat));
  return npz_bytes(arrays);
}

ReferenceStatistics parse_reference_statistics(std::string bytes, const std::string& where) {
  const NpzReader file(std::move(bytes), where);
  ReferenceStatistics out;
  out.statistics = moments(file, where);
  if (file.has("stride")) read_own(file, where, out);
  return out;
}

void write_reference_statistics(const std::string& path, const ReferenceStatistics& reference, FileSystem& files) {
  write_file_atomic(path, reference_statistics_bytes(reference), files);
}

ReferenceStatistics read_reference_statistics(const std::string& path, FileSystem& files) {
  return parse_reference_statistics(read_file(path, files), path);
}

}  // namespace stride
