// An experiment's file, the cells that it means, and the tables of what they found.
#include "evaluation/experiment/cells.h"
#include "evaluation/experiment/experiment_output.h"
#include "evaluation/experiment/pivot.h"
#include "framework/error.h"
#include "tests/catch_torch.h"
#include "tests/evaluation/xml_check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <cmath>

namespace stride {
namespace {

using Words = std::vector<std::string>;

const char* const kFile = R"(
[experiment]
name = "study"
[axes]
nfe = [4, 6]
solver = ["ddim", "heun"]
grid = ["karras", "logsnr"]
seed = [1, 2]
zip = [["solver", "grid"]]
[[stage]]
name = "compare"
command = "evaluate"
needs = ["fit"]
evaluate.solver = ["{solver}", "plan:{fit}/plan.json"]
evaluate.schedule = ["{grid}"]
evaluate.nfe = "{nfe}"
[[stage]]
command = "fit"
fit.nfe = "{nfe}"
fit.restarts = 1
run.seeds = "{seed}00-{seed}63"
)";

std::string with(const std::string& what, const std::string& by) {
  std::string text = kFile;
  const auto at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), by);
}

std::string refusal(const std::string& text) {
  try {
    (void)experiment_cells(parse_experiment(text, "study.toml"));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::string setting(const ExperimentCell& cell, const std::string& key) {
  for (const ConfigEntry& entry : cell.settings) {
    Words texts;
    for (const ConfigValue& value : entry.values) texts.push_back(value.text);
    if (entry.key == key) return fmt::format("{}", fmt::join(texts, " | "));
  }
  return "no such setting";
}

ResultRow row(const std::string& sampler, int nfe, int seed, double rmse) {
  return {{{"sampler", sampler}, {"nfe", std::to_string(nfe)}, {"seed", std::to_string(seed)}},
          {{"rmse", {rmse, rmse - 0.25, rmse + 0.25}}}};
}

}  // namespace

TEST_CASE("experiment: a stage runs over the axes that it names, after what it needs") {
  const Experiment experiment = parse_experiment(kFile, "study.toml");
  CHECK(experiment.out == "runs/study");
  const std::vector<ExperimentCell> cells = experiment_cells(experiment);
  Words labels;
  for (const ExperimentCell& cell : cells) labels.push_back(cell.label());
  CHECK(labels == Words{"fit nfe=4 seed=1", "fit nfe=4 seed=2", "fit nfe=6 seed=1", "fit nfe=6 seed=2",
                        "compare nfe=4 solver=ddim grid=karras", "compare nfe=4 solver=heun grid=logsnr",
                        "compare nfe=6 solver=ddim grid=karras", "compare nfe=6 solver=heun grid=logsnr"});
  CHECK(setting(cells[1], "run.seeds") == "200-263");
  // The plans of both seeds, as `compare` does not name the seed; of its own count of evaluations alone.
  CHECK(cells[7].needs == std::vector<std::size_t>{2, 3});
  CHECK(setting(cells[7], "evaluate.solver") == "heun | plan:{#2}/plan.json | plan:{#3}/plan.json");
  const auto settled = settings_with_folders(cells[7], [](std::size_t i) { return fmt::format("cells/{}", i); });
  for (const ConfigEntry& entry : settled)
    if (entry.key == "evaluate.solver") CHECK(entry.values.at(2).text == "plan:cells/3/plan.json");
}

TEST_CASE("experiment: a stage that names the axis of what it needs takes one of them each") {
  const auto cells = experiment_cells(
      parse_experiment(with("needs = [\"fit\"]", "needs = [\"fit\"]\naxes = [\"seed\"]"), "study.toml"));
  CHECK(cells.size() == 4 + 8);
  for (const ExperimentCell& cell : cells)
    if (cell.stage == "compare") CHECK(cell.needs.size() == 1);
}

TEST_CASE("experiment: what cannot be meant is refused by file and name") {
  CHECK(refusal(kFile).empty());
  const std::vector<std::pair<std::string, std::string>> rows = {
      {with("{nfe}\"\n[[stage]]", "{nef}\"\n[[stage]]"), "did you mean 'nfe'"},
      {with("needs = [\"fit\"]", "needs = [\"fti\"]"), "did you mean 'fit'"},
      {with("needs = [\"fit\"]\n", ""), "stage that it `needs`"},
      {with("[\"karras\", \"logsnr\"]", "[\"karras\"]"), "of 2 and 1 values"},
      {with("[[\"solver\", \"grid\"]]", "[[\"solver\"]]"), "two axes or more"},
      {with("[4, 6]", "[4, 4]"), "holds 4 twice"},
      {with("[4, 6]", "[]"), "must be a list of values"},
      {with("[\"{solver}\", \"plan:{fit}/plan.json\"]", "\"plan:{fit}/plan.json\""), "there are 2 runs of fit for it"},
      {with("command = \"fit\"", "command = \"fit\"\nneeds = [\"compare\"]"), "in a circle"},
      {with("command = \"fit\"", "name = \"nfe\"\ncommand = \"fit\""), "an axis and a stage"},
      {with("name = \"study\"", "name = \"../study\""), "must be a name"},
      {with("name = \"study\"", "name = \"study\"\nouts = \"x\""), "did you mean 'out'"},
      {with("[[stage]]", "[[table]]\nname = \"a\"\nfrom = \"compar\"\nrows = [\"nfe\"]\nvalue = \"rmse\"\n[[stage]]"),
       "did you mean 'compare'"},
      {"[axes]\nnfe = [1]\n", "no [experiment]"},
      {"[experiment]\nname = \"a\"\n", "no [[stage]]"}};
  for (const auto& [text, says] : rows) {
    INFO(text);
    const std::string message = refusal(text);
    INFO(message);
    CHECK(message.find(says) != std::string::npos);
    CHECK(message.starts_with("study.toml"));
  }
}

TEST_CASE("experiment: words in braces") {
  const auto echo = [](const std::string& name) { return "<" + name + ">"; };
  CHECK(with_values("plan:{fit}/plan.json,{a}{b}", echo) == "plan:<fit>/plan.json,<a><b>");
  CHECK(with_values("{{fit}} {a}", echo) == "{fit} <a>");
  CHECK(with_values("{open", echo) == "{open");
  CHECK(names_in_braces("{a}{{b}}{c}") == Words{"a", "c"});
}

TEST_CASE("experiment: a table's places hold one result, or the mean of several with their interval") {
  const std::vector<ResultRow> rows = {row("ddim", 10, 1, 1.0), row("ddim", 4, 1, 3.0), row("plan", 4, 1, 1.0),
                                       row("plan", 4, 2, 2.0)};
  const ExperimentTable table{"t", "A title", "compare", {"sampler"}, "nfe", {"rmse"}, {}, 3};
  const Pivot made = pivot(rows, table);
  CHECK(made.columns == Words{"4", "10"});  // as numbers
  CHECK(made.labels == std::vector<Words>{{"ddim"}, {"plan"}});
  CHECK(made.cells[0][0].estimate.low == 2.75);
  CHECK(made.cells[1][1].count == 0);
  CHECK(made.cells[1][0].count == 2);
  CHECK(made.cells[1][0].estimate.value == 1.5);
  // Two values: half their difference times Student's t of one degree of freedom, 12.706.
  CHECK(made.cells[1][0].estimate.high - 1.5 == Approx(0.5 * 12.7062).epsilon(1e-4));
  CHECK(pivot_csv(made) ==
        fmt::format("sampler,column,value,low,high,count\nddim,4,3,2.75,3.25,1\nddim,10,1,0.75,1.25,1\n"
                    "plan,4,1.5,{},{},2\n",
                    made.cells[1][0].estimate.low, made.cells[1][0].estimate.high));
  CHECK(pivot_markdown(made, table).find("| ddim | 3.00 (2.75, 3.25) | 1.00 (0.750, 1.25) |") != std::string::npos);
  CHECK(pivot_markdown(made, table).find("Means of up to 2 runs") != std::string::npos);
  const std::string latex = pivot_latex(made, table);
  CHECK(latex.find("ddim & 3.00 (2.75, 3.25) & 1.00 (0.750, 1.25) \\\\") != std::string::npos);
  CHECK(latex.find("\\caption{A title. Means") != std::string::npos);
  CHECK_THROWS_AS(pivot(rows, {"t", "", "compare", {"sampler"}, "nfe", {"fd"}, {}, 3}), UsageError);
  CHECK_THROWS_AS(pivot(rows, {"t", "", "compare", {"sampler"}, "nfe", {"rmse"}, {"sampler=heun"}, 3}), UsageError);
  CHECK(pivot(rows, {"t", "", "compare", {"sampler"}, "", {"rmse"}, {"sampler=plan", "seed=2"}, 3})
            .cells[0][0]
            .estimate.value == 2.0);
}

TEST_CASE("experiment: letters that LaTeX and CSV read as their own are written so that they show") {
  const ExperimentTable table{"t", "", "compare", {"sampler"}, "nfe", {"rmse"}, {}, 3};
  const Pivot made = pivot({row("a_b, \"50 %\" & {c}", 4, 1, 1.0)}, table);
  CHECK(pivot_latex(made, table).find("a\\_b, \"50 \\%\" \\& \\{c\\} &") != std::string::npos);
  CHECK(pivot_csv(made).find("\"a_b, \"\"50 %\"\" & {c}\",4,1") != std::string::npos);
}

TEST_CASE("experiment: a figure is drawings that stand alone, and its points") {
  const std::vector<ResultRow> rows = {row("ddim", 10, 1, 1.0), row("ddim", 4, 1, 3.0), row("plan", 4, 1, 1.0)};
  const auto files = figure_files(rows, {"f", "", "compare", "nfe", "rmse", {"sampler"}, {}});
  REQUIRE(files.size() == 3);
  CHECK(files[0].first == "f.svg");
  CHECK(xml_fault(files[0].second).empty());
  CHECK(files[1].first == "f.pdf");
  CHECK(files[2].second ==
        "series,best,x,y,y_low,y_high,x_high\nddim,1,4,3,2.75,3.25,\nddim,1,10,1,0.75,1.25,\n"
        "plan,1,4,1,0.75,1.25,\n");
  CHECK_THROWS_AS(figure_files(rows, {"f", "", "compare", "nfe", "fd", {"sampler"}, {}}), UsageError);
}

}  // namespace stride
