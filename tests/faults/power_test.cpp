// The power is cut after the n-th call, and a disk that promises nothing but what was synced is found.
#include "tests/catch_torch.h"
#include "tests/faults/commands.h"
#include "tests/faults/disk_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

namespace stride {
namespace {

using faults::Call;
using testing::Case;
using testing::DiskModel;
using testing::Ended;
using testing::Run;
using testing::Scene;
using testing::Survives;

constexpr Survives kAll[] = {Survives::nothing, Survives::names, Survives::some};

/// The calls of an undisturbed run.
std::vector<Call> calls_of(const Scene& scene) {
  Run command = scene.command();
  command.calls = {.folder = scene.folder(), .record = true};
  const Ended ended = testing::run(command);
  REQUIRE(ended.code == 0);
  REQUIRE_FALSE(ended.done.empty());
  return ended.done;
}

/// Leaves in `scene` what is found after `upto` of the calls.
void cut_after(const Case& one, const Scene& recorded, const Scene& scene, const std::vector<Call>& calls,
               std::size_t upto, Survives what, std::mt19937& random) {
  const Scene before(one);
  DiskModel disk(before.folder());
  for (std::size_t i = 0; i < upto; ++i) {
    Call call = calls[i];
    for (std::string* path : {&call.path, &call.other})
      if (path->starts_with(recorded.folder())) path->replace(0, recorded.folder().size(), before.folder());
    disk.apply(call);
  }
  std::filesystem::remove_all(scene.folder());
  disk.cut(scene.folder(), what, random);
}

/// What is wrong after a power cut there; empty: nothing. After the last call the command has said that it is done.
std::string wrong_after_cut(const Case& one, const Scene& recorded, const std::vector<Call>& calls, std::size_t upto,
                            Survives what, std::mt19937& random) {
  const Scene scene(one);
  cut_after(one, recorded, scene, calls, upto, what, random);
  if (const std::string wrong = testing::wrong_in_view(one, scene.folder()); !wrong.empty()) return wrong;
  if (upto == calls.size()) return testing::undisturbed(one).difference(scene.folder(), true);
  return testing::wrong_after_retry(one, scene);
}

int cut_everywhere(const Case& one, std::size_t every, std::mt19937& random) {
  const Scene recorded(one);
  const std::vector<Call> calls = calls_of(recorded);
  int cuts = 0;
  for (std::size_t upto = every / 2; upto <= calls.size(); upto += every)
    for (const Survives what : kAll) {
      const std::string wrong = wrong_after_cut(one, recorded, calls, upto, what, random);
      ++cuts;
      if (!wrong.empty())
        FAIL_CHECK(fmt::format("{}: power cut after call {} of {}, surviving: {}: {}", one.name, upto, calls.size(),
                               static_cast<int>(what), wrong));
    }
  for (const Survives what : kAll) {
    const std::string wrong = wrong_after_cut(one, recorded, calls, calls.size(), what, random);
    ++cuts;
    if (!wrong.empty()) FAIL_CHECK(fmt::format("{}: power cut after the end: {}", one.name, wrong));
  }
  return cuts;
}

}  // namespace

TEST_CASE("faults: power cuts, a slice of them") {
  std::mt19937 random(20261129);
  int cuts = 0;
  for (const char* name : {"sample", "record --store", "fit"})
    cuts += cut_everywhere(testing::case_named(name), 37, random);
  CHECK(cuts > 15);
}

TEST_CASE("faults: controls of the power cuts are found out") {
  std::mt19937 random(20261129);
  const Case& one = testing::case_named("sample");
  const Scene recorded(one);
  const std::vector<Call> calls = calls_of(recorded);
  CHECK(wrong_after_cut(one, recorded, calls, calls.size(), Survives::nothing, random).empty());
  const auto without = [&](char kind) {
    std::vector<Call> out = calls;
    std::erase_if(out, [&](const Call& call) { return call.kind == kind; });
    return out;
  };
  // A run that syncs no folder loses its results, one that syncs no file finds them empty.
  const std::vector<Call> no_folders = without('S'), no_files = without('s');
  REQUIRE(no_folders.size() < calls.size());
  REQUIRE(no_files.size() < calls.size());
  CHECK_FALSE(wrong_after_cut(one, recorded, no_folders, no_folders.size(), Survives::nothing, random).empty());
  CHECK_FALSE(wrong_after_cut(one, recorded, no_files, no_files.size(), Survives::names, random).empty());
  // DONE first: its calls, from the temporary's making to the sync of the folder, before those of results.json.
  const auto renamed_to = [&](const std::string& name) {
    return std::find_if(calls.begin(), calls.end(),
                        [&](const Call& call) { return call.kind == 'r' && call.other.ends_with(name); });
  };
  const auto done = renamed_to("/DONE"), results = renamed_to("/results.json");
  REQUIRE(done != calls.end());
  REQUIRE(results < done);
  std::vector<Call> reversed(calls.begin(), results - 3);
  reversed.insert(reversed.end(), done - 3, done + 2);
  CHECK_FALSE(wrong_after_cut(one, recorded, reversed, reversed.size() - 1, Survives::names, random).empty());
}

TEST_CASE("campaign power: the power is cut after every third call of every command", "[.campaign]") {
  std::mt19937 random(20261129);
  int all = 0;
  for (const Case& one : testing::cases()) {
    const int cuts = cut_everywhere(one, one.name == "demo" ? 60 : 3, random);
    std::printf("%s: %d power cuts\n", one.name.c_str(), cuts);
    all += cuts;
  }
  std::printf("%d power cuts\n", all);
}

}  // namespace stride
