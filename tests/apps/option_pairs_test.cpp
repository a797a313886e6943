// No option is ignored in silence: every pair of a command's options is tried through the whole command
// (option_pairs.h). The default suite tries a part of the pairs, [slow] all of them.
#include "tests/apps/option_pairs.h"
#include "framework/files/file.h"
#include "tests/pipeline/mixture_card.h"

namespace stride {

using testing::PairCommand;
using testing::PairOutcome;
using testing::PairRunner;
using testing::Words;

namespace {

// `part` of `parts` of each command's pairs.
void try_pairs(const std::vector<PairCommand>& commands, const testing::TemporaryFolder& folder, std::size_t part,
               std::size_t parts) {
  for (const PairCommand& command : commands) {
    if (command.settings.empty()) continue;
    PairRunner runner(command, folder);
    runner.alone();
    runner.pairs(part, parts);
  }
}

}  // namespace

TEST_CASE("option pairs: every option of every command is in the list, with how it goes with the others") {
  const testing::TemporaryFolder folder;
  std::vector<PairCommand> all = testing::sampling_pairs(folder);
  for (const auto& more : {testing::fitting_pairs(folder), testing::reading_pairs(folder)})
    all.insert(all.end(), more.begin(), more.end());
  std::set<std::string> names;
  for (const PairCommand& command : all) {
    PairRunner(command, folder).covers_the_table();
    names.insert(command.name);
  }
  for (const auto& command : make_commands()) {
    INFO("stride " << command->info().name);
    CHECK(names.contains(command->info().name));
  }
}

TEST_CASE("option pairs: each option of a sampler changes the result, is refused, or is said to have no effect") {
  const testing::TemporaryFolder folder;
  const std::vector<PairCommand> commands = testing::sampling_pairs(folder);
  try_pairs({commands.at(0)}, folder, 0, 2);
  try_pairs({commands.at(3)}, folder, 0, 1);
  try_pairs({commands.at(4)}, folder, 0, 4);
}

TEST_CASE("option pairs: metrics and statistics") {
  const testing::TemporaryFolder folder;
  try_pairs(testing::reading_pairs(folder), folder, 0, 1);
}

TEST_CASE("campaign pairs: every pair of sample, record and evaluate", "[.campaign]") {
  const testing::TemporaryFolder folder;
  try_pairs(testing::sampling_pairs(folder), folder, 0, 1);
}

TEST_CASE("campaign pairs-training: every pair of fit and of training", "[.campaign]") {
  const testing::TemporaryFolder folder;
  (void)testing::sampling_pairs(folder);  // the model card
  try_pairs(testing::fitting_pairs(folder), folder, 0, 1);
}

TEST_CASE("option pairs: what is overruled is refused by name, and what agrees is not") {
  const testing::TemporaryFolder folder;
  const PairRunner place(testing::sampling_pairs(folder).at(0), folder);
  struct Row {
    Words words;
    std::string says;  // empty: it runs, and nothing is said
  };
  const std::vector<Row> rows = {
      {{"--solver", "plan:@plan.json", "--schedule", "karras"}, "--schedule karras: the plan gives the levels"},
      {{"--solver", "plan:@plan.json", "--sigma-max", "5"}, "--sigma-max 5"},
      {{"--solver", "plan:@plan.json", "--sigma-min", "1"}, "--sigma-min 1"},
      {{"--solver", "plan:@plan.json", "--final", "zero"}, "--final zero: the plan ends at sigma_min"},
      {{"--solver", "plan:@plan.json", "--noise-schedule", "cosine"}, "--noise-schedule cosine"},
      {{"--solver", "plan:@plan.json", "--final", "sigma_min", "--sigma-max", "80", "--sigma-min", "0.002"}, ""},
      {{"--sigmas", "20,3,1", "--final", "zero"}, "--final zero: --sigmas ends at sigma_min"},
      {{"--sigmas", "20,3,1", "--final", "sigma_min"}, ""},
      {{"--sigmas", "20,3,1", "--sigma-max", "10"}, "--sigma-max 10: --sigmas brings its own levels"},
      {{"--sigmas", "20,3,1", "--sigma-min", "0.1"}, "--sigma-min 0.1"},
      {{"--sigmas", "20,3,1", "--schedule", "karras"}, "--schedule karras: --sigmas gives the levels"},
      {{"--schedule", "kl_optimal:variant=a1111", "--final", "zero"}, "--final zero"},
      {{"--invert-iterations", "3"}, "add --invert"},
      {{"--start", "@start.h5", "--invert", "--init-scale", "vp"}, "leave --init-scale out"}};
  for (const Row& row : rows) {
    const PairOutcome result = place(row.words);
    INFO(fmt::format("{}: {}", fmt::join(row.words, " "), result.said));
    CHECK(result.code == (row.says.empty() ? 0 : 2));
    CHECK(result.said.find(row.says) != std::string::npos);
    CHECK_FALSE(result.warned());
  }
  for (const char* option : {"--steps", "--nfe"}) {
    const PairOutcome result = place({"--policy", "pi:atol=0.05", option, "9"});
    CHECK(result.code == 0);
    CHECK(result.said.find(fmt::format("{} 9 has no effect: the policy pi", option)) != std::string::npos);
  }
  const PairOutcome timesteps = place({"--schedule", "leading", "--sigma-max", "5"});
  CHECK(timesteps.said.find("--sigma-max 5 has no effect") != std::string::npos);
}

TEST_CASE("option pairs: a configuration that lists every default asks for none of them") {
  testing::TemporaryFolder folder;
  write_file_atomic(folder / "gm.toml", std::string(testing::kMixtureCard));
  const auto run = [&](const Words& words) { return testing::run_stride(folder.path(), words); };
  const auto all = run({"sample", "--model", "gm.toml", "--sigmas", "20,3,1", "--seeds", "0-1", "--print-config"});
  REQUIRE(all.code == 0);
  CHECK(all.out.find("final = \"zero\"") != std::string::npos);
  write_file_atomic(folder / "all.toml", all.out);
  CHECK(run({"sample", "--config", "all.toml", "--dry-run"}).code == 0);
  CHECK(run({"sample", "--config", "all.toml", "--final", "zero", "--dry-run"}).code == 2);
}

}  // namespace stride
