// The n-th allocation of some size fails. What is Stride's own ends in exit code 5; what dies inside a library is
// counted, and docs/results/reliability.md says what it was.
#include "tests/catch_torch.h"
#include "tests/faults/commands.h"

#include <fmt/format.h>

#include <cstdio>
#include <map>
#include <sstream>

namespace stride {
namespace {

using testing::Case;
using testing::Ended;
using testing::Run;
using testing::Scene;

constexpr std::size_t kSize = 256;

/// The program or library that asked: the first that is neither libc nor libstdc++ nor the allocator's. A library of
/// headers is known by the function: nlohmann's documents ask for memory when they are let go of.
std::string who_asked(const std::string& stack) {
  if (stack.find("json_value7destroy") != std::string::npos) return "nlohmann's destructors";
  std::istringstream lines(stack);
  for (std::string line; std::getline(lines, line);) {
    const std::string place = line.substr(0, line.find_first_of("([ "));
    const std::string name = place.substr(place.rfind('/') + 1);
    if (name.starts_with("libc.so") || name.starts_with("libstdc++") || name.starts_with("libstride_fault_calls"))
      continue;
    return name;
  }
  return "unknown";
}

bool is_ours(const std::string& asker) { return asker.starts_with("test_faults"); }

struct Tally {
  int failed = 0, ours = 0;
  std::map<std::string, int> ends;
};

void fail_allocations(const Case& one, int every, Tally& tally) {
  const Scene counted(one);
  Run first = counted.command();
  first.allocations = {.size = kSize};
  const int all = testing::run(first).allocations;
  REQUIRE(all > 0);
  for (int nth = 1 + every / 2; nth <= all; nth += every) {
    const Scene scene(one);
    Run command = scene.command();
    command.allocations = {.size = kSize, .nth = nth};
    const Ended ended = testing::run(command);
    if (!ended.suffered) continue;  // threads: there are not always as many
    ++tally.failed;
    const std::string asker = who_asked(ended.stack);
    const std::string end =
        ended.signal != 0 ? fmt::format("signal {}", ended.signal) : fmt::format("exit code {}", ended.code);
    ++tally.ends[fmt::format("{}, asked by {}", end, is_ours(asker) ? "Stride" : asker)];
    std::string wrong;
    if (is_ours(asker)) {
      ++tally.ours;
      if (ended.code != 5 && ended.code != 0) wrong = fmt::format("{}: {}\n{}", end, ended.err, ended.stack);
    }
    if (wrong.empty()) wrong = testing::wrong_in_view(one, scene.folder());
    if (wrong.empty())
      wrong = ended.code == 0 ? testing::undisturbed(one).difference(scene.folder())
                              : testing::wrong_after_retry(one, scene);
    if (!wrong.empty()) FAIL_CHECK(fmt::format("{}: allocation {} of {}: {}", one.name, nth, all, wrong));
  }
}

void report(const std::string& what, const Tally& tally) {
  std::printf("%s: %d failing allocations of at least %zu bytes, %d of them Stride's own\n", what.c_str(), tally.failed,
              kSize, tally.ours);
  for (const auto& [end, count] : tally.ends) std::printf("  %6d  %s\n", count, end.c_str());
}

}  // namespace

TEST_CASE("faults: allocations that fail, a slice of them") {
  Tally tally;
  for (const char* name : {"sample", "record"}) fail_allocations(testing::case_named(name), 199, tally);
  report("slice", tally);
  CHECK(tally.failed > 5);
}

TEST_CASE("campaign allocations: every allocation of 256 bytes and more fails, in every command", "[.campaign]") {
  for (const Case& one : testing::cases()) {
    Tally tally;
    fail_allocations(one, one.name == "demo" ? 97 : one.name == "fit" || one.name == "train-denoiser" ? 5 : 1, tally);
    report(one.name, tally);
  }
}

}  // namespace stride
