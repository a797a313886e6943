// Two at once: every output has one owner, and the second changes nothing.
#include "tests/catch_torch.h"
#include "tests/faults/commands.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <thread>

namespace stride {
namespace {

namespace fs = std::filesystem;
using testing::Case;
using testing::Ended;
using testing::Run;
using testing::Scene;
using testing::Started;
using testing::Words;
using testing::operator+;

bool is_held(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY);
  if (descriptor < 0) return false;
  const bool held = ::flock(descriptor, LOCK_EX | LOCK_NB) != 0;
  ::close(descriptor);
  return held;
}

bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 20000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

struct Pair {
  std::string name;
  Words first, second;
  std::string lock;  ///< once it is held, the second starts
};

Words instead(Words words, const std::string& option, const std::string& value) {
  for (std::size_t i = 0; i + 1 < words.size(); ++i)
    if (words[i] == option) words[i + 1] = value;
  return words;
}

// A first command that lasts until it is told to stop, and a second that wants the same place.
std::vector<Pair> pairs() {
  const auto words = [](const char* name) { return testing::case_named(name).words; };
  const Words long_fit = instead(words("fit"), "--seeds", "0-99,1000-40000");
  const Words long_fit_fast = instead(instead(long_fit, "--iterations", "500"), "--nfe", "6");
  const Words long_record = instead(instead(words("record --store"), "--seeds", "0-50000"), "--steps", "40");
  const Words long_training =
      instead(instead(words("train-denoiser"), "--images", "4000000"), "--checkpoint-every", "100000");
  const Words long_predictor = instead(words("train-predictor"), "--training-steps", "1000000");
  const Words long_sample = instead(instead(words("sample"), "--seeds", "0-500000"), "--batch", "4");
  return {
      {"a run folder", long_sample, words("sample"), "run/.lock"},
      {"a run folder, resumed", long_sample, {"sample", "--resume", "run"}, "run/.lock"},
      {"a store", long_record, instead(words("record --store"), "--outdir", "run2"), "kept/store/.lock"},
      {"a plan", long_fit_fast, instead(words("fit"), "--outdir", "run2"), "plans/.plan.json.lock"},
      {"a predictor", long_predictor, instead(words("train-predictor"), "--outdir", "run2"), "out/.p.safetensors.lock"},
      {"a model", long_training, instead(words("train-denoiser"), "--outdir", "run2"), ".model.lock"},
      {"a page in the folder of a run", long_sample, {"report", "compared", "--out", "run/report.html"}, "run/.lock"},
  };
}

std::string wrong_of_two(const Pair& pair, const Scene& scene) {
  Started first({.folder = scene.folder(), .words = pair.first});
  const auto has_begun = [&] {
    return is_held(scene / pair.lock) && (pair.lock != "run/.lock" || fs::exists(scene / "run/config.toml"));
  };
  if (!eventually([&] { return has_begun() || !first.running(); })) return "the first never began";
  if (!first.running()) {
    const Ended ended = first.wait();
    return fmt::format("the first ended by itself: {} {}", ended.code, ended.err);
  }
  const Ended second = testing::run({.folder = scene.folder(), .words = pair.second});
  if (!first.running()) return "the first had ended before the second came";
  first.send(SIGTERM);
  const Ended ended = first.wait();
  if (second.code != 6) return fmt::format("the second ended with {}: {}", second.code, second.err);
  if (ended.code != 143) return fmt::format("the first ended with {}: {}", ended.code, ended.err);
  return "";
}

/// A folder with what any of the commands needs.
class Everything final {
 public:
  Everything() : scene_(testing::case_named("train-denoiser")) {
    for (const char* name : {"train-predictor", "report"})
      fs::copy(testing::template_of(testing::case_named(name)), scene_.folder(),
               fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  }
  [[nodiscard]] const Scene& scene() const { return scene_; }

 private:
  Scene scene_;
};

}  // namespace

TEST_CASE("faults: the second writer of an output ends with 6") {
  for (const Pair& pair : pairs()) {
    const Everything place;
    INFO(pair.name);
    CHECK(wrong_of_two(pair, place.scene()) == "");
  }
}

TEST_CASE("faults: a second run changes nothing of a finished one") {
  const Case& one = testing::case_named("train-denoiser");
  const Scene scene(one);
  REQUIRE(testing::run(scene.command()).code == 0);
  const testing::View before = testing::view_of(scene.folder());
  for (const Words& words : {one.words, instead(one.words, "--outdir", "run2"), instead(one.words, "--images", "8")}) {
    const Ended again = testing::run({.folder = scene.folder(), .words = words});
    INFO(again.err);
    CHECK(again.code == 2);
  }
  CHECK(testing::view_of(scene.folder()) == before);
  // A file of another run is replaced, and not in silence.
  const Case& fit = testing::case_named("fit");
  const Scene fitted(fit);
  REQUIRE(testing::run(fitted.command()).code == 0);
  const Ended replaced = testing::run({.folder = fitted.folder(), .words = instead(fit.words, "--outdir", "run2")});
  CHECK(replaced.code == 0);
  CHECK_THAT(replaced.err, contains("plans/plan.json is there already and will be replaced"));
}

TEST_CASE("faults: ranks of one store whose shares overlap are refused before they write") {
  const Case& one = testing::case_named("record --store");
  const auto rank = [&](const char* shard, const char* seeds, const std::string& outdir) {
    return instead(instead(instead(one.words, "--seeds", seeds), "--outdir", outdir), "--steps", "40") +
           Words{"--shard", shard};
  };
  const Scene scene(one);
  Started first({.folder = scene.folder(), .words = rank("0/2", "0-50000", "a")});
  REQUIRE(eventually([&] { return is_held(scene / "kept/store/rank-0/.lock") || !first.running(); }));
  REQUIRE(first.running());
  const std::string others = scene / "kept/store/rank-1";
  for (const auto& [shard, seeds] :
       {std::pair{"1/3", "0-50000"}, std::pair{"1/2", "1-50001"}, std::pair{"1/2", "0-9"}}) {
    const Ended second =
        testing::run({.folder = scene.folder(), .words = rank(shard, seeds, fmt::format("b-{}", seeds))});
    INFO(shard << " of " << seeds << ": " << second.err);
    CHECK(second.code == 6);
    CHECK_THAT(second.err, contains("is in the share of"));
    CHECK_FALSE(fs::exists(others + "/manifest.json"));
    fs::remove_all(scene / fmt::format("b-{}", seeds));
  }
  Started right({.folder = scene.folder(), .words = rank("1/2", "0-50000", "c")});
  CHECK(eventually([&] { return is_held(others + "/.lock") || !right.running(); }));
  CHECK(right.running());
  for (Started* each : {&first, &right}) {
    each->send(SIGTERM);
    CHECK(each->wait().code == 143);
  }
  // Who has ended is in nobody's way.
  const Ended later = testing::run({.folder = scene.folder(), .words = rank("1/2", "900000-900003", "d")});
  CHECK(later.code == 0);
}

TEST_CASE("campaign owners: the same command several times at once", "[.campaign]") {
  int runs = 0;
  for (const Case& one : testing::cases()) {
    if (one.name == "demo") continue;
    for (int round = 0; round < 4; ++round) {
      const Scene scene(one);
      Started first(scene.command()), second(scene.command());
      const Ended ends[] = {first.wait(), second.wait()};
      runs += 2;
      const int right =
          static_cast<int>(std::count_if(std::begin(ends), std::end(ends), [](const Ended& e) { return e.code == 0; }));
      for (const Ended& end : ends)
        if (end.code != 0 && end.code != 6 && end.code != 2)
          FAIL_CHECK(fmt::format("{}: {} {}", one.name, end.code, end.err));
      if (right == 0) FAIL_CHECK(one.name + ": nobody finished");
      if (const std::string difference = testing::undisturbed(one).difference(scene.folder()); !difference.empty())
        FAIL_CHECK(one.name + ": " + difference);
    }
  }
  for (const Pair& pair : pairs())
    for (int round = 0; round < 3; ++round) {
      const Everything place;
      const std::string wrong = wrong_of_two(pair, place.scene());
      runs += 2;
      if (!wrong.empty()) FAIL_CHECK(pair.name + ": " + wrong);
    }
  std::printf("%d concurrent runs\n", runs);
}

}  // namespace stride
