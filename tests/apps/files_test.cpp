// Files that lie about themselves or about a run, through the command line.
#include "datasets/files/samples_file.h"
#include "datasets/store/trajectory_store.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "framework/files/orphans.h"
#include "framework/files/safetensors.h"
#include "neural/training/checkpoint.h"
#include "tests/apps/in_process.h"
#include "tests/catch_torch.h"
#include "tests/datasets/image_files.h"
#include "tests/pipeline/mixture_card.h"
#include "tests/temporary_folder.h"

#include <ATen/ATen.h>
#include <sys/resource.h>
#include <fstream>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::Outcome;
using Words = std::vector<std::string>;

class Desk final {
 public:
  Desk() { write_file_atomic(folder_ / "gm.toml", testing::kMixtureCard); }
  [[nodiscard]] std::string operator/(const std::string& name) const { return folder_ / name; }
  [[nodiscard]] Outcome run(const Words& words) const { return testing::run_here(folder_.path(), words); }
  void done(const Words& words) const {
    const Outcome got = run(words);
    INFO(words[0] << ": " << got.err);
    REQUIRE(got.code == 0);
  }
  void refused(const Words& words, int code, const std::string& why) const {
    const Outcome got = run(words);
    INFO(words[0] << ": " << got.out << got.err);
    CHECK(got.code == code);
    CHECK_THAT(got.err, contains(why));
  }
  void sample(const std::string& out, const std::string& seeds = "0-3", const std::string& steps = "3") const {
    done({"sample", "--model", *this / "gm.toml", "--steps", steps, "--seeds", seeds, "--outdir", *this / out});
  }
  void record(const std::string& seeds, const std::string& out, const Words& more = {}) const {
    Words words = {"record",       "--model", *this / "gm.toml", "--steps",   "4",        "--seeds",  seeds,
                   "--shard-rows", "8",       "--store",         *this / "d", "--outdir", *this / out};
    words.insert(words.end(), more.begin(), more.end());
    done(words);
  }
  void edit(const std::string& name, const std::function<void(std::string&)>& change) const {
    std::string text = read_file(*this / name);
    change(text);
    write_file_atomic(*this / name, text);
  }

 private:
  testing::TemporaryFolder folder_;
};

void replace(std::string& text, const std::string& from, const std::string& to) {
  REQUIRE(text.find(from) != std::string::npos);
  text.replace(text.find(from), from.size(), to);
}

}  // namespace

TEST_CASE("files: recording under an old manifest loses no shard") {
  const Desk desk;
  desk.record("0-15", "r1");
  const std::string old = read_file(desk / "d/manifest.json");
  desk.record("0-47", "r2");
  const std::string whole = read_file(desk / "d/manifest.json");
  std::vector<std::string> shards;
  for (int i = 0; i < 6; ++i) shards.push_back(read_file(desk / ("d/" + shard_name(i))));
  write_file_atomic(desk / "d/manifest.json", old);
  desk.record("0-63", "r3");
  CHECK(TrajectoryStore(desk / "d").size() == 64);
  write_file_atomic(desk / "d/manifest.json", whole);
  desk.done({"verify", desk / "d"});
  for (int i = 0; i < 6; ++i) CHECK(read_file(desk / ("d/" + shard_name(i))) == shards[static_cast<std::size_t>(i)]);
}

