// What was finished before a failure is kept: `sample` its chunks, `demo` what its stages took.
#include "datasets/files/samples_file.h"
#include "evaluation/report/report.h"
#include "framework/files/file.h"
#include "tests/catch_torch.h"
#include "tests/faults/commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <functional>
#include <set>

namespace stride {
namespace {

using faults::Call;
using faults::Fault;
using testing::Case;
using testing::Ended;
using testing::Run;
using testing::Scene;
using testing::Words;

using Pick = std::function<bool(const Call&)>;

/// An undisturbed run, with what it did.
class Recorded final {
 public:
  explicit Recorded(const Case& one) : scene_(one) {
    Run command = scene_.command();
    command.calls = {.folder = scene_.folder(), .record = true};
    ended_ = testing::run(command);
    REQUIRE(ended_.code == 0);
  }
  [[nodiscard]] const Scene& scene() const { return scene_; }
  [[nodiscard]] const std::vector<Call>& done() const { return ended_.done; }

  /// The numbers of the calls of one kind that `pick` takes, as a plan counts them.
  [[nodiscard]] std::vector<int> calls(char kind, const Pick& pick) const {
    std::vector<int> out;
    std::size_t at = 0;
    for (const Call& call : ended_.done) {
      if (call.kind != kind) continue;
      at = ended_.kinds.find(kind, at);
      REQUIRE(at != std::string::npos);
      ++at;
      if (pick(call)) out.push_back(static_cast<int>(at));
    }
    REQUIRE_FALSE(out.empty());
    return out;
  }

 private:
  Scene scene_;
  Ended ended_;
};

/// Calls on what will be called `name` in the end.
Pick on(const std::vector<Call>& done, const std::string& name) {
  std::set<std::string> temporaries;
  for (const Call& call : done)
    if (call.kind == 'r' && call.other.ends_with("/" + name)) temporaries.insert(call.path);
  return [=](const Call& call) { return temporaries.contains(call.path); };
}

/// Three chunks of two samples, with no batch but this one.
Case sampling() {
  Case one = testing::case_named("sample");
  one.name = "sample in three chunks";
  one.words = {"sample", "--model", "pictures.toml", "--seeds", "0-5",       "--steps", "3",        "--batch", "2",
               "--save", "h5",      "--oom",         "fail",    "--threads", "1",       "--outdir", "run"};
  return one;
}

/// After a failure: the samples that are kept, which are the first ones and sound; and --resume goes on behind them to
/// the bits of an undisturbed run.
int64_t kept(const Case& one, const Scene& scene, const Ended& ended) {
  INFO(ended.err);
  REQUIRE(ended.signal == 0);
  REQUIRE(ended.code == 5);
  const std::string path = scene / "run/samples.h5";
  CHECK_FALSE(file_exists(scene / "run/DONE"));
  int64_t rows = 0;
  if (file_exists(path)) {
    const Samples some = read_samples(path);
    rows = some.x.size(0);
    CHECK_THAT(ended.err, contains(fmt::format("{} of 6 samples were finished and are kept", rows)));
    CHECK(some.seed.equal(at::arange(rows, at::kLong)));
  }
  CHECK(testing::wrong_in_view(one, scene.folder()).empty());
  const std::string lines_before =
      file_exists(scene / "run/metrics.jsonl") ? read_file(scene / "run/metrics.jsonl") : "";
  CHECK(testing::wrong_after_retry(one, scene).empty());
  // What is there is not drawn again.
  const std::string lines = read_file(scene / "run/metrics.jsonl").substr(lines_before.size());
  CHECK(std::count(lines.begin(), lines.end(), '\n') == (6 - rows) / 2);
  return rows;
}

}  // namespace

TEST_CASE("faults: sample keeps the chunks before a disk that refuses one") {
  const Case one = sampling();
  const Recorded whole(one);
  const std::vector<int> writes = whole.calls('w', on(whole.done(), "samples.h5"));
  REQUIRE(writes.size() > 4);
  // The first write is of what stands before the samples, the next three are the chunks.
  for (int chunk = 1; chunk <= 3; ++chunk) {
    const Scene scene(one);
    Run command = scene.command();
    command.calls = {
        .folder = scene.folder(), .nth = writes.at(static_cast<std::size_t>(chunk)), .fault = Fault::no_space};
    CHECK(kept(one, scene, testing::run(command)) == 2 * (chunk - 1));
  }
}

TEST_CASE("faults: sample keeps the chunks before one that finds no memory") {
  const Case one = sampling();
  const Scene counted(one);
  Run first = counted.command();
  first.allocations = {.size = 256};
  const int all = testing::run(first).allocations;
  std::set<int64_t> seen;
  for (int nth = all / 2; nth < all; nth += std::max(1, all / 24)) {
    const Scene scene(one);
    Run command = scene.command();
    command.allocations = {.size = 256, .nth = nth};
    const Ended ended = testing::run(command);
    // Where the last chunk was done nothing was lost, and nothing is said.
    if (!ended.suffered || ended.code != 5 || !file_exists(scene / "run/samples.h5")) continue;
    if (read_samples(scene / "run/samples.h5").seed.size(0) < 6) seen.insert(kept(one, scene, ended));
  }
  CHECK((seen.contains(2) || seen.contains(4)));
}

TEST_CASE("faults: a demo that is resumed says what all its stages were and took") {
  const Case& one = testing::case_named("demo");
  const Recorded whole(one);
  const auto renamed = [&](const std::string& name) {
    return whole.calls('r', [&](const Call& call) { return call.other.ends_with("/run/" + name); }).front();
  };
  const auto stages = [](const std::string& path) {
    ReportData data;
    read_report_json(data, read_file(path), path);
    return data.stages;
  };
  const auto disturb = [&](int nth, Fault fault, const std::vector<std::string>& noted) {
    const Scene scene(one);
    Run command = scene.command();
    command.calls = {.folder = scene.folder(), .nth = nth, .fault = fault, .signal = SIGINT};
    const Ended ended = testing::run(command);
    INFO(ended.err);
    CHECK((fault == Fault::kill ? ended.signal == SIGKILL : ended.code == 130));
    const auto before = stages(scene / "run/stages.json");
    REQUIRE(before.size() == noted.size());
    for (std::size_t i = 0; i < noted.size(); ++i) CHECK(before[i].name == noted[i]);
    CHECK(testing::wrong_in_view(one, scene.folder()).empty());
    const std::string sound = read_file(scene / "run/stages.json");
    write_file_atomic(scene / "run/stages.json", sound.substr(0, sound.size() / 2));
    CHECK(testing::run(scene.again()).code == 3);
    write_file_atomic(scene / "run/stages.json", sound);
    CHECK(testing::run(scene.again()).code == 0);
    const auto after = stages(scene / "run/report.json"), want = stages(whole.scene() / "run/report.json");
    REQUIRE(after.size() == want.size());
    for (std::size_t i = 0; i < after.size(); ++i) {
      CHECK(after[i].name == want[i].name);
      CHECK(after[i].summary == want[i].summary);
      CHECK(after[i].seconds > 0.0);
      if (i < before.size()) CHECK(after[i].seconds >= before[i].seconds);
    }
    CHECK(after.front().seconds == before.front().seconds);
  };
  REQUIRE(stages(whole.scene() / "run/report.json").size() == 5);
  disturb(renamed("plan-2.json"), Fault::kill, {"sample", "record"});
  disturb(renamed("results.json"), Fault::signal, {"sample", "record", "fit", "predictor", "evaluate"});
}

}  // namespace stride
