#include "tests/catch_torch.h"

#include "datasets/metrics/distributions.h"
#include "datasets/metrics/frechet.h"
#include "datasets/metrics/intervals.h"
#include "datasets/metrics/metrics.h"
#include "framework/error.h"

#include <cmath>
#include <fstream>

#include <nlohmann/json.hpp>

using namespace stride;

namespace {

nlohmann::json fixture() {
  std::ifstream file(STRIDE_SOURCE_DIR "/tests/oracles/frechet.json");
  REQUIRE(file);
  return nlohmann::json::parse(file);
}

Tensor table(const nlohmann::json& rows) {
  std::vector<double> flat;
  for (const auto& row : rows) {
    for (const auto& value : row) flat.push_back(value.get<double>());
  }
  const auto n = static_cast<int64_t>(rows.size());
  return torch::tensor(flat, torch::kDouble).reshape({n, -1});
}

Tensor random_table(int64_t n, int64_t features, uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return torch::randn({n, features}, generator, torch::kDouble);
}

FeatureStatistics gaussian(const Tensor& mean, const Tensor& covariance) { return {mean, covariance, 100}; }

}  // namespace

TEST_CASE("metrics: the Fréchet distance agrees with scipy and mpmath") {
  const auto data = fixture();
  REQUIRE(data.at("frechet").size() == 7);
  for (const auto& row : data.at("frechet")) {
    const auto a = FeatureStatistics::of(table(row.at("a")));
    const auto b = FeatureStatistics::of(table(row.at("b")));
    const double wanted = row.at("distance").get<double>();
    INFO(row.at("name").get<std::string>() << ": " << frechet_distance(a, b) << " against " << wanted);
    CHECK(std::abs(frechet_distance(a, b) - wanted) <= 1e-8 * wanted);
    CHECK(std::abs(frechet_distance(b, a) - wanted) <= 1e-8 * wanted);
  }
}

TEST_CASE("metrics: the Fréchet distance has its closed forms") {
  const auto options = torch::kDouble;
  const Tensor mean = torch::tensor({1.0, -2.0, 0.5}, options);
  const auto a = gaussian(mean, torch::diag(torch::tensor({4.0, 1.0, 0.0}, options)));
  const auto b =
      gaussian(mean + torch::tensor({3.0, 0.0, 4.0}, options), torch::diag(torch::tensor({1.0, 9.0, 0.25}, options)));
  // Commuting covariances: |Δμ|² + Σ (√a − √b)².
  CHECK(frechet_distance(a, b) == Approx(25.0 + 1.0 + 4.0 + 0.25).epsilon(1e-12));
  CHECK(frechet_distance(a, a) == Approx(0.0).margin(1e-12));

  // A rotation of one side only, in two dimensions: the eigenvalues of A·B in closed form.
  const double angle = 0.7;
  const Tensor turn = torch::tensor({{std::cos(angle), -std::sin(angle)}, {std::sin(angle), std::cos(angle)}}, options);
  const Tensor first = torch::diag(torch::tensor({3.0, 0.5}, options));
  const Tensor second = torch::mm(torch::mm(turn, torch::diag(torch::tensor({2.0, 0.1}, options))), turn.t());
  const double product_trace = torch::mm(first, second).trace().item<double>();
  const double cross = std::sqrt(product_trace + 2.0 * std::sqrt(3.0 * 0.5 * 2.0 * 0.1));
  const Tensor zero = torch::zeros({2}, options);
  CHECK(frechet_distance(gaussian(zero, first), gaussian(zero, second)) == Approx(5.6 - 2.0 * cross).epsilon(1e-12));
}

TEST_CASE("metrics: a set is at distance 0 from itself, with fewer samples than features too") {
  for (const int64_t n : {3, 10, 200}) {
    const auto statistics = FeatureStatistics::of(random_table(n, 40, 5));
    CHECK(frechet_distance(statistics, statistics) < 1e-10);
  }
  const auto a = FeatureStatistics::of(random_table(30, 40, 1));
  const auto shifted = FeatureStatistics::of(random_table(30, 40, 1) + 0.5);
  CHECK(frechet_distance(a, shifted) == Approx(10.0).epsilon(1e-9));
}

TEST_CASE("metrics: statistics of parts merge to those of the whole") {
  const Tensor all = random_table(57, 6, 9) * 3.0 + 100.0;
  const auto whole = FeatureStatistics::of(all);
  const auto merged = FeatureStatistics::merge(FeatureStatistics::of(all.narrow(0, 0, 10)),
                                               FeatureStatistics::merge(FeatureStatistics::of(all.narrow(0, 10, 2)),
                                                                        FeatureStatistics::of(all.narrow(0, 12, 45))));
  CHECK(merged.n == 57);
  CHECK(torch::allclose(merged.mean, whole.mean, 1e-13, 0.0));
  CHECK(torch::allclose(merged.covariance, whole.covariance, 1e-10, 1e-12));
  CHECK(torch::allclose(whole.covariance, torch::cov(all.t()), 1e-12, 1e-12));
}

TEST_CASE("metrics: misuse and non-finite features are told apart") {
  CHECK_THROWS_AS(FeatureStatistics::of(torch::zeros({1, 4})), UsageError);
  CHECK_THROWS_AS(FeatureStatistics::of(torch::zeros({4})), UsageError);
  const auto a = FeatureStatistics::of(random_table(9, 4, 1));
  CHECK_THROWS_AS(frechet_distance(a, FeatureStatistics::of(random_table(9, 5, 1))), UsageError);
  Tensor broken = random_table(9, 4, 1);
  broken[3][2] = std::nan("");
  CHECK(std::isnan(frechet_distance(a, FeatureStatistics::of(broken))));
}

