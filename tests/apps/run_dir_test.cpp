// Run folders, the log and the interrupt flag.
#include "apps/cli/run_dir.h"
#include "apps/cli/interrupt.h"
#include "apps/cli/log.h"
#include "framework/error.h"
#include "tests/catch_torch.h"
#include "tests/temporary_folder.h"

#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <regex>
#include <sstream>

namespace stride {
namespace {

std::string slurp(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

RunDirOptions options_in(const std::string& root) {
  return {.outdir = "",
          .root = root + "/runs",
          .command = "sample",
          .config_toml = "x = 1\n",
          .command_line = {"stride", "it's"},
          .manifest_json = "{}"};
}

}  // namespace

TEST_CASE("run folder: made exclusively, named by time and command, closed by DONE") {
  const testing::TemporaryFolder root;
  const RunDir first = RunDir::create(options_in(root.path()));
  const RunDir second = RunDir::create(options_in(root.path()));
  CHECK(first.path() != second.path());
  const std::string name = first.path().substr(first.path().rfind('/') + 1);
  CHECK(std::regex_match(name, std::regex("[0-9]{8}T[0-9]{6}Z-sample-[0-9a-f]{8}")));
  CHECK(slurp(first.file("config.toml")) == "x = 1\n");
  CHECK(slurp(first.file("command.txt")) == "stride 'it'\\''s'\n");
  CHECK(slurp(first.file("manifest.json")) == "{}");
  first.write("images/a.png", "abc");
  CHECK(slurp(first.file("images/a.png")) == "abc");
  CHECK_FALSE(std::filesystem::exists(first.file("DONE")));
  first.finish(4);
  CHECK(nlohmann::json::parse(slurp(first.file("DONE"))).at("exit_code") == 4);
}

TEST_CASE("run folder: one holder at a time, taken folders are refused, resume appends") {
  const testing::TemporaryFolder root;
  RunDirOptions options = options_in(root.path());
  options.outdir = root / "deep/er/out";
  {
    RunDir run = RunDir::create(options);
    CHECK_THROWS_AS(RunDir::resume(options.outdir, {"again"}), LockedError);
    CHECK_THROWS_AS(RunDir::create(options), LockedError);
    run.metric("{\"a\": 1}");
    run.finish(0);
  }
  CHECK_THROWS_AS(RunDir::create(options), UsageError);
  RunDir again = RunDir::resume(options.outdir, {"stride", "--resume"});
  CHECK_FALSE(std::filesystem::exists(again.file("DONE")));
  again.metric("{\"a\": 2}");
  CHECK(slurp(again.file("metrics.jsonl")) == "{\"a\": 1}\n{\"a\": 2}\n");
  CHECK(slurp(again.file("command.txt")) == "stride 'it'\\''s'\nstride --resume\n");
  CHECK_THROWS_AS(RunDir::resume(root.path(), {}), InputError);
  std::filesystem::create_directory(root / "empty");
  options.outdir = root / "empty";
  CHECK(RunDir::create(options).path() == options.outdir);
}

TEST_CASE("run folder: what a run left that never began is taken again, and cannot be resumed") {
  const testing::TemporaryFolder root;
  RunDirOptions options = options_in(root.path());
  options.outdir = root / "out";
  { const RunDir run = RunDir::create(options); }
  // As it is before each of the first writes, and with a temporary of the killed one.
  std::vector<std::string> names = {"config.toml", "manifest.json", "command.txt"};
  for (const std::string& name : names) {
    std::filesystem::remove(root / ("out/" + name));
    std::ofstream(root / "out/.stride-tmp-1-2") << "half";
    CHECK_THROWS_AS(RunDir::resume(options.outdir, {}), InputError);
  }
  { const RunDir run = RunDir::create(options); }
  CHECK(slurp(root / "out/config.toml") == "x = 1\n");
  CHECK_FALSE(std::filesystem::exists(root / "out/.stride-tmp-1-2"));
  // A folder of somebody's is not.
  std::filesystem::remove(root / "out/config.toml");
  std::ofstream(root / "out/notes.txt") << "mine";
  CHECK_THROWS_AS(RunDir::create(options), UsageError);
  CHECK_THROWS_WITH(RunDir::resume(options.outdir, {}), contains("no run folder"));
}

TEST_CASE("run folder: words are quoted for a shell") {
  CHECK(shell_quote({"stride", "--seeds", "0-3,9", "--set", "a.b=c d", "", "$HOME", "pi:rtol=1"}) ==
        "stride --seeds 0-3,9 --set 'a.b=c d' '' '$HOME' pi:rtol=1");
}

TEST_CASE("log: what was said before there was a file is in it too, as JSON lines") {
  const testing::TemporaryFolder root;
  Logger log(LogLevel::error);
  log.info("first \"quoted\" \xff");
  log.open_file(root / "log.ndjson");
  log.debug("second");
  std::istringstream lines(slurp(root / "log.ndjson"));
  std::string line;
  std::vector<nlohmann::json> entries;
  while (std::getline(lines, line)) entries.push_back(nlohmann::json::parse(line));
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].at("level") == "info");
  CHECK(entries[1].at("message") == "second");
  CHECK_THROWS_AS(log.open_file(root / "missing/log.ndjson"), ResourceError);
}

TEST_CASE("interrupt: the first signal sets a flag, and the guard gives the handlers back") {
  struct sigaction before {};
  sigaction(SIGTERM, nullptr, &before);
  {
    const InterruptGuard guard;
    CHECK_FALSE(interrupted());
    CHECK_THROWS_AS(InterruptGuard(), std::logic_error);
    std::raise(SIGTERM);
    CHECK(interrupted() == ExitCode::terminated);
    struct sigaction now {};
    sigaction(SIGINT, nullptr, &now);
    CHECK(now.sa_handler == SIG_DFL);  // a second signal ends the process
  }
  struct sigaction after {};
  sigaction(SIGTERM, nullptr, &after);
  CHECK(after.sa_handler == before.sa_handler);
}

}  // namespace stride
