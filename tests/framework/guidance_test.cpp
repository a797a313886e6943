// Guidance and bounds against their formulas, written out for one sample.
#include "framework/error.h"
#include "framework/evaluator.h"
#include "framework/models/gaussian_mixture.h"
#include "framework/models/parameterisation.h"

#include "tests/catch_torch.h"

#include <cmath>
#include <functional>

namespace stride {
namespace {

struct Predictions {
  Tensor x = at::randn({5, 3, 4}, at::kDouble);
  Tensor with = at::randn({5, 3, 4}, at::kDouble) + 0.5;
  Tensor without = at::randn({5, 3, 4}, at::kDouble);
  Times sigma = at::tensor({0.1, 0.5, 1.0, 3.0, 20.0}, at::kDouble);
};

Tensor guide(const Guidance& guidance, const Predictions& p) {
  return guided(guidance, p.with, p.without, p.x, p.sigma);
}

Tensor plain(double scale, const Predictions& p) { return p.without + scale * (p.with - p.without); }

double deviation(const Tensor& row) { return row.std(/*unbiased=*/true).item<double>(); }

bool close(const Tensor& a, const Tensor& b) { return at::allclose(a, b, 1e-12, 1e-12); }

}  // namespace

TEST_CASE("guidance: rescale restores the conditional prediction's deviation, of the prediction that is named",
          "[guidance]") {
  const Predictions p;
  const double blend = 0.7;
  const Tensor got = guide({.scale = 3.0, .rescale = blend}, p);
  const Tensor sum = plain(3.0, p);
  for (int64_t b = 0; b < 5; ++b) {
    const double factor = deviation(p.with[b]) / deviation(sum[b]);
    CHECK(close(got[b], sum[b] * (blend * factor + 1.0 - blend)));
  }
  // diffusers rescales epsilon = (x - D) / sigma.
  Guidance of_noise{.scale = 3.0, .rescale = blend};
  of_noise.rescale_of = make_parameterisation("epsilon", 0.5);
  const Tensor noise = guide(of_noise, p);
  for (int64_t b = 0; b < 5; ++b) {
    const double sigma = p.sigma[b].item<double>();
    const Tensor eps_with = (p.x[b] - p.with[b]) / sigma;
    const Tensor eps = (p.x[b] - sum[b]) / sigma;
    const Tensor scaled = blend * eps * (deviation(eps_with) / deviation(eps)) + (1.0 - blend) * eps;
    CHECK(close(noise[b], p.x[b] - sigma * scaled));
  }
  CHECK_FALSE(at::allclose(noise, got));
  // The other way around: a prediction that is named "denoised" is the default.
  Guidance of_clean = of_noise;
  of_clean.rescale_of = make_parameterisation("denoised", 0.5);
  CHECK(close(guide(of_clean, p), got));
  // One number per sample has no deviation to restore.
  const Tensor one = at::ones({2, 1}, at::kDouble);
  const Times sigma = at::ones({2}, at::kDouble);
  CHECK(guided({.scale = 3.0, .rescale = 1.0}, one, 0.5 * one, one, sigma).equal(2.0 * one));
}

TEST_CASE("guidance: the projected update is the paper's", "[guidance]") {
  const Predictions p;
  Guidance guidance{.scale = 4.0};
  guidance.projected = ProjectedGuidance{.eta = 1.0, .norm = 0.0};
  CHECK(close(guide(guidance, p), plain(4.0, p)));
  guidance.projected = ProjectedGuidance{.eta = 0.0, .norm = 0.0};
  const Tensor across = guide(guidance, p) - p.with;
  CHECK((across * p.with).sum({1, 2}).abs().max().item<double>() < 1e-12);
  guidance.projected = ProjectedGuidance{.eta = 0.3, .norm = 2.0};
  const Tensor got = guide(guidance, p);
  for (int64_t b = 0; b < 5; ++b) {
    Tensor update = p.with[b] - p.without[b];
    update = update * std::min(1.0, 2.0 / update.norm().item<double>());
    const Tensor along = (update * p.with[b]).sum() / p.with[b].square().sum() * p.with[b];
    CHECK(close(got[b], p.with[b] + 3.0 * (update - along + 0.3 * along)));
  }
  // A prediction of zeros has no direction: nothing is along it.
  const Tensor zero = at::zeros({1, 3}, at::kDouble);
  const Times sigma = at::ones({1}, at::kDouble);
  CHECK(guided(guidance, zero, zero + 0.1, zero, sigma).isfinite().all().item<bool>());
}

TEST_CASE("guidance: bounds clip, or divide by a quantile of each sample", "[guidance]") {
  const Tensor x = at::tensor({-3.0, 0.5, 1.0, 2.0, 0.1, -0.2, 0.3, 0.4}, at::kDouble).view({2, 4});
  CHECK(bounded({}, x).equal(x));
  Guidance clip;
  clip.clip = 1.0;
  CHECK(bounded(clip, x).equal(x.clamp(-1.0, 1.0)));
  Guidance threshold;
  threshold.threshold = DynamicThreshold{.ratio = 0.5};
  // |x| sorted: 0.5 1 2 3, the median is 1.5; the second sample's is below 1, which bounds it from below.
  const Tensor first = at::tensor({-1.0, 0.5 / 1.5, 1.0 / 1.5, 1.0}, at::kDouble);
  CHECK(close(bounded(threshold, x)[0], first));
  CHECK(bounded(threshold, x)[1].equal(x[1]));
  threshold.threshold->ratio = 1.0;
  CHECK(close(bounded(threshold, x)[0], x[0] / 3.0));
  threshold.threshold->most = 1.0;  // diffusers' default: a clip
  CHECK(bounded(threshold, x).equal(x.clamp(-1.0, 1.0)));
  // Each sample by itself, NaN included.
  threshold.threshold = DynamicThreshold{.ratio = 0.8};
  const Tensor other = at::cat({x.narrow(0, 0, 1), x.narrow(0, 1, 1) * std::nan("")});
  CHECK(bounded(threshold, other)[0].equal(bounded(threshold, x)[0]));
  CHECK(bounded(threshold, other)[1].isnan().all().item<bool>());
}

TEST_CASE("guidance: what is refused, and where", "[guidance]") {
  const auto reason = [](const std::function<void(Guidance&)>& change) {
    Guidance guidance{.scale = 2.0};
    change(guidance);
    return guidance.invalid_reason();
  };
  CHECK(reason([](Guidance&) {}).empty());
  CHECK_THAT(reason([](Guidance& g) { g.scale = std::nan(""); }), contains("scale"));
  CHECK_THAT(reason([](Guidance& g) { g.rescale = 1.5; }), contains("rescale"));
  CHECK_THAT(reason([](Guidance& g) { g.interval_low = g.interval_high; }), contains("interval"));
  CHECK_THAT(reason([](Guidance& g) { g.projected = ProjectedGuidance{.eta = 0.0, .norm = -1.0}; }), contains("norm"));
  CHECK_THAT(reason([](Guidance& g) { g.threshold = DynamicThreshold{.ratio = 99.5}; }), contains("0.995"));
  CHECK_THAT(reason([](Guidance& g) { g.threshold = DynamicThreshold{.ratio = 0.9, .most = 0.5}; }), contains("1"));
  CHECK_THAT(reason([](Guidance& g) { g.clip = 0.0; }), contains("clip"));
}

TEST_CASE("guidance: an evaluator keeps its own copy, and bounds cost no pass", "[guidance]") {
  ModelInfo info;
  info.name = "test";
  info.shape = {2};
  const GaussianMixture model(info, {{1.0}, {{3.0, -0.5}}, {0.2}, {}});
  const Tensor x = at::randn({4, 2}, at::kDouble);
  const Times sigma = at::ones({4}, at::kDouble);
  auto temporary = std::make_unique<Guidance>();
  temporary->clip = 1.0;
  const BatchState none;
  Evaluator evaluator(model, *temporary, none);
  temporary->clip = 2.0;
  temporary.reset();
  CHECK(evaluator(x, sigma).denoised.equal(model.evaluate(x, sigma, none).denoised.clamp(-1.0, 1.0)));
  CHECK(evaluator.cost().nfe == 1);
  CHECK(evaluator.cost().model_evals == 1);
}

}  // namespace stride
