// Metrics of a set of samples against another set, or against a law.
#include "tests/catch_torch.h"

#include "datasets/metrics/frechet_limit.h"
#include "datasets/metrics/kernel_distance.h"
#include "datasets/metrics/manifold.h"
#include "datasets/metrics/mixture_metrics.h"
#include "datasets/metrics/sliced_wasserstein.h"
#include "framework/error.h"

#include <cmath>
#include <numbers>

using namespace stride;

namespace {

Tensor random_table(int64_t n, int64_t features, uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return torch::randn({n, features}, generator, torch::kDouble);
}

Tensor column(std::vector<double> values) { return torch::tensor(values, torch::kDouble).unsqueeze(1); }

// The estimator as written in the paper, pair by pair.
double kernel_distance_by_pairs(const Tensor& x, const Tensor& y) {
  const auto f = static_cast<double>(x.size(1));
  const auto sum = [&](const Tensor& a, const Tensor& b, bool same) {
    double total = 0.0;
    for (int64_t i = 0; i < a.size(0); ++i)
      for (int64_t j = 0; j < b.size(0); ++j)
        if (!same || i != j) total += std::pow((a[i] * b[j]).sum().item<double>() / f + 1.0, 3.0);
    return total;
  };
  const auto n = static_cast<double>(x.size(0));
  const auto m = static_cast<double>(y.size(0));
  return sum(x, x, true) / (n * (n - 1)) + sum(y, y, true) / (m * (m - 1)) - 2 * sum(x, y, false) / (n * m);
}

Tensor without(const Tensor& x, int64_t begin, int64_t end) {
  return torch::cat({x.slice(0, 0, begin), x.slice(0, end)});
}

double jackknifed_low(double all, const std::vector<double>& rest) { return jackknife(all, rest).low; }

}  // namespace

TEST_CASE("set metrics: the kernel distance is the sum over pairs that the paper writes") {
  const Tensor x = random_table(13, 3, 1);
  const Tensor y = random_table(9, 3, 2) + 0.4;
  CHECK(kernel_distance(x, y) == Approx(kernel_distance_by_pairs(x, y)).epsilon(1e-12));
  CHECK(kernel_distance(y, x) == Approx(kernel_distance(x, y)).epsilon(1e-12));
  CHECK(kernel_distance(x.to(torch::kFloat), y) == Approx(kernel_distance(x, y)).epsilon(1e-5));
}

TEST_CASE("set metrics: the kernel distance does not depend on its tiles") {
  // 2,100 rows take two tiles either way; row order and splits must not matter.
  const Tensor x = random_table(2100, 2, 3);
  const Tensor y = random_table(2200, 2, 4) * 1.1;
  const double value = kernel_distance(x, y);
  CHECK(kernel_distance(x.flip(0), y.roll(700, 0)) == Approx(value).epsilon(1e-9));
  const Tensor gram = (torch::mm(x, x.t()) / 2 + 1).pow(3);
  const Tensor other = (torch::mm(y, y.t()) / 2 + 1).pow(3);
  const Tensor cross = (torch::mm(x, y.t()) / 2 + 1).pow(3);
  const double direct = (gram.sum() - gram.trace()).item<double>() / (2100.0 * 2099.0) +
                        (other.sum() - other.trace()).item<double>() / (2200.0 * 2199.0) -
                        2 * cross.mean().item<double>();
  CHECK(value == Approx(direct).epsilon(1e-9));
}