TEST_CASE("files: the settings of a run are those that it began with") {
  const Desk desk;
  desk.sample("run");
  fs::remove(desk / "run/DONE");
  const std::string config = read_file(desk / "run/config.toml"), manifest = read_file(desk / "run/manifest.json");
  const Words resume = {"sample", "--resume", desk / "run"};
  const auto refused = [&](const std::string& file, const std::string& text, const std::string& why) {
    write_file_atomic(desk / ("run/" + file), text);
    desk.refused(resume, 3, why);
    desk.refused({"verify", desk / "run"}, 3, "problem");
    write_file_atomic(desk / ("run/config.toml"), config);
    write_file_atomic(desk / ("run/manifest.json"), manifest);
  };
  for (std::size_t end = config.find('\n'); end != std::string::npos && end + 1 < config.size();
       end = config.find('\n', end + 1))
    refused("config.toml", config.substr(0, end + 1), "config.toml: is not the configuration");
  std::string edited = config;
  replace(edited, "steps = 3", "steps = 4");
  refused("config.toml", edited, "config.toml: is not the configuration");
  edited = manifest;
  replace(edited, "config_xxh3_128", "konfig_xxh3_128");
  refused("manifest.json", edited, "manifest.json: its checksum is wrong");
  fs::remove(desk / "run/manifest.json");
  desk.refused(resume, 3, "manifest.json: is missing");
  desk.refused({"verify", desk / "run"}, 3, "");
  write_file_atomic(desk / "run/manifest.json", manifest);
  desk.done(resume);

  // A manifest of an earlier version: read, and not checked; from now on there is a checksum.
  fs::remove(desk / "run/DONE");
  json before = json::parse(manifest);
  before.erase("xxh3_128");
  before.erase("config_xxh3_128");
  write_file_atomic(desk / "run/manifest.json", before.dump());
  desk.done(resume);
  CHECK(json::parse(read_file(desk / "run/manifest.json")).contains("config_xxh3_128"));
}

TEST_CASE("files: samples of another grid are not mixed into a run") {
  const Desk desk;
  desk.sample("run");
  desk.sample("other", "0-1", "4");
  desk.sample("same", "0-1");
  fs::remove(desk / "run/DONE");
  const auto with = [&](const std::string& other) {
    fs::copy_file(desk / other, desk / "run/samples.h5", fs::copy_options::overwrite_existing);
  };
  with("other/samples.h5");
  desk.refused({"sample", "--resume", desk / "run"}, 3, "differ in sigmas");
  for (const char* name : {"solver", "schedule", "final", "policy", "dtype", "model_sha256"}) {
    Samples samples = read_samples(desk / "same/samples.h5");
    samples.attributes[name] += "x";
    write_samples(desk / "changed.h5", samples);
    with("changed.h5");
    desk.refused({"sample", "--resume", desk / "run"}, 3, std::string("differ in ") + name);
  }
  with("same/samples.h5");
  desk.done({"sample", "--resume", desk / "run"});
  CHECK(read_samples(desk / "run/samples.h5").x.size(0) == 4);
}

TEST_CASE("files: samples.h5 that lost its last line is no other program's file") {
  const Desk desk;
  desk.sample("run", "0-63");
  const std::string good = read_file(desk / "run/samples.h5");
  for (const std::size_t lost : {1, 79, 80, 512, 600}) {
    for (const bool zeros : {false, true}) {
      std::string bad = good.substr(0, good.size() - lost);
      if (zeros) bad.append(lost, '\0');
      write_file_atomic(desk / "bad.h5", bad);
      INFO(lost << (zeros ? " zeros" : " missing"));
      for (const char* option : {"--init", "--start"})
        desk.refused({"sample", "--model", desk / "gm.toml", "--steps", "3", "--seeds", "0-63", option, desk / "bad.h5",
                      "--outdir", desk / "never"},
                     3, "bad.h5");
      desk.refused({"metrics", "--samples", desk / "bad.h5", "--ref", desk / "run", "--metric", "rmse"}, 3, "bad.h5");
      desk.refused({"verify", desk / "bad.h5"}, 3, "problem");
    }
  }
}

