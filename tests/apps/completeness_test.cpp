// Every file of everything that Stride leaves is damaged in every way, one at a time: `verify` finds it, what reads it
// refuses it or gets the right values, and a resumed run refuses it or ends as if nothing had happened.
#include "datasets/files/samples_file.h"
#include "datasets/store/trajectory_store.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "framework/files/safetensors.h"
#include "tests/apps/in_process.h"
#include "tests/catch_torch.h"
#include "tests/damage.h"
#include "tests/datasets/image_files.h"
#include "tests/temporary_folder.h"

#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>

namespace stride {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::Outcome;
using Words = std::vector<std::string>;

// Of images 1 × 4 × 4, so that pictures can be saved.
std::string card() {
  std::string means[2];
  for (int i = 0; i < 16; ++i)
    for (int k = 0; k < 2; ++k)
      means[k] += (i > 0 ? ", " : "") + std::to_string(k == 0 ? 0.05 * i - 0.5 : 0.4 - 0.03 * i);
  return "[model]\nkind = \"gaussian_mixture\"\nshape = [1, 4, 4]\nweights = [0.4, 0.6]\nstd = [0.2, 0.1]\nmeans = [[" +
         means[0] + "],\n[" + means[1] + "]]\n";
}

// A number for everything in `value` but times.
json without_times(json value) {
  if (value.is_object()) {
    for (const char* key : {"seconds", "peak_bytes", "time", "xxh3_128", "seconds_waiting", "run_dir"})
      value.erase(key);
    for (auto& entry : value) entry = without_times(entry);
  } else if (value.is_array()) {
    for (auto& entry : value) entry = without_times(entry);
  }
  return value;
}

std::string hash_of(const Tensor& values) {
  const Tensor plain = values.cpu().contiguous();
  return xxh3_128({static_cast<const char*>(plain.const_data_ptr()), plain.nbytes()});
}

// What a file says, whatever it took to make it.
std::string content_of(const std::string& path) {
  if (path.ends_with(".json")) return without_times(json::parse(read_file(path))).dump();
  if (path.ends_with(".safetensors")) {
    std::string out;
    for (const auto& [name, tensor] : read_safetensors(path)) out += name + " " + hash_of(tensor) + "\n";
    return out;
  }
  if (path.ends_with("results.csv")) return "";  // of results.json
  return xxh3_128_file(path);
}

std::string content_of_store(const std::string& folder) {
  const TrajectoryStore store(folder);
  std::string out;
  std::vector<int64_t> seeds = store.seeds();
  std::sort(seeds.begin(), seeds.end());
  for (const int64_t seed : seeds)
    out += std::to_string(seed) + " " + hash_of(store.batch(store.rows_of({seed})).x) + "\n";
  return out;
}

/// One kind of thing that Stride leaves.
struct Kind {
  std::string name;
  /// Makes it at `place` (which is new; others may be beside it).
  std::function<void(const std::string& place)> make;
  /// The results that a resumed run must end with: files of it, or "store".
  std::vector<std::string> results;
  std::string command;  ///< of --resume; empty: it is no run
  /// A command that reads it and writes nothing; its output is what it read.
  std::function<Words(const std::string& place)> use;
  /// What `verify` is given, in `place`; empty: all of it.
  std::string target = {};
  /// Files whose damage `verify` cannot know of, as a regular expression, and why.
  std::string unchecked = "^$";
};

class Bench final {
 public:
  Bench() {
    write_file_atomic(folder_ / "gm.toml", card());
    make_folders(folder_ / "images");
    for (int i = 0; i < 4; ++i)
      write_file_atomic(folder_ / ("images/" + std::to_string(i) + ".png"),
                        testing::png_of(testing::some_pixels(8, 8, 1, static_cast<unsigned>(i))));
  }
  [[nodiscard]] std::string operator/(const std::string& name) const { return folder_ / name; }
  [[nodiscard]] Outcome run(Words words) const {
    words.insert(words.begin() + 1, {"--threads", "1"});
    return testing::run_here(folder_.path(), words);
  }
  void done(const Words& words) const {
    const Outcome got = run(words);
    INFO(words[0] << ": " << got.err);
    REQUIRE(got.code == 0);
  }

  [[nodiscard]] std::vector<Kind> kinds() const;

 private:
  [[nodiscard]] Kind sample(bool finished) const;
  [[nodiscard]] Kind record(bool finished) const;
  [[nodiscard]] Kind evaluate(bool finished) const;
  [[nodiscard]] Kind fit() const;
  [[nodiscard]] Kind predictor() const;
  [[nodiscard]] Kind denoiser() const;
  [[nodiscard]] std::vector<Kind> single_things() const;