TEST_CASE("metrics: Student's t and quantiles agree with scipy and numpy") {
  const auto data = fixture();
  REQUIRE(data.at("student_t").size() == 24);
  for (const auto& row : data.at("student_t")) {
    const double wanted = row[2].get<double>();
    CHECK(student_t(row[0].get<double>(), row[1].get<int64_t>()) == Approx(wanted).epsilon(1e-10));
  }
  const auto values = data.at("values").get<std::vector<double>>();
  for (const auto& row : data.at("quantiles")) {
    CHECK(quantile(values, row[0].get<double>()) == Approx(row[1].get<double>()).margin(1e-12));
  }
  CHECK(std::isnan(quantile({}, 0.5)));
  CHECK(std::isnan(quantile({1.0, std::nan("")}, 0.5)));
  CHECK_THROWS_AS(student_t(1.0, 3), UsageError);
  CHECK_THROWS_AS(student_t(0.5, 0), UsageError);
}

TEST_CASE("metrics: the jackknife of a mean is the t interval of block means") {
  const std::vector<double> blocks = {2.0, 3.5, 1.0, 4.0};
  const Estimate estimate = mean_interval(blocks);
  const double mean = 2.625;
  double sum = 0.0;
  for (const double block : blocks) sum += (block - mean) * (block - mean);
  const double half = student_t(0.95, 3) * std::sqrt(sum / 3.0 / 4.0);
  CHECK(estimate.value == Approx(mean));
  CHECK(estimate.low == Approx(mean - half).epsilon(1e-12));
  CHECK(estimate.high == Approx(mean + half).epsilon(1e-12));
  CHECK(std::isnan(mean_interval({1.0}).low));
}

TEST_CASE("metrics: the interval covers the truth as often as it says") {
  // 2,000 experiments of 5 blocks of 20 normals: the RMSE is 1. Binomial standard error of the share: 0.5 %.
  int covered = 0;
  const int experiments = 2000;
  const auto bounds = block_bounds(100, 5);
  for (int i = 0; i < experiments; ++i) {
    const Estimate all =
        overall_rmse(random_table(100, 1, 1000 + static_cast<uint64_t>(i)).squeeze(1).abs(), bounds).all;
    if (all.low <= 1.0 && 1.0 <= all.high) ++covered;
  }
  const double share = static_cast<double>(covered) / experiments;
  INFO("covered " << share);
  CHECK(share > 0.925);
  CHECK(share < 0.975);
}

TEST_CASE("metrics: blocks are contiguous, equal to one sample, and whole") {
  CHECK(block_bounds(10, 3) == std::vector<int64_t>{0, 3, 6, 10});
  CHECK(block_bounds(4, 4) == std::vector<int64_t>{0, 1, 2, 3, 4});
  CHECK_THROWS_AS(block_bounds(3, 4), UsageError);
  CHECK_THROWS_AS(block_bounds(3, 0), UsageError);
}

TEST_CASE("metrics: RMSE by sample, over all and by block") {
  const Tensor reference = torch::zeros({4, 1, 2, 2}, torch::kFloat);
  Tensor x = reference.clone();
  x[1] += 1.0;
  x[2] -= 2.0;
  x[3][0][0][0] = 4.0;
  const Tensor rmse = rmse_per_sample(x, reference);
  CHECK(rmse.scalar_type() == torch::kDouble);
  CHECK(torch::equal(rmse, torch::tensor({0.0, 1.0, 2.0, 2.0}, torch::kDouble)));
  const BlockMetric all = overall_rmse(rmse, block_bounds(4, 2));
  CHECK(all.all.value == Approx((x - reference).square().mean().sqrt().item<double>()));
  CHECK(all.blocks[0] == Approx(std::sqrt(0.5)));
  CHECK(all.blocks[1] == Approx(2.0));
  CHECK(all.all.low < all.all.value);
  CHECK_THROWS_AS(rmse_per_sample(x, reference.narrow(0, 0, 3)), UsageError);
  CHECK(sample_quantile(rmse, 1.0, block_bounds(4, 2)).all.value == 2.0);
}

TEST_CASE("metrics: paired comparison cancels what both samplers share") {
  const auto bounds = block_bounds(64, 8);
  const Tensor difficulty = random_table(64, 1, 3).squeeze(1).exp();
  const Tensor a = 0.8 * difficulty;
  const PairedComparison paired = paired_comparison(a, difficulty, bounds);
  CHECK(paired.ratio.value == Approx(-0.2).epsilon(1e-12));
  CHECK(paired.ratio.low == Approx(-0.2).epsilon(1e-9));
  CHECK(paired.ratio.high == Approx(-0.2).epsilon(1e-9));
  CHECK(paired.difference.value < 0.0);
  CHECK(paired.share_better == 1.0);
  // The two unpaired intervals overlap, which is why pairing matters.
  CHECK(overall_rmse(a, bounds).all.high > overall_rmse(difficulty, bounds).all.low);
  CHECK_THROWS_AS(paired_comparison(a, difficulty.narrow(0, 0, 8), bounds), UsageError);
}

TEST_CASE("metrics: the Fréchet metric over blocks is that of the whole") {
  const auto reference = FeatureStatistics::of(random_table(500, 4, 1));
  const Tensor features = random_table(120, 4, 2) * 1.3;
  const BlockMetric metric = frechet_metric(features, reference, block_bounds(120, 6));
  CHECK(metric.all.value == frechet_distance(FeatureStatistics::of(features), reference));
  REQUIRE(metric.blocks.size() == 6);
  CHECK(metric.blocks[2] == frechet_distance(FeatureStatistics::of(features.narrow(0, 40, 20)), reference));
  CHECK(metric.all.low < metric.all.value);
  CHECK(metric.all.high > metric.all.value);
}
