// A denoiser from a function.
#include "framework/models/lambda_denoiser.h"
#include "framework/error.h"
#include "framework/evaluator.h"
#include "tests/catch_torch.h"

namespace stride {
namespace {

ModelInfo info_of(std::vector<ConditionSpec> conditions = {}) {
  ModelInfo info;
  info.shape = {3};
  info.conditions = std::move(conditions);
  return info;
}

Tensor half(const Tensor& x, const Times& sigma) { return x * per_sample(1.0 / (1.0 + sigma), x); }

TEST_CASE("a function is a denoiser, in the dtype of the run", "[lambda]") {
  const LambdaDenoiser denoiser(info_of(),
                                [](const Tensor& x, const Times& sigma) { return half(x.to(at::kDouble), sigma); });
  CHECK(denoiser.info().name == "lambda");
  const Tensor x = at::randn({4, 3}), sigma = at::tensor({1.0, 2.0, 3.0, 0.5}, at::kDouble);
  const Tensor denoised = denoiser.evaluate(x, sigma, {}).denoised;
  CHECK(denoised.scalar_type() == at::kFloat);
  CHECK(at::allclose(denoised, half(x.to(at::kDouble), sigma).to(at::kFloat)));
  CHECK_THROWS_WITH(denoiser.null_condition({}), contains("no unconditional form"));
}

TEST_CASE("a function of a label has an unconditional form: the label -1, or its own", "[lambda]") {
  const auto shifted = [](const Tensor& x, const Times&, const BatchState& condition) {
    return x + per_sample(condition[0], x);
  };
  const BatchState three({at::full({2}, 3, at::kLong)});
  const LambdaDenoiser denoiser(info_of({{"class", 10, {}}}), shifted);
  CHECK(denoiser.null_condition(three)[0].equal(at::full({2}, -1, at::kLong)));
  const LambdaDenoiser own(info_of({{"class", 10, {}}}), shifted,
                           [](const BatchState& condition) { return BatchState({at::full_like(condition[0], 10)}); });
  CHECK(own.null_condition(three)[0].equal(at::full({2}, 10, at::kLong)));
  // Guidance goes from there to the condition: 10 + 2·(3 − 10).
  Guidance guidance;
  guidance.scale = 2.0;
  const Tensor x = at::zeros({2, 3});
  Evaluator evaluator(own, guidance, three);
  CHECK(evaluator(x, at::ones({2}, at::kDouble)).denoised.equal(at::full({2, 3}, -4.0f)));
}

TEST_CASE("a function that cannot be a denoiser is refused with its reason", "[lambda]") {
  CHECK_THROWS_WITH(LambdaDenoiser({}, half), contains("ModelInfo::shape"));
  CHECK_THROWS_WITH(LambdaDenoiser(info_of(), LambdaDenoiser::Plain{}), contains("empty"));
  CHECK_THROWS_WITH(LambdaDenoiser(info_of({{"class", 2, {}}}), half), contains("(x, sigma, condition)"));
  ModelInfo backwards = info_of();
  backwards.sigma_min = 100.0;
  CHECK_THROWS_WITH(LambdaDenoiser(backwards, half), contains("sigma_min"));
  const LambdaDenoiser wrong(info_of(), [](const Tensor& x, const Times&) { return x.sum(1); });
  CHECK_THROWS_WITH(wrong.evaluate(at::ones({2, 3}), at::ones({2}, at::kDouble), {}),
                    contains("shape [2]") && contains("[2, 3]"));
}

}  // namespace
}  // namespace stride