  testing::TemporaryFolder folder_;
};

Kind Bench::sample(bool finished) const {
  Kind kind;
  kind.name = finished ? "sample" : "sample, stopped";
  kind.command = "sample";
  kind.results = {"samples.h5", "samples.npz", "grid.png", "images/000000.png", "images/000003.png"};
  kind.make = [this, finished](const std::string& place) {
    done({"sample", "--model", *this / "gm.toml", "--steps", "4", "--seeds", "0-3", "--save", "h5,npz,png", "--outdir",
          place});
    if (finished) return;
    // As a signal leaves it after two of the samples.
    Samples samples = read_samples(place + "/samples.h5");
    for (Tensor* values : {&samples.x, &samples.seed, &samples.nfe, &samples.model_evals, &samples.status})
      *values = values->narrow(0, 0, 2);
    write_samples(place + "/samples.h5", samples);
    for (const char* name : {"DONE", "results.json"}) fs::remove(place + "/" + name);
  };
  kind.use = [this](const std::string& place) {
    return Words{"metrics", "--samples", place, "--ref", place, "--metric", "rmse", "--json"};
  };
  // Logs of a run that goes on; and what it will write anew.
  if (!finished) kind.unchecked = "metrics.jsonl|log.ndjson|tb/.*|images/.*|command.txt|samples.npz|grid.png";
  return kind;
}

Kind Bench::record(bool finished) const {
  Kind kind;
  kind.name = finished ? "record" : "record, killed";
  kind.command = "record";
  kind.results = {"store"};
  kind.make = [this, finished](const std::string& place) {
    done({"record", "--model", *this / "gm.toml", "--steps", "3", "--seeds", "0-5", "--shard-rows", "3", "--outdir",
          place});
    if (finished) return;
    for (const char* name : {"DONE", "results.json"}) fs::remove(place + "/" + name);
  };
  kind.use = [](const std::string& place) { return Words{"inspect", place + "/store"}; };
  if (!finished) kind.unchecked = "metrics.jsonl|log.ndjson|command.txt";
  return kind;
}

Kind Bench::evaluate(bool finished) const {
  Kind kind;
  kind.name = finished ? "evaluate" : "evaluate, killed";
  kind.command = "evaluate";
  kind.results = {"results.json",  "strip-teacher.png", "strip-000.png",
                  "strip-001.png", "seeds-000.npz",     "seeds-001.npz"};
  kind.make = [this, finished](const std::string& place) {
    done({"evaluate", "--model", *this / "gm.toml", "--solver", "euler", "--solver", "ddim", "--nfe", "2", "--teacher",
          "heun:steps=4", "--seeds", "0-7", "--blocks", "2", "--images", "4", "--outdir", place});
    if (!finished)
      for (const char* name : {"DONE", "report.html"}) fs::remove(place + "/" + name);
  };
  kind.use = [this](const std::string& place) { return Words{"report", place, "--out", *this / "page.html"}; };
  if (!finished) kind.unchecked = "results.csv|log.ndjson|command.txt";
  return kind;
}

Kind Bench::fit() const {
  Kind kind;
  kind.name = "fit";
  kind.command = "fit";
  kind.results = {"plan.json"};
  kind.make = [this](const std::string& place) {
    done({"fit", "--model", *this / "gm.toml", "--seeds", "0-7", "--val-seeds", "100-107", "--nfe", "2", "--teacher",
          "heun:steps=6", "--iterations", "1", "--restarts", "1", "--final", "sigma_min", "--outdir", place});
  };
  return kind;
}

Kind Bench::predictor() const {
  Kind kind;
  kind.name = "train-predictor";
  kind.command = "train-predictor";
  kind.results = {"predictor.safetensors"};
  kind.make = [this](const std::string& place) {
    if (!fs::exists(*this / "teacher"))
      done({"record", "--model", *this / "gm.toml", "--steps", "8", "--seeds", "0-39", "--outdir", *this / "teacher"});
    done({"train-predictor", "--store", *this / "teacher", "--training-steps", "3", "--jumps", "4", "--outdir", place});
  };
  return kind;
}

Kind Bench::denoiser() const {
  Kind kind;
  kind.name = "train-denoiser";
  kind.command = "train-denoiser";
  kind.results = {"model/unet.safetensors"};
  kind.make = [this](const std::string& place) {
    done({"train-denoiser", "--data", *this / "images", "--unconditional", "--out", *this / "model", "--channels", "8",
          "--embedding", "8", "--images", "8", "--minibatch", "4", "--outdir", place});
  };
  return kind;
}

// What stands by itself, with what reads it.
std::vector<Kind> Bench::single_things() const {
  std::vector<Kind> out;
  const auto add = [&](const std::string& name, const std::string& target, auto make, auto use,
                       const std::string& unchecked = "^$") {
    out.push_back({name, make, {}, "", use, target, unchecked});
  };
  add(
      "plan", "/plan.json",
      [this](const std::string& place) {
        make_folders(place), fit().make(*this / "fit"), fs::copy_file(*this / "fit/plan.json", place + "/plan.json");
      },
      [this](const std::string& place) {
        return Words{"schedule", "--model", *this / "gm.toml", "--solver", "plan:" + place + "/plan.json", "--json"};
      });
  add(
      "predictor", "/predictor.safetensors",
      [this](const std::string& place) {
        make_folders(place), predictor().make(*this / "trained");
        fs::copy_file(*this / "trained/predictor.safetensors", place + "/predictor.safetensors");
      },
      [](const std::string& place) {
        return Words{"inspect", place + "/predictor.safetensors"};
      });
  add(
      "model", "",
      [this](const std::string& place) {
        denoiser().make(*this / "training");
        fs::copy(*this / "model", place, fs::copy_options::recursive);
      },
      [](const std::string& place) {
        return Words{"sample", "--model", place, "--dry-run", "--json"};
      });
  add(
      "statistics", "/stats.npz",
      [this](const std::string& place) {
        make_folders(place);
        done({"stats", "--data", *this / "images", "--features", "features-digits", "--out", place + "/stats.npz"});
      },
      [](const std::string& place) {
        return Words{"metrics",    "--samples",       "digits",   "--ref", place + "/stats.npz",
                     "--features", "features-digits", "--metric", "fd",    "--dry-run",
                     "--json"};
      },
      "stats.npz");
  add(
      "store of two ranks", "",
      [this](const std::string& place) {
        for (const char* shard : {"0/2", "1/2"})
          done({"record", "--model", *this / "gm.toml", "--steps", "3", "--seeds", "0-5", "--shard", shard, "--store",
                place, "--outdir", place + "-run-" + shard[0]});
      },
      [](const std::string& place) {
        return Words{"inspect", place};
      });
  return out;
}

std::vector<Kind> Bench::kinds() const {
  std::vector<Kind> out = {sample(true),    sample(false), record(true), record(false), evaluate(true),
                           evaluate(false), fit(),         predictor(),  denoiser()};
  for (Kind& kind : single_things()) out.push_back(std::move(kind));
  return out;
}

std::vector<std::string> files_of(const std::string& folder) {
  std::vector<std::string> out;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.is_regular_file() && entry.path().filename() != ".lock")
      out.push_back(fs::relative(entry.path(), folder).string());
  std::sort(out.begin(), out.end());
  return out;
}

