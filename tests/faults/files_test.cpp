// The n-th call to the file system fails, for every n: a clean end, nothing half-written in view, and a retry that ends
// as if nothing had been.
#include "tests/catch_torch.h"
#include "tests/faults/commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>

namespace stride {
namespace {

using faults::Fault;
using testing::Case;
using testing::Ended;
using testing::Run;
using testing::Scene;

constexpr std::pair<Fault, const char*> kFaults[] = {{Fault::no_space, "ENOSPC"},
                                                     {Fault::io_error, "EIO"},
                                                     {Fault::interrupted, "EINTR"},
                                                     {Fault::short_write, "short write"},
                                                     {Fault::disk_full, "disk full from there on"}};

bool is_harmless(Fault fault) { return fault == Fault::interrupted || fault == Fault::short_write; }

// Exit codes that the contract has for it. A call whose failure changes nothing may fail unseen.
bool is_right(const Ended& ended, Fault fault) {
  if (ended.hung || ended.signal != 0) return false;
  if (is_harmless(fault)) return ended.code == 0;
  const std::set<int> allowed =
      fault == Fault::io_error || ended.kinds.back() == 'o' ? std::set{0, 1, 3, 5} : std::set{0, 5};
  return allowed.contains(ended.code);
}

/// What is wrong with one failing call; empty: nothing.
std::string fail_one(const Case& one, int nth, Fault fault, std::map<int, int>& codes) {
  const Scene scene(one);
  Run command = scene.command();
  command.calls = {.folder = scene.folder(), .nth = nth, .fault = fault};
  Ended ended = testing::run(command);
  if (!ended.suffered) return "the call did not come";
  ++codes[ended.code];
  ended.kinds.resize(static_cast<std::size_t>(nth));
  const std::string call = std::string("call '") + ended.kinds.back() + "': ";
  if (!is_right(ended, fault))
    return call + fmt::format("exit code {}, signal {}{}: {}", ended.code, ended.signal, ended.hung ? ", hung" : "",
                              ended.err);
  if (const std::string wrong = testing::wrong_in_view(one, scene.folder()); !wrong.empty()) return call + wrong;
  if (ended.code == 0) {
    const std::string difference = testing::undisturbed(one).difference(scene.folder());
    return difference.empty() ? "" : call + "exit code 0, and " + difference;
  }
  const std::string wrong = testing::wrong_after_retry(one, scene);
  return wrong.empty() ? "" : call + wrong;
}

int calls_of(const Case& one) {
  const Scene scene(one);
  Run command = scene.command();
  command.calls = {.folder = scene.folder()};
  return testing::run(command).calls;
}

struct Tally {
  int calls = 0, failed = 0;
  std::map<int, int> codes;
};

void fail_calls(const Case& one, int every, int from, Tally& tally) {
  const int calls = calls_of(one);
  REQUIRE(calls > 5);
  int turn = 0;
  for (int nth = 1; nth <= calls; ++nth)
    for (const auto& [fault, name] : kFaults) {
      if ((turn++ + from) % every != 0) continue;
      const std::string wrong = fail_one(one, nth, fault, tally.codes);
      ++tally.calls;
      if (wrong.empty()) continue;
      ++tally.failed;
      FAIL_CHECK(fmt::format("{}: {} at call {} of {}: {}", one.name, name, nth, calls, wrong));
    }
}

void report(const char* what, const Tally& tally) {
  std::string codes;
  for (const auto& [code, count] : tally.codes) codes += fmt::format(" {}: {}", code, count);
  std::printf("%s: %d failing calls, %d not as they should be; exit codes%s\n", what, tally.calls, tally.failed,
              codes.c_str());
}

}  // namespace

TEST_CASE("faults: calls that fail, a slice of them") {
  Tally tally;
  for (const char* name : {"sample", "record --store", "merge", "fit"})
    fail_calls(testing::case_named(name), 31, 3, tally);
  report("slice", tally);
  CHECK(tally.calls > 30);
}

TEST_CASE("campaign files: every call of every command fails in every way", "[.campaign]") {
  for (const Case& one : testing::cases()) {
    if (one.name == "demo") continue;
    Tally tally;
    fail_calls(one, 1, 0, tally);
    report(one.name.c_str(), tally);
  }
}

TEST_CASE("campaign demo-files: calls of the demo fail, one in nine", "[.campaign]") {
  Tally tally;
  fail_calls(testing::case_named("demo"), 9, 0, tally);
  report("demo", tally);
}

}  // namespace stride
