// Plans and samplers as files for other tools. What these make of them is in tests/exported and
// tests/pipelines/plans.py.
#include "pipeline/familiar/sampler_export.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "pipeline/familiar/grid_export.h"
#include "solvers/registry.h"
#include "tests/catch_torch.h"
#include "tests/temporary_folder.h"

#include <nlohmann/json.hpp>

namespace stride {
namespace {

Plan two_steps() {
  Plan plan;
  plan.sigmas = {4.0, 1.0, 0.0};
  plan.weights = {{1.0}, {1.5, -0.5}};
  plan.scale_time = {1.1, 0.9};
  return plan;
}

Sampler built(const std::string& solver, int64_t steps) {
  SamplerSpec spec;
  spec.solver = solver;
  spec.steps = steps;
  ModelInfo info;
  info.shape = {1};
  return make_sampler(spec, info);
}

std::size_t count(const std::string& text, const std::string& word) {
  std::size_t out = 0;
  for (auto at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++out;
  return out;
}

}  // namespace

TEST_CASE("sampler export: a plan's file is whole Python with the plan in it", "[export]") {
  const Plan plan = two_steps();
  for (const std::string& form : grid_forms()) {
    const std::string text = export_plan(form, plan, "a\nb");
    INFO(form << "\n" << text);
    CHECK(text.starts_with("# a\\nb"));
    if (form == "table") continue;
    CHECK(text.find("PLAN = r\"\"\"\n" + plan.to_json() + "\"\"\"") != std::string::npos);
    CHECK(count(text, "class PlanRun:") == 1);
    for (const char* none : {"\nfrom .", "PLAN = None", "NAME = \"plan\"", "\n\n\n\n"})
      CHECK(text.find(none) == std::string::npos);
    for (const char* once : {"\nimport torch\n", "\nimport json\n"}) CHECK(count(text, once) <= 1);
  }
  CHECK_THROWS_WITH(export_plan("onnx", plan, "x"), contains("there are table"));
}

TEST_CASE("sampler export: what a word means", "[export]") {
  const testing::TemporaryFolder folder;
  const std::string file = folder / "few.json";
  two_steps().save(file);
  ModelCard card;
  card.info.shape = {1};
  for (const std::string& word : {file, "plan:" + file}) {
    const Exported made = export_named("numpy", word, {}, card);
    CHECK(made.what == "plan");
    CHECK(made.text.find("NAME = \"few\"") != std::string::npos);
    CHECK(made.sigmas == two_steps().sigmas);
    CHECK(said_by(word).size() > 5);
  }
  for (const char* word : {"dpmpp_2m", "lms:order=2", "DPM++ 2M Karras", "ddim@3,heun@2"}) {
    CHECK(export_named("numpy", word, {}, card).what == "sampler");
    CHECK(said_by(word).front() == "solver");
  }
  SamplerSpec exponential;
  exponential.schedule = "exponential";
  const Exported karras = export_named("numpy", "DPM++ 2M Karras", exponential, card);
  CHECK(karras.sampler->spec.schedule == "karras");
  CHECK(said_by("DPM++ 2M Karras") == std::vector<std::string>{"solver", "schedule"});
  for (const char* word : {"karras:rho=5", "exponential"}) {
    CHECK(export_named("numpy", word, {}, card).what == "grid");
    CHECK(said_by(word) == std::vector<std::string>{"schedule"});
  }
  CHECK(export_named("numpy", "", {}, card).what == "grid");
  CHECK_THROWS_AS(export_named("numpy", folder / "none.json", {}, card), InputError);
  CHECK_THROWS_AS(export_named("numpy", "nothing_like_it", {}, card), UsageError);
  // No grid is hidden behind a sampler of its name.
  for (const GridTraits& grid : grid_traits()) CHECK(said_by(grid.name) == std::vector<std::string>{"schedule"});
}

TEST_CASE("sampler export: every solver on a grid is a table of sums", "[export]") {
  for (const std::string& name : solver_names()) {
    if (name == "plan") continue;
    INFO(name);
    const auto table = nlohmann::json::parse(sampler_table(built(name, 4), name));
    CHECK(table["format"] == "stride-sums");
    std::size_t ends = 0;
    for (const auto& operation : table["operations"]) ends += operation[0] == "end" ? 1 : 0;
    CHECK(ends == table["sigmas"].size() - 1);
  }
}

}  // namespace stride