std::map<std::string, std::string> contents(const Kind& kind, const std::string& place) {
  std::map<std::string, std::string> out;
  for (const std::string& name : kind.results)
    out[name] = name == "store" ? content_of_store(place + "/store") : content_of(place + "/" + name);
  return out;
}

struct Counts {
  int damaged = 0, found = 0, noted = 0, unchecked = 0, refused = 0, same = 0, read_refused = 0, read_same = 0,
      harmless = 0;
};

// One kind, each file of it, each damage for which `take` says so.
class Campaign final {
 public:
  Campaign(const Bench& bench, Kind kind) : bench_(bench), kind_(std::move(kind)) {
    kind_.make(good_);
    const Outcome whole = bench_.run({"verify", good_ + kind_.target});
    INFO(kind_.name << ": " << whole.out << whole.err);
    REQUIRE(whole.code == 0);
    finished_ = kind_.command.empty() || fs::exists(good_ + "/DONE");
    if (!kind_.command.empty()) wanted_ = contents_of_finished();
    if (kind_.use) used_ = outcome_of(kind_.use(good_));
  }

  void damage_all(std::size_t flips, const std::function<bool(std::size_t)>& take) {
    std::size_t turn = 0;
    for (const std::string& name : files_of(good_)) {
      for (const testing::Damage& damage : testing::damages_of(read_file(good_ + "/" + name), flips)) {
        if (take(turn++)) one(name, damage);
      }
    }
  }

  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  // The run as it ends when nothing happens to it: what is not finished is resumed first.
  std::map<std::string, std::string> contents_of_finished() {
    if (fs::exists(good_ + "/DONE")) return contents(kind_, good_);
    copy();
    bench_.done({kind_.command, "--resume", place_});
    return contents(kind_, place_);
  }

  void copy() {
    fs::remove_all(place_);
    fs::copy(good_, place_, fs::copy_options::recursive);
  }

  // A blank that is gone from a document.
  static bool means_the_same(const std::string& name, const std::string& good, const std::string& bad) {
    if (!name.ends_with(".json") && name != "DONE") return false;
    const json parsed = json::parse(bad, nullptr, false);
    return !parsed.is_discarded() && parsed == json::parse(good);
  }

