// SIGKILL before the n-th call, and at random times: what is in view is whole, and a retry ends as if nothing had been.
#include "tests/catch_torch.h"
#include "tests/faults/commands.h"

#include <fmt/format.h>

#include <csignal>
#include <cstdio>
#include <random>

namespace stride {
namespace {

using testing::Case;
using testing::Ended;
using testing::Run;
using testing::Scene;

std::string kill_one(const Case& one, const Scene& scene, const Run& command) {
  const Ended ended = testing::run(command);
  if (ended.code >= 0 && ended.code != 0) return fmt::format("exit code {}: {}", ended.code, ended.err);
  if (const std::string wrong = testing::wrong_in_view(one, scene.folder()); !wrong.empty()) return wrong;
  if (ended.code == 0) return testing::undisturbed(one).difference(scene.folder());
  return testing::wrong_after_retry(one, scene);
}

void kill_at_calls(const Case& one, int every, int& kills) {
  const Scene counted(one);
  Run first = counted.command();
  first.calls = {.folder = counted.folder()};
  const int calls = testing::run(first).calls;
  for (int nth = 1 + every / 2; nth <= calls; nth += every) {
    const Scene scene(one);
    Run command = scene.command();
    command.calls = {.folder = scene.folder(), .nth = nth, .fault = faults::Fault::kill};
    const std::string wrong = kill_one(one, scene, command);
    ++kills;
    if (!wrong.empty()) FAIL_CHECK(fmt::format("{}: killed before call {} of {}: {}", one.name, nth, calls, wrong));
  }
}

void kill_at_times(const Case& one, int count, std::mt19937& random, int& kills) {
  const double whole = testing::undisturbed(one).ended().seconds;
  for (int i = 0; i < count; ++i) {
    const Scene scene(one);
    Run command = scene.command();
    command.send = SIGKILL;
    command.send_after = std::uniform_real_distribution<double>(0, whole)(random);
    const std::string wrong = kill_one(one, scene, command);
    ++kills;
    if (!wrong.empty()) FAIL_CHECK(fmt::format("{}: killed after {:.3f} s: {}", one.name, command.send_after, wrong));
  }
}

}  // namespace

TEST_CASE("faults: killed before a call, a slice of them") {
  int kills = 0;
  for (const char* name : {"sample", "record", "train-denoiser", "evaluate"})
    kill_at_calls(testing::case_named(name), 29, kills);
  CHECK(kills > 8);
}

TEST_CASE("campaign kills: every command is killed before every second call and at random times", "[.campaign]") {
  std::mt19937 random(20261129);
  int all = 0;
  for (const Case& one : testing::cases()) {
    int kills = 0;
    kill_at_calls(one, one.name == "demo" ? 40 : 2, kills);
    kill_at_times(one, 12, random, kills);
    std::printf("%s: %d kills\n", one.name.c_str(), kills);
    all += kills;
  }
  std::printf("%d kills\n", all);
}

}  // namespace stride
