// metrics_probe FILE.npz: the metrics of the arrays `x` and `y` (features or images), or the Fréchet distance of the
// statistics `mu1`, `sigma1`, `mu2`, `sigma2`, as one JSON object. For metrics.py.
#include "datasets/files/npz_reader.h"
#include "datasets/metrics/frechet_limit.h"
#include "datasets/metrics/kernel_distance.h"
#include "datasets/metrics/manifold.h"
#include "datasets/metrics/sliced_wasserstein.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <cstdio>
#include <exception>

namespace {

using namespace stride;

std::vector<double> list(const Tensor& values) {
  const Tensor flat = values.to(at::kCPU, at::kDouble).contiguous();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

nlohmann::json measure(const NpzReader& file) {
  nlohmann::json out;
  if (file.has("mu1")) {
    out["fd"] =
        frechet_distance({file.read("mu1"), file.read("sigma1"), 0}, {file.read("mu2"), file.read("sigma2"), 0});
    return out;
  }
  const Tensor x = file.read("x");
  const Tensor y = file.read("y");
  out["swd"] = sliced_wasserstein(x, y, {.projections = 64, .seed = 5});
  if (x.sizes() == y.sizes()) {
    const Tensor rmse = rmse_per_sample(x, y);
    out["rmse"] = list(rmse);
    out["psnr"] = list(psnr_per_sample(rmse, 2.0));
    if (x.dim() == 2) out["feature_distance"] = list(feature_distance_per_sample(x, y));
  }
  if (x.dim() != 2) return out;
  const FeatureStatistics reference = FeatureStatistics::of(y);
  out["fd"] = frechet_distance(FeatureStatistics::of(x), reference);
  out["fd_inf"] = frechet_limit(x, reference, {.sizes = 15, .smallest = 0.1, .seed = 9});
  out["kid"] = kernel_distance(x, y);
  const ManifoldMetric four = manifold_metric(x, y, block_bounds(x.size(0), 1));
  out["prdc"] = {four.precision.all.value, four.recall.all.value, four.density.all.value, four.coverage.all.value};
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 2) throw std::invalid_argument("metrics_probe FILE.npz");
    fmt::print("{}\n", measure(NpzReader::open(argv[1])).dump());
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