  // What a command says, with the place of the good thing in it, and without times and speeds.
  std::string outcome_of(const Words& words) {
    Outcome got = bench_.run(words);
    if (got.code != 0) return "exit " + std::to_string(got.code) + " " + got.err;
    for (std::size_t at = got.out.find(place_); at != std::string::npos; at = got.out.find(place_, at))
      got.out.replace(at, place_.size(), good_);
    return got.out;
  }

  // Refused with a message that names the file, or a folder of it, and with no text of a library.
  void check_refusal(int code, const std::string& err) {
    INFO(err);
    CHECK((code == 3 || code == 2));
    for (const char* foreign : {"json.exception", "what()", "c10", "HDF5-DIAG", "terminate"})
      CHECK(err.find(foreign) == std::string::npos);
    // Where it would put its model is one already: whose, only the file that is gone could say.
    CHECK_THAT(err, contains(fs::path(place_).filename().string()) || contains("a finished model is there"));
  }

  void one(const std::string& name, const testing::Damage& damage) {
    INFO(kind_.name << ": " << name << ", " << damage.name);
    copy();
    const std::string path = place_ + "/" + name;
    if (damage.bytes)
      write_file_atomic(path, *damage.bytes);
    else
      fs::remove(path);
    ++counts_.damaged;

    const Outcome seen = bench_.run({"verify", place_ + kind_.target});
    if (seen.code == 3) {
      ++counts_.found;
    } else if (damage.bytes && means_the_same(name, read_file(good_ + "/" + name), *damage.bytes)) {
      ++counts_.harmless;
    } else if (!damage.bytes && !finished_) {
      ++counts_.unchecked;  // it may not have been there yet; what the run ends with is compared below
    } else if (std::regex_match(name, std::regex(kind_.unchecked))) {
      ++counts_.unchecked;
    } else {
      // An end that is gone is no damage, but must be said.
      INFO(seen.out << seen.err);
      // Or the name of the checksum itself was hit: all else is whole.
      const bool bare = seen.out.find(name + ": can be read; it has no checksum") != std::string::npos;
      CHECK((name == "DONE" || bare));
      CHECK_THAT(seen.out, contains(bare ? "no checksum" : "not finished"));
      CHECK(seen.code == 0);
      ++counts_.noted;
    }

    if (kind_.use) {
      const std::string used = outcome_of(kind_.use(place_));
      if (used.starts_with("exit ")) {
        check_refusal(std::stoi(used.substr(5)), used);
        ++counts_.read_refused;
      } else {
        CHECK(used == used_);
        ++counts_.read_same;
      }
    }

    if (kind_.command.empty()) return;
    const Outcome resumed = bench_.run({kind_.command, "--resume", place_});
    if (resumed.code != 0) {
      check_refusal(resumed.code, resumed.err);
      ++counts_.refused;
    } else {
      const auto found = contents(kind_, place_);
      for (const auto& [file, content] : wanted_) {
        INFO("result " << file);
        CHECK(found.at(file) == content);
      }
      ++counts_.same;
    }
  }

  const Bench& bench_;
  Kind kind_;
  const std::string good_ = bench_ / "good", place_ = bench_ / "hurt";
  std::string used_;
  bool finished_ = true;
  std::map<std::string, std::string> wanted_;
  Counts counts_;
};

void run_campaign(std::size_t flips, const std::function<bool(std::size_t)>& take, bool print) {
  const std::size_t kinds = Bench().kinds().size();
  for (std::size_t i = 0; i < kinds; ++i) {
    const Bench bench;
    const Kind kind = bench.kinds()[i];
    Campaign campaign(bench, kind);
    campaign.damage_all(flips, take);
    const Counts& counts = campaign.counts();
    CHECK(counts.damaged > 0);
    CHECK(counts.found > 0);
    if (print)
      std::printf(
          "%-20s damaged %5d: verify found %5d, noted %d, harmless %d, cannot know %d; resume refused %5d, same bits "
          "%4d; "
          "readers refused %5d, right %4d\n",
          kind.name.c_str(), counts.damaged, counts.found, counts.noted, counts.harmless, counts.unchecked,
          counts.refused, counts.same, counts.read_refused, counts.read_same);
  }
}

}  // namespace

TEST_CASE("completeness: a file that is gone or damaged is found, refused or made again") {
  // A thirteenth of all, and each damage somewhere.
  run_campaign(
      3, [](std::size_t turn) { return turn % 13 == 5; }, false);
}

TEST_CASE("completeness: every file in every way", "[slow]") {
  run_campaign(
      4, [](std::size_t) { return true; }, false);
}

TEST_CASE("campaign completeness: every file in every way, all settings", "[.campaign]") {
  run_campaign(
      100, [](std::size_t) { return true; }, true);
}

}  // namespace stride
