// Grids as other tools take them. What those tools make of the files is in tests/parity/exports.py.
#include "pipeline/familiar/grid_export.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/grids/time_grid.h"
#include "pipeline/familiar/config_document.h"
#include "tests/catch_torch.h"
#include "tests/temporary_folder.h"

#include <nlohmann/json.hpp>

namespace stride {
namespace {

std::vector<double> karras(int64_t steps, double low, double high) {
  GridRequest request;
  request.steps = steps;
  request.sigma_min = low;
  request.sigma_max = high;
  return make_grid(Spec::parse("karras"), request).sigmas();
}

}  // namespace

TEST_CASE("grid export: a table reads back to the same bits", "[export]") {
  const testing::TemporaryFolder folder;
  for (const auto& [low, high] :
       {std::pair{0.002, 80.0}, std::pair{1e-9, 1e6}, std::pair{0.0291671582, 14.6146412293}}) {
    const std::vector<double> sigmas = karras(11, low, high);
    write_file_atomic(folder / "levels.txt", export_grid("table", sigmas, sigmas, "karras\n#x"));
    CHECK(make_grid(Spec::parse("custom:" + (folder / "levels.txt")), {}).sigmas() == sigmas);
  }
}

TEST_CASE("grid export: a ManualSigmas node holds plain digits, and a workflow with it is the same grid", "[export]") {
  const std::vector<double> sigmas = karras(9, 1e-7, 700.0);
  auto workflow = nlohmann::json::parse(export_grid("comfyui", sigmas, sigmas, "karras"));
  const std::string text = workflow["1"]["inputs"]["sigmas"];
  CHECK(text.find_first_not_of("0123456789., ") == std::string::npos);
  workflow["2"] = {
      {"class_type", "SamplerCustom"},
      {"inputs", {{"model", {"4", 0}}, {"sampler", {"3", 0}}, {"sigmas", {"1", 0}}, {"cfg", 1.0}, {"noise_seed", 1}}}};
  workflow["3"] = {{"class_type", "KSamplerSelect"}, {"inputs", {{"sampler_name", "euler"}}}};
  workflow["4"] = {{"class_type", "UNETLoader"}, {"inputs", nlohmann::json::object()}};
  const ConfigDocument read = parse_config(workflow.dump(), "a.json");
  REQUIRE(read.familiar.has_value());
  const auto back = nlohmann::json::parse("[" + read.familiar->fields.at("sigmas") + "]").get<std::vector<double>>();
  REQUIRE(back.size() == sigmas.size());
  for (std::size_t i = 0; i < back.size(); ++i) CHECK(back[i] == Approx(sigmas[i]).epsilon(1e-15));
}

TEST_CASE("grid export: forms and what they cannot hold", "[export]") {
  const std::vector<double> sigmas = {4.0, 1.0, 0.0}, positive = {4.0, 1.0, 0.5};
  for (const std::string& form : grid_forms()) CHECK_FALSE(export_grid(form, sigmas, sigmas, "x").empty());
  CHECK_THROWS_WITH(export_grid("diffusers", positive, positive, "x"), contains("`final` zero"));
  CHECK_THROWS_WITH(export_grid("numpi", sigmas, sigmas, "x"), contains("there are table"));
}

}  // namespace stride