TEST_CASE("files: any bit of a training checkpoint that changes is found") {
  const Desk desk;
  const auto values = [](int64_t n) { return at::linspace(-1.0, 1.0, n, at::kFloat); };
  const TrainingState state{values(50), values(50) * 2, {values(50) * 3, values(50) * 4, 7}};
  const std::string path = desk / "checkpoint.safetensors";
  save_checkpoint(path, state, "mine");
  const std::string good = read_file(path);
  REQUIRE(load_checkpoint(path, "mine", 50, at::kCPU)->adam.step == 7);
  int found = 0;
  for (std::size_t bit = 0; bit < good.size() * 8; bit += 5) {
    std::string bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    write_file_atomic(path, bad);
    INFO("bit " << bit << " of " << good.size() * 8);
    try {
      const auto read = load_checkpoint(path, "mine", 50, at::kCPU);
      // Blanks that pad the header say nothing.
      CHECK((good[bit / 8] == ' ' && at::equal(read->average, state.average)));
    } catch (const Error&) {
      ++found;
    }
  }
  CHECK(found > static_cast<int>(good.size()));
  // One of an earlier version has no checksum, and is read.
  std::string header = R"({"__metadata__":{"format":"stride-checkpoint","identity":"mine","version":"1"})";
  std::string data;
  for (const auto& [name, tensor] : read_safetensors([&] { return write_file_atomic(path, good), path; }())) {
    const std::string bytes(static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes());
    header += ",\"" + name + "\":{\"dtype\":\"" + (name == "step" ? "I64" : "F32") + "\",\"shape\":[" +
              std::to_string(tensor.size(0)) + "],\"data_offsets\":[" + std::to_string(data.size()) + "," +
              std::to_string(data.size() + bytes.size()) + "]}";
    data += bytes;
  }
  const auto file = [&](std::string text) {
    const uint64_t size = text.size();
    return std::string(reinterpret_cast<const char*>(&size), 8) + text + data;
  };
  write_file_atomic(path, file(header + "}"));
  CHECK(load_checkpoint(path, "mine", 50, at::kCPU)->adam.step == 7);
  replace(header, "\"1\"", "\"2\"");
  write_file_atomic(path, file(header + "}"));
  CHECK_THROWS_WITH(load_checkpoint(path, "mine", 50, at::kCPU), contains("its checksum is gone"));
}

TEST_CASE("files: outputs do not replace what they are made from") {
  const Desk desk;
  make_folders(desk / "images");
  for (int i = 0; i < 3; ++i)
    write_file_atomic(desk / ("images/" + std::to_string(i) + ".png"),
                      testing::png_of(testing::some_pixels(8, 8, 1, static_cast<unsigned>(i))));
  desk.sample("run");
  desk.done({"evaluate", "--model", desk / "gm.toml", "--solver", "euler", "--nfe", "2", "--teacher", "heun:steps=4",
             "--seeds", "0-7", "--blocks", "2", "--outdir", desk / "judged"});
  const Words fit = {"fit",   "--model", desk / "gm.toml", "--seeds",      "0-7",          "--val-seeds", "100-107",
                     "--nfe", "2",       "--teacher",      "heun:steps=6", "--iterations", "1",           "--restarts",
                     "1",     "--final", "sigma_min"};
  const auto with = [](Words words, const Words& more) {
    return words.insert(words.end(), more.begin(), more.end()), words;
  };
  desk.done(with(fit, {"--plan-out", desk / "plan.json", "--outdir", desk / "fitted"}));
  const std::string plan = read_file(desk / "plan.json"), results = read_file(desk / "judged/results.json");

  desk.refused(with(fit, {"--init-plan", desk / "plan.json", "--plan-out", desk / "plan.json"}), 2,
               "is read by this command");
  fs::create_hard_link(desk / "plan.json", desk / "same.json");
  desk.refused(with(fit, {"--init-plan", desk / "plan.json", "--plan-out", desk / "same.json"}), 2,
               "is read by this command");
  desk.refused(with(fit, {"--plan-out", desk / "gm.toml"}), 2, "is read by this command");
  for (const char* name : {"results.json", "results.csv", "manifest.json", "DONE", "config.toml"})
    desk.refused({"report", desk / "judged", "--out", desk / (std::string("judged/") + name)}, 2, "judged");
  desk.refused(with(fit, {"--plan-out", desk / "fitted/plan.json"}), 2, "is a file of the run");
  CHECK(read_file(desk / "plan.json") == plan);
  CHECK(read_file(desk / "judged/results.json") == results);

  // A page may be written again, and the run is whole after it.
  for (int i = 0; i < 2; ++i) desk.done({"report", desk / "judged", "--title", "another"});
  desk.done({"report", desk / "judged", "--out", desk / "judged/report.html"});
  desk.done({"verify", desk / "judged"});
  desk.edit("judged/report.html", [](std::string& text) { text[text.size() / 2] ^= 1; });
  desk.refused({"verify", desk / "judged"}, 3, "problem");
}

TEST_CASE("files: statistics of images that are not finite are refused") {
  const Desk desk;
  Samples samples;
  samples.x = at::rand({4, 1, 8, 8}, at::kFloat);
  samples.x[2][0][3][3] = std::numeric_limits<float>::quiet_NaN();
  samples.seed = at::arange(4);
  samples.nfe = samples.model_evals = at::ones({4}, at::kLong);
  samples.status = at::zeros({4}, at::kLong);
  write_samples(desk / "bad.h5", samples);
  desk.refused({"stats", "--data", desk / "bad.h5", "--features", "features-digits", "--out", desk / "s.npz"}, 3,
               "bad.h5: sample 2 holds a value that is not finite");
  CHECK_FALSE(fs::exists(desk / "s.npz"));
}

