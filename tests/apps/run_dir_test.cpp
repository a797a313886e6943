// Run folders, the log and the interrupt flag.
#include "apps/cli/run_dir.h"
#include "apps/cli/interrupt.h"
#include "apps/cli/log.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "framework/files/lock.h"
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
  const auto manifest = nlohmann::json::parse(slurp(first.file("manifest.json")));
  CHECK(manifest.at("config_xxh3_128") == xxh3_128("x = 1\n"));
  CHECK(manifest.contains("xxh3_128"));
  first.write("images/a.png", "abc");
  CHECK(slurp(first.file("images/a.png")) == "abc");
  CHECK_FALSE(std::filesystem::exists(first.file("DONE")));
  first.finish(4);
  const auto done = nlohmann::json::parse(slurp(first.file("DONE")));
  CHECK(done.at("exit_code") == 4);
  CHECK(done.at("files").size() == 4);
  CHECK(done.at("files").at("images/a.png") == nlohmann::json({{"bytes", 3}, {"xxh3_128", xxh3_128("abc")}}));
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

TEST_CASE("run folder: a run that ended before it had a configuration leaves its place free") {
  const testing::TemporaryFolder root;
  RunDirOptions options = options_in(root.path());
  options.outdir = root / "run";
  const std::vector<std::string> started = {".lock", ".stride-tmp-1-abc", "command.txt", "manifest.json"};
  for (std::size_t files = 1; files <= started.size(); ++files) {
    std::filesystem::remove_all(options.outdir);
    std::filesystem::create_directory(options.outdir);
    for (std::size_t i = 0; i < files; ++i) std::ofstream(options.outdir + "/" + started[i]) << "x";
    CHECK_THROWS_WITH(RunDir::resume(options.outdir, {}), contains("ended before it began"));
    {
      const LockFile held(options.outdir + "/.lock");
      CHECK_THROWS_AS(RunDir::create(options), LockedError);
    }
    const RunDir run = RunDir::create(options);
    CHECK(slurp(run.file("config.toml")) == "x = 1\n");
    CHECK_FALSE(std::filesystem::exists(run.file(started[1])));
  }
  std::filesystem::remove(options.outdir + "/config.toml");
  std::ofstream(options.outdir + "/mine.txt") << "x";
  CHECK_THROWS_AS(RunDir::create(options), UsageError);
}

TEST_CASE("run folder: a torn line is not glued to the next, and temporaries below it go") {
  const testing::TemporaryFolder root;
  const RunDirOptions options = options_in(root.path());
  std::string path;
  {
    RunDir run = RunDir::create(options);
    path = run.path();
    run.metric("{\"a\": 1}");
    run.write("images/a.png", "abc");
    std::ofstream(run.file("metrics.jsonl"), std::ios::app) << "{\"a\": ";
    std::ofstream(run.file("images/.stride-tmp-1-abc")) << "half";
  }
  RunDir again = RunDir::resume(path, {"again"});
  again.metric("{\"a\": 2}");
  CHECK(slurp(again.file("metrics.jsonl")) == "{\"a\": 1}\n{\"a\": 2}\n");
  CHECK(list_folder(again.file("images")) == std::vector<std::string>{"a.png"});
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
  CHECK_THROWS_AS(log.open_file(root / "missing/log.ndjson"), Error);
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
