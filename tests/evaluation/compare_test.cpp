// The library's evaluate.
#include "evaluation/compare.h"
#include "evaluation/results_table.h"
#include "framework/error.h"
#include "framework/models/lambda_denoiser.h"
#include "pipeline/fit.h"
#include "tests/pipeline/two_points.h"

namespace stride {
namespace {

using test::two_points;

TEST_CASE("evaluate compares names, plans and policies on the same seeds", "[library]") {
  const LambdaDenoiser denoiser = two_points();
  const Plan plan =
      fit(denoiser, {.nfe = 3, .seeds = "0-31", .val_seeds = "100-131", .restarts = 1, .iterations = 3}).plan;
  std::vector<std::string> left_out;
  const EvaluationResult result =
      evaluate(denoiser, {"ipndm", "heun", plan, {"heun", "pi:atol=0.1"}},
               {.nfe = {3, 4}, .blocks = 4, .seeds = "1000-1031", .left_out = [&](const std::string& what) {
                  left_out.push_back(what);
                }});
  REQUIRE(result.samplers.size() == 5);  // heun cannot cost 4
  CHECK(left_out.size() == 1);
  CHECK_THAT(left_out.front(), contains("heun at 4 NFE"));
  CHECK(result.complete);
  CHECK(result.samplers[2].sampler == "heun");
  CHECK(result.samplers[3].is_plan());
  CHECK(result.samplers[3].plan_json == plan.to_json());
  CHECK(result.samplers[3].cost.nfe_max == 3);
  CHECK(result.samplers[3].metric("rmse")->all.value < result.samplers[0].metric("rmse")->all.value);
  CHECK(result.samplers[4].adaptive());
  CHECK_THAT(results_table(result), contains("ipndm") && contains("plan") && contains("pi atol=0.1"));
}

TEST_CASE("evaluate runs once what is asked for twice", "[library]") {
  std::vector<std::string> left_out;
  const EvaluationResult result =
      evaluate(two_points(), {"ipndm", "ipndm"},
               {.nfe = {3}, .blocks = 2, .seeds = "1000-1007", .left_out = [&](const std::string& what) {
                  left_out.push_back(what);
                }});
  CHECK(result.samplers.size() == 1);
  REQUIRE(left_out.size() == 1);
  CHECK_THAT(left_out.front(), contains("asked for twice"));
}

TEST_CASE("evaluate refuses what makes no sense", "[library]") {
  const LambdaDenoiser denoiser = two_points();
  CHECK_THROWS_AS(evaluate(denoiser, std::vector<Contender>{}), UsageError);
  CHECK_THROWS_WITH(evaluate(denoiser, {"ipndn"}, {}), contains("ipndm"));
  CHECK_THROWS_WITH(evaluate(denoiser, {"ipndm"}, {.nfe = {4}, .steps = {4}}), contains("`nfe` and `steps`"));
  CHECK_THROWS_WITH(evaluate(denoiser, {"ipndm"}, {.schedule = {}}), contains("`schedule`"));
  CHECK_THROWS_WITH(evaluate(denoiser, {"ipndm"}, {.metrics = {"rmsd"}}), contains("rmse"));
}

}  // namespace
}  // namespace stride
