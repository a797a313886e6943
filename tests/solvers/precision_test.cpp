// The precision suite on mixtures.
#include "framework/models/narrow_denoiser.h"
#include "tests/precision_bench.h"
#include "tests/solvers/fixtures.h"

namespace stride {
namespace {

void check_mixture(int64_t steps, int64_t samples) {
  const std::shared_ptr<const Denoiser> model = fixtures::three_components();
  const auto seen_in = [&](at::ScalarType dtype) { return std::make_shared<NarrowDenoiser>(model, dtype); };
  testing::check_all(
      {model, {seen_in(at::kFloat), seen_in(at::kBFloat16), seen_in(at::kHalf)}, steps, samples, fixtures::device()},
      steps);
}

}  // namespace

TEST_CASE("precision: on mixtures every solver keeps DDIM's digits in every dtype and on every grid", "[precision]") {
  for (const int64_t steps : {2, 5, 20}) check_mixture(steps, 32);
}

TEST_CASE("campaign precision: on mixtures, with many steps", "[.campaign]") { check_mixture(50, 256); }

}  // namespace stride
