// Starts from an image: the grid that is left, the noised image, and the denoiser that keeps a part of it.
#include "framework/models/refine.h"
#include "framework/error.h"
#include "framework/evaluator.h"
#include "framework/models/gaussian_mixture.h"
#include "framework/models/masked_denoiser.h"

#include "tests/catch_torch.h"

namespace stride {
namespace {

std::unique_ptr<GaussianMixture> mixture() {
  ModelInfo info;
  info.name = "test";
  info.shape = {2, 2};
  info.conditions = {{"class", 2, {}}};
  return std::make_unique<GaussianMixture>(
      info, GaussianMixtureOptions{{0.3, 0.7}, {{-1.0, 0.5, 0.2, 0.1}, {2.0, 0.0, -0.4, 0.3}}, {0.2, 0.4}, {0, 1}});
}

struct Known {
  Tensor image = at::randn({3, 2, 2}, at::kDouble);
  Tensor mask = at::tensor({1.0, 0.0, 0.0, 0.25}, at::kDouble).view({1, 2, 2}).expand({3, 2, 2});
  Tensor noise = at::randn({3, 2, 2}, at::kDouble);
  Tensor x = at::randn({3, 2, 2}, at::kDouble) * 2.0;
  Times sigma = at::tensor({0.3, 1.0, 2.0}, at::kDouble);
  BatchState label{{at::tensor({0, 1, 1}, at::kLong)}};
  [[nodiscard]] BatchState condition() const { return MaskedDenoiser::condition(label, image, mask, noise); }
  [[nodiscard]] Tensor seen() const { return mask * x + (1.0 - mask) * (image + sigma.view({3, 1, 1}) * noise); }
  [[nodiscard]] Tensor kept(const Tensor& denoised) const { return mask * denoised + (1.0 - mask) * image; }
};

bool close(const Tensor& a, const Tensor& b) { return at::allclose(a, b, 1e-12, 1e-12); }

}  // namespace

TEST_CASE("refine: a strength leaves the whole part of N times itself", "[refine]") {
  std::vector<double> levels;
  for (int64_t i = 10; i >= 0; --i) levels.push_back(static_cast<double>(i));
  const TimeGrid grid(levels);
  for (const auto& [strength, kept] : std::vector<std::pair<double, std::size_t>>{
           {1.0, 10}, {0.99, 9}, {0.8, 8}, {0.55, 5}, {0.5, 5}, {0.3, 3}, {0.19, 1}, {0.1, 1}}) {
    CAPTURE(strength);
    const TimeGrid part = refine_grid(grid, strength);
    CHECK(part.sigmas() == std::vector<double>(levels.end() - static_cast<std::ptrdiff_t>(kept) - 1, levels.end()));
    CHECK(part.final_zero());
  }
  // Strengths of two digits are exact, although 100 * 0.29 is less than 29 in binary.
  for (int64_t i = 11; i <= 100; ++i) levels.insert(levels.begin(), static_cast<double>(i));
  const TimeGrid hundred(levels);
  for (int64_t k = 1; k <= 100; ++k) CHECK(refine_grid(hundred, static_cast<double>(k) / 100.0).steps() == k);
  // The rule is ⌊N·S⌋ of the decimal numbers, whole-number arithmetic here.
  for (int64_t i = 101; i <= 200; ++i) levels.insert(levels.begin(), static_cast<double>(i));
  for (int64_t n = 1; n <= 200; ++n) {
    const TimeGrid grid_of_n(std::vector<double>(levels.end() - n - 1, levels.end()));
    for (int64_t k = (1000 + n - 1) / n; k <= 1000; ++k)
      if (refine_grid(grid_of_n, static_cast<double>(k) / 1000.0).steps() != n * k / 1000) FAIL_CHECK(n << " " << k);
  }
  // What a message advises works, and is little more than what is needed.
  for (int64_t n = 1; n <= 200; ++n) {
    const TimeGrid grid_of_n(std::vector<double>(levels.end() - n - 1, levels.end()));
    std::string message;
    try {
      (void)refine_grid(grid_of_n, 1e-9);
    } catch (const UsageError& error) {
      message = error.what();
    }
    const double advised = std::stod(message.substr(message.rfind(' ')));
    CHECK(refine_grid(grid_of_n, advised).steps() == 1);
    CHECK(advised < 1.02 / static_cast<double>(n));
  }
  CHECK_FALSE(refine_grid(TimeGrid({3.0, 2.0, 1.0}), 0.5).final_zero());
  CHECK_THROWS_WITH(refine_grid(grid, 0.09), contains("at least 0.1"));
  CHECK_THROWS_WITH(refine_grid(grid, 0.0), contains("leaves none of 10 steps"));
  for (const double wrong : {-0.1, 1.01, std::numeric_limits<double>::quiet_NaN()})
    CHECK_THROWS_AS(refine_grid(grid, wrong), UsageError);
}

TEST_CASE("refine: a masked denoiser shows the network the noised image, and keeps the image", "[refine]") {
  const auto inner = mixture();
  const MaskedDenoiser masked(*inner);
  const Known known;
  const BatchState condition = known.condition();
  const Tensor got = Evaluator(masked, {}, condition)(known.x, known.sigma).denoised;
  CHECK(close(got, known.kept(inner->evaluate(known.seen(), known.sigma, known.label).denoised)));
  CHECK(got.select(1, 1).select(1, 0).equal(known.image.select(1, 1).select(1, 0)));
  // A row alone is the row.
  const Tensor second = at::tensor({1}, at::kLong);
  const BatchState alone = condition.select(second);
  CHECK(Evaluator(masked, {}, alone)(known.x.narrow(0, 1, 1), known.sigma.narrow(0, 1, 1))
            .denoised.equal(got.narrow(0, 1, 1)));
  CHECK(masked.info().conditions.size() == 4);
  CHECK(masked.info().conditions[3].name == "noise");
}

TEST_CASE("refine: what is known stays known whatever guidance and bounds do", "[refine]") {
  const auto inner = mixture();
  const MaskedDenoiser masked(*inner);
  const Known known;
  const BatchState condition = known.condition();
  Guidance guidance{.scale = 4.0, .rescale = 0.7};
  guidance.clip = 0.5;
  Evaluator evaluator(masked, guidance, condition);
  const Evaluation got = evaluator(known.x, known.sigma);
  CHECK(evaluator.cost().model_evals == 2);
  const Tensor with = inner->evaluate(known.seen(), known.sigma, known.label).denoised;
  const BatchState nothing = inner->null_condition(known.label);
  const Tensor without = inner->evaluate(known.seen(), known.sigma, nothing).denoised;
  const Tensor plain = bounded(guidance, guided(guidance, with, without, known.x, known.sigma));
  CHECK(close(got.denoised, known.kept(plain)));
  CHECK(close(*got.unconditional, known.kept(without)));
}

TEST_CASE("refine: a mask of ones changes no bit", "[refine]") {
  const auto inner = mixture();
  const MaskedDenoiser masked(*inner);
  Known known;
  known.mask = at::ones_like(known.image);
  const BatchState condition = known.condition();
  CHECK(Evaluator(masked, {}, condition)(known.x, known.sigma)
            .denoised.equal(inner->evaluate(known.x, known.sigma, known.label).denoised));
}

}  // namespace stride