TEST_CASE("files: temporaries of killed processes go when something is written beside them, others stay") {
  const testing::TemporaryFolder folder;
  const pid_t child = fork();
  if (child == 0) {
    // Leaves its temporary: killed in the middle.
    write_file_atomic(folder / "whole", "x");
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  // What such a one is called, from one that lives.
  std::string name;
  class Watch final : public FileSystem {
   public:
    explicit Watch(std::string& name) : name_(name) {}
    int open(const std::string& path, int flags, unsigned mode) override { return real_.open(path, flags, mode); }
    int64_t read(int descriptor, void* bytes, std::size_t size) override { return real_.read(descriptor, bytes, size); }
    int64_t write(int descriptor, const void* bytes, std::size_t size) override {
      return real_.write(descriptor, bytes, size);
    }
    int sync(int descriptor) override { return real_.sync(descriptor); }
    int close(int descriptor) override { return real_.close(descriptor); }
    int rename(const std::string& from, const std::string& to) override {
      name_ = from.substr(from.rfind('/') + 1);
      return real_.rename(from, to);
    }
    int remove(const std::string& path) override { return real_.remove(path); }
    int make_folder(const std::string& path) override { return real_.make_folder(path); }
    int list(const std::string& path, std::vector<std::string>& names) override { return real_.list(path, names); }

   private:
    FileSystem& real_ = posix_file_system();
    std::string& name_;
  } watch(name);
  write_file_atomic(folder / "mine", "x", watch);
  const std::string own = std::to_string(getpid());
  REQUIRE(name.find("-" + own + "-") != std::string::npos);
  std::string dead = name;
  dead.replace(dead.find(own), own.size(), std::to_string(child));
  std::string elsewhere = dead;
  elsewhere[elsewhere.rfind('-') - 1] = elsewhere[elsewhere.rfind('-') - 1] == '0' ? '1' : '0';  // another machine's
  const std::string ancient = ".stride-tmp-1-00000000-1234";
  for (const std::string& each : {name, dead, elsewhere, ancient}) write_file_atomic(folder / each, "half");
  fs::last_write_time(folder / ancient, fs::file_time_type::clock::now() - std::chrono::hours(25));
  std::vector<std::string> gone = remove_orphaned_temporaries(folder.path());
  std::sort(gone.begin(), gone.end());
  std::vector<std::string> wanted = {dead, ancient};
  std::sort(wanted.begin(), wanted.end());
  CHECK(gone == wanted);
  CHECK(fs::exists(folder / name));
  CHECK(fs::exists(folder / elsewhere));
}

TEST_CASE("files: names from a file reach the terminal as text") {
  const Desk desk;
  const std::string evil =
      "x\x1b[2Jy\nok       forged\r\xc2\x9b"
      "31m\xe2\x80\xae";
  write_safetensors(desk / "evil.safetensors", {{evil, at::ones({2})}}, {{"note" + evil, evil}});
  const Outcome got = desk.run({"inspect", desk / "evil.safetensors"});
  CHECK(got.code == 0);
  for (const std::string& bad : {std::string("\x1b"), std::string("\r"), std::string("\xc2\x9b"),
                                 std::string("\xe2\x80\xae"), std::string("\nok ")})
    CHECK(got.out.find(bad) == std::string::npos);
  CHECK_THAT(got.out, contains("x\\x1b[2Jy\\nok"));
  // In messages too.
  desk.refused({"sample", "--model", desk / "gm.toml", "--policy", "predictor:" + (desk / "evil.safetensors")}, 3, "");
  const Outcome missing = desk.run({"verify", desk / evil});
  CHECK(missing.code == 3);
  CHECK(missing.err.find('\x1b') == std::string::npos);
  CHECK(missing.err.find("\nok") == std::string::npos);
  // The same, for programs.
  CHECK(json::parse(desk.run({"inspect", desk / "evil.safetensors", "--json"}).out).at("tensors").contains(evil));
}

}  // namespace stride