TEST_CASE("set metrics: the kernel distance is unbiased at any n") {
  // 4,000 draws of 6 against 5 samples: the mean estimate is the distance of the laws, here 0 and, shifted, not. For
  // x ~ N(0, 1), y ~ N(1, 1) and k = (ab + 1)³: E k(x, x') = 1 + 3·E[a²]E[b²] = 4; by moments of N(1, 1) (1, 2, 4):
  // E k(y, y') = 1 + 3·1 + 3·4 + 16 = 32 and E k(x, y) = 1 + 0 + 3·1·2 + 0 = 7.
  double same = 0.0, shifted = 0.0, squares = 0.0, shifted_squares = 0.0;
  const int draws = 4000;
  for (int i = 0; i < draws; ++i) {
    const Tensor x = random_table(6, 1, 10'000 + static_cast<uint64_t>(i));
    const Tensor y = random_table(5, 1, 90'000 + static_cast<uint64_t>(i));
    const double a = kernel_distance(x, y);
    const double b = kernel_distance(x, y + 1.0);
    same += a / draws;
    squares += a * a / draws;
    shifted += b / draws;
    shifted_squares += b * b / draws;
  }
  const double error = std::sqrt((squares - same * same) / draws);
  const double shifted_error = std::sqrt((shifted_squares - shifted * shifted) / draws);
  INFO(same << " ± " << error << ", " << shifted << " ± " << shifted_error);
  CHECK(std::abs(same) < 4 * error);
  CHECK(std::abs(shifted - (4.0 + 32.0 - 14.0)) < 4 * shifted_error);
}

TEST_CASE("set metrics: the kernel distance over blocks is that of the rows themselves") {
  const Tensor x = random_table(30, 4, 5);
  const Tensor y = random_table(21, 4, 6) + 0.3;
  const auto bounds = block_bounds(30, 4);
  const BlockMetric metric = kernel_metric(x, y, bounds);
  CHECK(metric.all.value == Approx(kernel_distance(x, y)).epsilon(1e-12));
  std::vector<double> rest;
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(metric.blocks[i] == Approx(kernel_distance(x.slice(0, bounds[i], bounds[i + 1]), y)).epsilon(1e-10));
    rest.push_back(kernel_distance(without(x, bounds[i], bounds[i + 1]), y));
  }
  CHECK(metric.all.low == Approx(jackknifed_low(metric.all.value, rest)).epsilon(1e-9));
  CHECK(std::isnan(kernel_metric(x, y, block_bounds(30, 30)).blocks[0]));
}

TEST_CASE("set metrics: kernel distances of subsets centre on that of all samples") {
  const Tensor x = random_table(400, 3, 7);
  const Tensor y = random_table(300, 3, 8) * 1.5;
  const KernelSubsets subsets = kernel_distance_subsets(x, y, 200, 50, 1);
  CHECK(subsets.mean == Approx(kernel_distance(x, y)).epsilon(0.1));
  CHECK(subsets.std > 0.0);
  CHECK(kernel_distance_subsets(x, y, 200, 50, 1).mean == subsets.mean);
  CHECK(kernel_distance_subsets(x, y, 200, 50, 2).mean != subsets.mean);
  CHECK_THROWS_AS(kernel_distance_subsets(x, y, 10, 301), UsageError);
  CHECK_THROWS_AS(kernel_distance(x, y.narrow(1, 0, 2)), UsageError);
  CHECK_THROWS_AS(kernel_distance(x.narrow(0, 0, 1), y), UsageError);
}

TEST_CASE("set metrics: neighbours are counted without the point itself, and twins are at distance 0") {
  const Tensor x = column({0.0, 1.0, 3.0, 7.0});
  CHECK(torch::equal(neighbour_distance(x, 1), torch::tensor({1.0, 1.0, 2.0, 4.0}, torch::kDouble)));
  CHECK(torch::equal(neighbour_distance(x, 3), torch::tensor({7.0, 6.0, 4.0, 7.0}, torch::kDouble)));
  const Tensor far = random_table(5, 40, 1) * 1e3 + 1e6;
  CHECK(neighbour_distance(torch::cat({far, far}), 1).max().item<double>() == 0.0);
  CHECK_THROWS_AS(neighbour_distance(x, 4), UsageError);
}

TEST_CASE("set metrics: precision, recall, density and coverage by hand") {
  // Real balls of one neighbour: [-1, 1], [0, 2], [1, 5]; generated ones: 0.5 ± 1.5, 2 ± 1.5, 9 ± 7.
  const Tensor real = column({0.0, 1.0, 3.0});
  const Tensor generated = column({0.5, 2.0, 9.0});
  const auto metric = manifold_metric(generated, real, block_bounds(3, 1), {.precision_k = 1, .density_k = 1});
  CHECK(metric.precision.all.value == Approx(2.0 / 3.0));
  CHECK(metric.recall.all.value == Approx(1.0));
  CHECK(metric.density.all.value == Approx(4.0 / 3.0));  // 0.5 in two balls, 2 in two (on the edge of one), 9 in none
  CHECK(metric.coverage.all.value == Approx(1.0));
  CHECK(std::isnan(metric.precision.all.low));
}

TEST_CASE("set metrics: a set against itself has precision, recall and coverage 1 and density (k + 1)/k") {
  const Tensor x = random_table(60, 5, 9) * 3 + 50;
  const auto metric = manifold_metric(x, x, block_bounds(60, 3));
  CHECK(metric.precision.all.value == 1.0);
  CHECK(metric.recall.all.value == 1.0);
  CHECK(metric.coverage.all.value == 1.0);
  CHECK(metric.density.all.value == Approx(6.0 / 5.0).epsilon(1e-12));
  const auto apart = manifold_metric(x + 1e4, x, block_bounds(60, 3));
  for (const BlockMetric* one : {&apart.precision, &apart.recall, &apart.density, &apart.coverage})
    CHECK(one->all.value == 0.0);
}

TEST_CASE("set metrics: coverage grows with samples and sees lost modes, precision does not") {
  const Tensor modes = torch::cat({random_table(100, 2, 10), random_table(100, 2, 11) + 40.0});
  const Tensor one = random_table(100, 2, 12);
  const auto collapsed = manifold_metric(one, modes, block_bounds(100, 1));
  CHECK(collapsed.precision.all.value > 0.9);
  CHECK(collapsed.coverage.all.value < 0.55);
  CHECK(collapsed.recall.all.value < 0.55);
  double before = 0.0;
  for (const int64_t n : {10, 30, 60, 100}) {
    const double coverage = manifold_metric(one.narrow(0, 0, n), modes, block_bounds(n, 1)).coverage.all.value;
    CHECK(coverage >= before);
    before = coverage;
  }
  CHECK(before > 0.4);
}

TEST_CASE("set metrics: precision to coverage over blocks are those of the rows themselves") {
  const Tensor real = random_table(50, 3, 13);
  const Tensor generated = random_table(41, 3, 14) * 1.4;
  const auto bounds = block_bounds(41, 4);
  const auto metric = manifold_metric(generated, real, bounds);
  const auto of = [&](const Tensor& rows) { return manifold_metric(rows, real, block_bounds(rows.size(0), 1)); };
  const auto check = [&](const char* name, auto member) {
    INFO(name);
    std::vector<double> rest;
    for (std::size_t i = 0; i < 4; ++i) {
      CHECK((metric.*member).blocks[i] ==
            Approx((of(generated.slice(0, bounds[i], bounds[i + 1])).*member).all.value).epsilon(1e-12));
      rest.push_back((of(without(generated, bounds[i], bounds[i + 1])).*member).all.value);
    }
    CHECK((metric.*member).all.low == Approx(jackknifed_low((metric.*member).all.value, rest)).margin(1e-12));
  };
  check("precision", &ManifoldMetric::precision);
  check("recall", &ManifoldMetric::recall);
  check("density", &ManifoldMetric::density);
  check("coverage", &ManifoldMetric::coverage);
  CHECK(std::isnan(manifold_metric(generated, real, block_bounds(41, 20)).recall.blocks[0]));
  CHECK_THROWS_AS(manifold_metric(generated.narrow(0, 0, 3), real, block_bounds(3, 1)), UsageError);
  CHECK_THROWS_AS(manifold_metric(generated, real.narrow(0, 0, 5), bounds), UsageError);
  Tensor broken = generated.clone();
  broken[3][1] = std::nan("");
  CHECK(std::isnan(manifold_metric(broken, real, bounds).precision.all.value));
}

TEST_CASE("set metrics: the sliced Wasserstein distance has its closed forms") {
  // In one dimension every direction is ±1: the distance itself. Sizes 2 and 3: quantiles on sixths.
  CHECK(sliced_wasserstein(column({0.0, 3.0}), column({4.0, 1.0})) == Approx(1.0).epsilon(1e-12));
  const double exact = std::sqrt((2 * 1.0 + 1 * 1.0 + 1 * 1.0 + 2 * 4.0) / 6.0);  // |0-1|, |0-1|, |2-1|, |2-4|
  CHECK(sliced_wasserstein(column({0.0, 2.0}), column({1.0, 4.0, 1.0})) == Approx(exact).epsilon(1e-12));
  CHECK(sliced_wasserstein(column({1.0, 4.0, 1.0}), column({0.0, 2.0})) == Approx(exact).epsilon(1e-12));
  // A shift by v: E (θ·v)² = |v|²/D.
  const Tensor x = random_table(50, 4, 15);
  const Tensor v = torch::tensor({2.0, 0.0, 0.0, 0.0}, torch::kDouble);
  CHECK(sliced_wasserstein(x, x + v, {.projections = 20'000}) == Approx(1.0).epsilon(0.02));
  CHECK(sliced_wasserstein(x, x.flip(0)) == Approx(0.0).margin(1e-12));
  CHECK(sliced_wasserstein(x, torch::cat({x, x, x})) == Approx(0.0).margin(1e-12));
}

TEST_CASE("set metrics: sliced Wasserstein directions depend on the seed alone, and images count as vectors") {
  const Tensor x = random_table(40, 8, 16);
  const Tensor y = random_table(30, 8, 17) * 2;
  const double value = sliced_wasserstein(x, y);
  CHECK(sliced_wasserstein(x.reshape({40, 2, 2, 2}), y.reshape({30, 2, 2, 2})) == value);
  CHECK(sliced_wasserstein(x, y, {.seed = 3}) != value);
  const auto bounds = block_bounds(40, 4);
  const BlockMetric metric = sliced_metric(x, y, bounds);
  CHECK(metric.all.value == Approx(value).epsilon(1e-13));
  CHECK(metric.blocks[1] == Approx(sliced_wasserstein(x.narrow(0, 10, 10), y)).epsilon(1e-13));
  CHECK(metric.all.high > value);
  CHECK_THROWS_AS(sliced_wasserstein(x, y.narrow(1, 0, 4)), UsageError);
  CHECK_THROWS_AS(sliced_wasserstein(x, y, {.projections = 0}), UsageError);
  Tensor broken = x.clone();
  broken[3][1] = std::nan("");
  CHECK(std::isnan(sliced_wasserstein(broken, y)));
}

TEST_CASE("set metrics: a line is followed to 1/n = 0, and takes most of the Fréchet distance's bias away") {
  CHECK(line_at_zero({1.0, 2.0, 4.0}, {5.0, 7.0, 11.0}) == Approx(3.0).epsilon(1e-12));
  CHECK_THROWS_AS(line_at_zero({1.0, 1.0}, {2.0, 3.0}), UsageError);
  // Samples of the reference's own law: the true distance is 0, that of 300 samples in 8 dimensions about 0.05.
  const FeatureStatistics law{torch::zeros({8}, torch::kDouble), torch::eye(8, torch::kDouble), 0};
  double plain = 0.0, limit = 0.0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const Tensor features = random_table(300, 8, 400 + seed);
    plain += frechet_distance(FeatureStatistics::of(features), law) / 20;
    limit += frechet_limit(features, law) / 20;
  }
  INFO(plain << " and extrapolated " << limit);
  CHECK(plain > 0.04);
  CHECK(std::abs(limit) < 0.25 * plain);
  const Tensor features = random_table(300, 8, 7);
  CHECK(frechet_limit(features, law) == frechet_limit(features, law));
  const BlockMetric metric = frechet_limit_metric(features, law, block_bounds(300, 5));
  CHECK(metric.all.value == frechet_limit(features, law));
  CHECK(metric.blocks.empty());
  CHECK(metric.all.low < metric.all.value);
  CHECK_THROWS_AS(frechet_limit(features.narrow(0, 0, 7), law), UsageError);
}

TEST_CASE("set metrics: PSNR and feature distances by sample") {
  const Tensor rmse = torch::tensor({0.2, 0.02, 2.0, 0.0}, torch::kDouble);
  const Tensor psnr = psnr_per_sample(rmse);
  CHECK(torch::allclose(psnr.narrow(0, 0, 3), torch::tensor({20.0, 40.0, 0.0}, torch::kDouble), 1e-12, 1e-12));
  CHECK(std::isinf(psnr[3].item<double>()));
  CHECK(psnr_per_sample(rmse, 1.0)[0].item<double>() == Approx(20.0 * std::log10(5.0)));
  CHECK_THROWS_AS(psnr_per_sample(rmse, 0.0), UsageError);
  const Tensor distance = feature_distance_per_sample(torch::tensor({{3.0, 0.0}, {1.0, 1.0}}, torch::kDouble),
                                                      torch::tensor({{0.0, 4.0}, {1.0, 1.0}}, torch::kDouble));
  CHECK(torch::equal(distance, torch::tensor({5.0, 0.0}, torch::kDouble)));
  CHECK(sample_mean(distance, block_bounds(2, 2)).all.value == 2.5);
  CHECK_THROWS_AS(feature_distance_per_sample(torch::zeros({2, 3}), torch::zeros({3, 3})), UsageError);
}

namespace {

GaussianMixtureOptions two_components() {
  GaussianMixtureOptions out;
  out.weights = {1.0, 3.0};
  out.means = {{-1.0, 0.0}, {1.0, 2.0}};
  out.std = {0.5, 1.0};
  out.classes = {4, 7};
  return out;
}

}  // namespace

TEST_CASE("mixture metrics: exact moments, by class too") {
  const FeatureStatistics law = mixture_moments(two_components());
  CHECK(torch::allclose(law.mean, torch::tensor({0.5, 1.5}, torch::kDouble)));
  // 1/4·3/4·ΔΔᵀ with Δ = (2, 2), and 1/4·0.25 + 3/4·1 on the diagonal.
  CHECK(torch::allclose(law.covariance, torch::tensor({{1.5625, 0.75}, {0.75, 1.5625}}, torch::kDouble)));
  const FeatureStatistics one = mixture_moments(mixture_of_class(two_components(), 4));
  CHECK(torch::allclose(one.mean, torch::tensor({-1.0, 0.0}, torch::kDouble)));
  CHECK(torch::allclose(one.covariance, 0.25 * torch::eye(2, torch::kDouble)));
  CHECK(mixture_of_class(two_components(), -1).weights.size() == 2);
  CHECK_THROWS_AS(mixture_of_class(two_components(), 5), UsageError);
}

TEST_CASE("mixture metrics: the likelihood is the density, and integrates to 1") {
  const Tensor x = torch::tensor({{0.3, -0.7}}, torch::kDouble);
  const auto normal = [](double d2, double s) {
    return std::exp(-0.5 * d2 / (s * s)) / (2 * std::numbers::pi * s * s);
  };
  const double density = 0.25 * normal(1.3 * 1.3 + 0.49, 0.5) + 0.75 * normal(0.49 + 2.7 * 2.7, 1.0);
  CHECK(mixture_log_likelihood(two_components(), x).item<double>() == Approx(std::log(density)).epsilon(1e-12));
  const Tensor axis = torch::arange(-8.0, 8.0, 0.05, torch::kDouble);
  const Tensor grid = torch::stack(torch::meshgrid({axis, axis}, "ij"), -1).reshape({-1, 2});
  CHECK((mixture_log_likelihood(two_components(), grid).exp().sum() * 0.0025).item<double>() ==
        Approx(1.0).epsilon(1e-6));
  CHECK_THROWS_AS(mixture_log_likelihood(two_components(), torch::zeros({3, 3})), UsageError);
}

TEST_CASE("mixture metrics: samples of the law are near it, and a shift is what it is") {
  GaussianMixtureOptions one;
  one.weights = {2.0};
  one.means = {{1.0, -1.0, 0.0}};
  one.std = {0.5};
  const Tensor mean = torch::tensor({1.0, -1.0, 0.0}, torch::kDouble);
  const Tensor x = random_table(20'000, 3, 20) * 0.5 + mean;
  const auto near = mixture_metric(one, x, block_bounds(20'000, 4));
  CHECK(near.w2.all.value < 0.02);
  // The entropy of N(μ, s² I) is D/2·ln(2πe·s²).
  const double entropy = 1.5 * std::log(2 * std::numbers::pi * std::numbers::e * 0.25);
  CHECK(near.nll.all.low < entropy);
  CHECK(near.nll.all.high > entropy);
  const auto shifted = mixture_metric(one, x + 2.0, block_bounds(20'000, 4));
  CHECK(shifted.w2.all.value == Approx(std::sqrt(12.0)).epsilon(0.01));
  CHECK(shifted.frechet.all.value == Approx(12.0).epsilon(0.02));
  one.std = {0.0};
  CHECK(mixture_metric(one, x, block_bounds(20'000, 4)).nll.blocks.empty());
  CHECK_THROWS_AS(mixture_log_likelihood(one, x), UsageError);
  CHECK(mixture_metric(two_components(), random_table(20, 2, 1), block_bounds(20, 2)).w2.blocks.empty());
}
