// Standard input, output and error closed, full or without a reader, for every command.
#include "tests/catch_torch.h"
#include "tests/faults/commands.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>

namespace stride {
namespace {

using testing::Case;
using testing::Ended;
using testing::Run;
using testing::Scene;
using testing::Words;

struct Row {
  Words words;
  int code = 0;        ///< with all descriptors open
  bool prints = true;  ///< something on standard output
};

// Commands that print, and ends of every kind.
std::vector<Row> rows() {
  return {{{"list", "solvers"}},
          {{"list", "models", "--json"}},
          {{"schedule", "--steps", "5"}},
          {{"doctor"}},
          {{"inspect", "gm.toml"}},
          {{"verify", "one/store"}},
          {{"metrics", "--samples", "pictures/images", "--ref", "pictures/images", "--metric", "rmse"}},
          {{"sample", "--help"}},
          {{"--version"}},
          {{"--help"}},
          {{"sample", "--model", "gm.toml", "--print-config"}},
          {{"fit", "--model", "gm.toml", "--dry-run"}},
          {{"sample", "--model", "gm.toml", "--solver", "hen"}, 2, false},
          {{"inspect", "nothing"}, 3, false},
          {{}, 2, false}};
}

std::string how_it_ended(const Ended& ended) {
  return fmt::format("exit code {}, signal {}{}: {}", ended.code, ended.signal, ended.hung ? ", hung" : "", ended.err);
}

int look(const Row& row, Run command, const std::string& how, bool no_results) {
  const Ended ended = testing::run(command);
  INFO(fmt::format("stride {} with {}: {}", fmt::join(row.words, " "), how, how_it_ended(ended)));
  CHECK(ended.signal == 0);
  CHECK(ended.code == (no_results && row.prints && row.code == 0 ? 5 : row.code));
  return 1;
}

// Every way in which the three can be missing.
int every_way(const Row& row, const Run& command) {
  int runs = 0;
  for (int closed = 0; closed < 8; ++closed) {
    Run run = command;
    for (const int descriptor : {0, 1, 2})
      if ((closed >> descriptor & 1) != 0) run.closed += std::to_string(descriptor);
    runs += look(row, run, "closed: " + run.closed, (closed & 2) != 0);
  }
  for (const auto& [out, err] :
       {std::pair{"/dev/full", ""}, std::pair{"", "/dev/full"}, std::pair{"/dev/full", "/dev/full"}}) {
    Run run = command;
    run.out = out;
    run.err = err;
    runs += look(row, run, fmt::format(">{} 2>{}", out, err), run.out == "/dev/full");
  }
  // A reader that has enough is no failure.
  for (const auto& [out, err] : {std::pair{"|", ""}, std::pair{"", "|"}, std::pair{"|", "|"}}) {
    Run run = command;
    run.out = out;
    run.err = err;
    runs += look(row, run, fmt::format("{} 2{}", out, err), false);
  }
  return runs;
}

}  // namespace

TEST_CASE("faults: descriptors that are closed, full or without a reader, of every command", "[slow]") {
  if (!std::filesystem::exists("/dev/full")) return;
  const Case& stats = testing::case_named("stats");
  const Scene scene(stats);
  REQUIRE(testing::run({.folder = scene.folder(), .words = testing::case_named("merge").before[0]}).code == 0);
  int runs = 0;
  for (const Row& row : rows()) runs += every_way(row, {.folder = scene.folder(), .words = row.words});
  // Commands that leave files: whatever becomes of what they print, the run is whole.
  for (const char* name : {"sample", "record", "merge"}) {
    const Case& one = testing::case_named(name);
    for (const char* where : {"closed 012", "|", "/dev/full"}) {
      const Scene place(one);
      Run command = place.command();
      if (where[0] == 'c') {
        command.closed = "012";
      } else {
        command.out = command.err = where;
      }
      const bool no_results = where[0] != '|';
      runs += look({one.words}, command, where, no_results);
      CHECK(testing::undisturbed(one).difference(place.folder()).empty());
    }
  }
  CHECK(runs > 200);
}

}  // namespace stride
