// SIGINT and SIGTERM, to the process and to its group, in each phase of each command.
#include "tests/catch_torch.h"
#include "tests/faults/commands.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <random>

namespace stride {
namespace {

using testing::Case;
using testing::Ended;
using testing::Run;
using testing::Scene;

// A step and two seconds, on a machine that has other work.
constexpr double kPrompt = 2.5;

struct Tally {
  int signals = 0, stopped = 0, finished = 0;
  double slowest = 0;
};

/// A stopped run has the signal's code and can be continued; one that was at its end has finished.
std::string signal_one(const Case& one, const Scene& scene, const Run& command, int signal, Tally& tally) {
  const Ended ended = testing::run(command);
  ++tally.signals;
  tally.slowest = std::max(tally.slowest, ended.after_signal);
  if (ended.after_signal > kPrompt) return fmt::format("it ended {:.1f} s after the signal", ended.after_signal);
  if (const std::string wrong = testing::wrong_in_view(one, scene.folder()); !wrong.empty()) return wrong;
  if (ended.code == 0) {
    ++tally.finished;
    return testing::undisturbed(one).difference(scene.folder());
  }
  // Before the command has begun, the signal is the process's end.
  const bool at_start = ended.signal == signal && ended.calls == 0;
  if (!at_start && ended.code != 128 + signal)
    return fmt::format("exit code {}, signal {}: {}", ended.code, ended.signal, ended.err);
  ++tally.stopped;
  return testing::wrong_after_retry(one, scene);
}

void signal_at_calls(const Case& one, int every, Tally& tally) {
  const Scene counted(one);
  Run first = counted.command();
  first.calls = {.folder = counted.folder()};
  const int calls = testing::run(first).calls;
  int turn = 0;
  for (int nth = 1 + every / 2; nth <= calls; nth += every, ++turn) {
    const int signal = turn % 2 == 0 ? SIGINT : SIGTERM;
    const Scene scene(one);
    Run command = scene.command();
    command.calls = {.folder = scene.folder(),
                     .nth = nth,
                     .fault = turn % 4 < 2 ? faults::Fault::signal : faults::Fault::group_signal,
                     .signal = signal};
    const std::string wrong = signal_one(one, scene, command, signal, tally);
    if (!wrong.empty())
      FAIL_CHECK(fmt::format("{}: signal {} before call {} of {}: {}", one.name, signal, nth, calls, wrong));
  }
}

void signal_at_times(const Case& one, int count, std::mt19937& random, Tally& tally) {
  const double whole = testing::undisturbed(one).ended().seconds;
  for (int i = 0; i < count; ++i) {
    const Scene scene(one);
    Run command = scene.command();
    command.calls = {.folder = scene.folder()};
    command.send = i % 2 == 0 ? SIGINT : SIGTERM;
    command.to_group = i % 4 >= 2;
    command.send_after = std::uniform_real_distribution<double>(0, whole)(random);
    const std::string wrong = signal_one(one, scene, command, command.send, tally);
    if (!wrong.empty())
      FAIL_CHECK(fmt::format("{}: signal {} after {:.3f} s: {}", one.name, command.send, command.send_after, wrong));
  }
}

void report(const std::string& what, const Tally& tally) {
  std::printf("%s: %d signals, %d stopped, %d had finished, slowest end %.2f s\n", what.c_str(), tally.signals,
              tally.stopped, tally.finished, tally.slowest);
}

}  // namespace

TEST_CASE("faults: signals before a call, a slice of them") {
  Tally tally;
  for (const char* name : {"sample", "fit", "train-denoiser", "evaluate"})
    signal_at_calls(testing::case_named(name), 31, tally);
  report("slice", tally);
  CHECK(tally.stopped > 4);
}

TEST_CASE("faults: commands that only print end at once") {
  const Case& one = testing::case_named("merge");
  const Scene scene(one);
  // Far longer than the time that it is given.
  const testing::Words compares = {
      "metrics",  "--samples",           "digits",   "--ref", "digits", "--features", "features-digits",
      "--metric", "fd-inf,kid,prdc,swd", "--blocks", "64"};
  for (const int signal : {SIGINT, SIGTERM}) {
    const Ended ended = testing::run({.folder = scene.folder(), .words = compares, .send = signal, .send_after = 0.3});
    INFO(ended.err);
    CHECK(ended.code == 128 + signal);
    CHECK(ended.after_signal < kPrompt);
    CHECK(ended.out.empty());
  }
}

TEST_CASE("faults: a named pipe is no file to wait for") {
  const Case& one = testing::case_named("merge");
  const Scene scene(one);
  REQUIRE(::mkfifo((scene / "pipe").c_str(), 0600) == 0);
  for (const testing::Words& words : std::vector<testing::Words>{
           {"inspect", "pipe"},
           {"verify", "pipe"},
           {"list", "solvers", "--config", "pipe"},
           {"sample", "--model", "pipe"},
           {"sample", "--model", "gm.toml", "--init", "pipe"},
           {"sample", "--model", "gm.toml", "--start", "pipe"},
           {"sample", "--model", "gm.toml", "--solver", "plan:pipe"},
           {"sample", "--model", "gm.toml", "--schedule", "custom:pipe"},
           {"sample", "--model", "gm.toml", "--policy", "predictor:pipe,tolerance=0.1", "--solver", "dpmpp_2m"},
           {"metrics", "--samples", "pipe", "--ref", "digits"},
           {"train-denoiser", "--data", "pipe", "--out", "m"}}) {
    const Ended ended = testing::run({.folder = scene.folder(), .words = words, .send = SIGKILL, .send_after = 10});
    INFO(fmt::format("{}: {}", fmt::join(words, " "), ended.err));
    CHECK(ended.code == 3);
  }
}

TEST_CASE("campaign signals: SIGINT and SIGTERM in each phase of each command", "[.campaign]") {
  std::mt19937 random(20261129);
  for (const Case& one : testing::cases()) {
    Tally tally;
    signal_at_calls(one, one.name == "demo" ? 60 : 7, tally);
    signal_at_times(one, 10, random, tally);
    report(one.name, tally);
  }
}

}  // namespace stride
