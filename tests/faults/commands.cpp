#include "tests/faults/commands.h"

#include "tests/pipeline/mixture_card.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>

namespace stride::testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

/// Two blurred pictures of 8 × 8 pixels: images at the price of a formula.
std::string picture_card() {
  std::string means;
  for (const bool bright : {false, true}) {
    std::string row;
    for (int pixel = 0; pixel < 64; ++pixel)
      row += fmt::format("{}{:.2f}", pixel == 0 ? "" : ", ", (bright ? 0.8 : -0.8) * ((pixel * 7 + pixel / 8) % 5) / 4);
    means += fmt::format("{}[{}]", bright ? ", " : "", row);
  }
  return fmt::format(
      "[model]\nkind = \"gaussian_mixture\"\nweights = [0.5, 0.5]\nmeans = [{}]\nstd = [0.2, 0.3]\nshape = [1, 8, 8]\n",
      means);
}

const Words kQuick = {"--threads", "1"};

Words at(const char* folder, Words words) { return words + kQuick + Words{"--outdir", folder}; }

Words recording(const char* folder, const char* seeds) {
  return at(folder,
            {"record", "--model", "gm.toml", "--seeds", seeds, "--steps", "3", "--batch", "2", "--shard-rows", "2"});
}

std::vector<Case> all_cases() {
  const Words pictures =
      at("pictures", {"sample", "--model", "pictures.toml", "--seeds", "0-7", "--steps", "2", "--save", "png"});
  const Words compared =
      at("compared", {"evaluate", "--model", "pictures.toml", "--solver", "ddim", "--nfe", "2", "--seeds", "0-3",
                      "--blocks", "2", "--teacher", "heun:steps=3", "--images", "2"});
  Words evaluation = compared + Words{"--solver", "ipndm"};
  *(std::find(evaluation.begin(), evaluation.end(), "compared")) = "run";
  return {
      {.name = "sample",
       .words = at("run", {"sample", "--model", "pictures.toml", "--seeds", "0-5", "--steps", "3", "--batch", "3",
                           "--save", "h5,npz,png"})},
      {.name = "record", .words = recording("run", "0-5")},
      {.name = "record --store",
       .words = recording("run", "0-5") + Words{"--store", "kept/store"},
       .outputs = {"kept/store"}},
      {.name = "merge",
       .words = Words{"merge", "all", "one", "two"} + kQuick,
       .before = {recording("one", "0-3"), recording("two", "4-7")},
       .folder = "",
       .outputs = {"all"}},
      {.name = "fit",
       .words = at("run", {"fit", "--model", "gm.toml", "--seeds", "0-7", "--val-seeds", "100-107", "--nfe", "2",
                           "--teacher", "heun:steps=4", "--restarts", "1", "--iterations", "1", "--final", "sigma_min",
                           "--plan-out", "plans/plan.json"}),
       .outputs = {"plans/plan.json"}},
      {.name = "train-predictor",
       .words =
           at("run", {"train-predictor", "--store", "teacher", "--training-steps", "20", "--out", "out/p.safetensors"}),
       .before = {recording("teacher", "0-7")},
       .outputs = {"out/p.safetensors"}},
      {.name = "train-denoiser",
       .words = at("run", {"train-denoiser",
                           "--data",
                           "pictures/images",
                           "--unconditional",
                           "--out",
                           "model",
                           "--channels",
                           "8",
                           "--embedding",
                           "8",
                           "--blocks",
                           "1",
                           "--images",
                           "32",
                           "--minibatch",
                           "4",
                           "--checkpoint-every",
                           "3",
                           "--look-every",
                           "0"}),
       .before = {pictures},
       .outputs = {"model"}},
      {.name = "evaluate", .words = evaluation},
      {.name = "stats",
       .words = Words{"stats", "--data", "pictures/images", "--features", "features-digits", "--out", "out/stats.npz"} +
                kQuick,
       .before = {pictures},
       .folder = "",
       .outputs = {"out/stats.npz"}},
      {.name = "report",
       .words = Words{"report", "compared", "--out", "out/page.html"} + kQuick,
       .before = {compared},
       .folder = "",
       .outputs = {"out/page.html"}},
      {.name = "compare",
       .words = Words{"compare", "compared", "--resamples", "100", "--out", "out/table.csv"} + kQuick,
       .before = {compared},
       .folder = "",
       .outputs = {"out/table.csv"}},
      {.name = "demo",
       .words = at("run", {"demo", "--model", "pictures.toml", "--nfe", "2", "--seeds", "10000-10007", "--fit-seeds",
                           "0-15", "--val-seeds", "100-107", "--iterations", "1", "--teacher", "heun:steps=3"})},
  };
}

std::string slurp(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void copy(const std::string& from, const std::string& to) {
  fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::overwrite_existing);
}

// Logs are for people, and end anywhere; these hold times too.
bool is_log(const std::string& name) {
  const std::string file = fs::path(name).filename();
  return file == "metrics.jsonl" || file == "log.ndjson" || file == "command.txt" || file == "DONE" ||
         name.find("/tb/") != std::string::npos || file == ".lock" || file.ends_with(".html");
}

bool is_hidden(const std::string& name) { return fs::path(name).filename().string().starts_with("."); }

json leaves(const std::string& text) {
  const json all = json::parse(text, nullptr, false);
  return all.is_discarded() ? json(text) : all.flatten();
}

// What is a matter of the clock, and checksums of what has such values; of results.csv the columns behind the values.
bool is_time(const std::string& key) {
  for (const char* word : {"second", "time", "peak", "wait", "per_second", "xxh3_128"})
    if (key.find(word) != std::string::npos) return true;
  return false;
}

}  // namespace

const std::vector<Case>& cases() {
  static const std::vector<Case> all = all_cases();
  return all;
}

const Case& case_named(const std::string& name) {
  for (const Case& one : cases())
    if (one.name == name) return one;
  throw std::logic_error("no case " + name);
}

const std::string& template_of(const Case& one) {
  // Never destroyed: a process that a failing allocation makes call exit() would take it away from the others.
  static const pid_t owner = ::getpid();
  static auto* const root = new TemporaryFolder();
  static const bool removed_at_exit = std::atexit([] {
                                        if (::getpid() == owner) delete root;
                                      }) == 0;
  (void)removed_at_exit;
  static std::map<std::string, std::string> made;
  const auto found = made.find(one.name);
  if (found != made.end()) return found->second;
  const std::string folder = *root / fmt::format("{}", made.size());
  fs::create_directories(folder);
  std::ofstream(folder + "/gm.toml") << kMixtureCard;
  std::ofstream(folder + "/pictures.toml") << picture_card();
  for (const Words& words : one.before) {
    const Ended ended = run({.folder = folder, .words = words});
    if (ended.code != 0) throw std::runtime_error(fmt::format("{}: {}", fmt::join(words, " "), ended.err));
  }
  return made[one.name] = folder;
}

Scene::Scene(const Case& one) : case_(one), place_(folder_ / "place") { copy(template_of(one), place_); }

Run Scene::command() const { return {.folder = place_, .words = case_.words}; }

Run Scene::again() const {
  if (case_.folder.empty() || !fs::exists(place_ + "/" + case_.folder + "/config.toml")) return command();
  return {.folder = place_, .words = {case_.words.front(), "--resume", case_.folder, "--threads", "1"}};
}

View view_of(const std::string& folder) {
  View view;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = fs::relative(entry.path(), folder);
    if (entry.is_regular_file() && !is_hidden(name)) view[name] = slurp(entry.path());
  }
  return view;
}

Undisturbed::Undisturbed(const Case& one) : case_(one) {
  for (View* view : {&first_, &second_}) {
    const Scene scene(one);
    ended_ = run(scene.command());
    if (ended_.code != 0)
      throw std::runtime_error(fmt::format("{}: {} {}", fmt::join(one.words, " "), ended_.code, ended_.err));
    *view = view_of(scene.folder());
  }
}

std::string Undisturbed::difference(const std::string& folder, bool more) const {
  const View now = view_of(folder);
  for (const auto& [name, bytes] : first_) {
    const auto found = now.find(name);
    if (found == now.end()) {
      if (name.find("/tb/") != std::string::npos || name.ends_with("metrics.jsonl")) continue;
      return name + " is missing";
    }
    if (is_log(name) || found->second == bytes) continue;
    const auto second = second_.find(name);
    if (second == second_.end()) return name + " is not always there";
    if (name.ends_with(".csv")) continue;  // results.json holds the same
    const json want = leaves(bytes), twice = leaves(second->second), have = leaves(found->second);
    if (!want.is_object() || !have.is_object()) return name + " is not what an undisturbed run gives";
    for (const auto& [key, value] : want.items()) {
      if (is_time(key) || !twice.contains(key) || twice[key] != value) continue;
      if (!have.contains(key) || have[key] != value) return fmt::format("{} {} differs", name, key);
    }
  }
  for (const auto& [name, bytes] : now)
    if (!more && !first_.contains(name) && name.find("/tb/") == std::string::npos) return name + " is left over";
  return "";
}

const Undisturbed& undisturbed(const Case& one) {
  static std::map<std::string, std::unique_ptr<Undisturbed>> all;
  auto& found = all[one.name];
  if (!found) found = std::make_unique<Undisturbed>(one);
  return *found;
}

std::string wrong_in_view(const Case& one, const std::string& folder) {
  if (!one.folder.empty() && fs::exists(folder + "/" + one.folder + "/config.toml")) {
    const Ended verified = run({.folder = folder, .words = {"verify", one.folder}});
    if (verified.code != 0) return "verify finds damage: " + verified.out + verified.err;
  }
  if (!one.folder.empty() && fs::exists(folder + "/" + one.folder + "/DONE"))
    if (const std::string difference = undisturbed(one).difference(folder, true); !difference.empty())
      return "DONE is there, and " + difference;
  // Whatever is in view is whole: what results an undisturbed run leaves, or nothing.
  for (const std::string& output : one.outputs)
    if (fs::is_regular_file(folder + "/" + output) && fs::file_size(folder + "/" + output) == 0)
      return output + " is empty";
  return "";
}

std::string wrong_after_retry(const Case& one, const Scene& scene) {
  // `merge` refuses a store that is there: where it is whole, nothing is left to do.
  if (one.folder.empty() && undisturbed(one).difference(scene.folder()).empty()) return "";
  const Run retry = scene.again();
  const Ended ended = run(retry);
  if (ended.code != 0)
    return fmt::format("stride {} ended with {} (signal {}): {}", fmt::join(retry.words, " "), ended.code, ended.signal,
                       ended.err);
  if (const std::string difference = undisturbed(one).difference(scene.folder()); !difference.empty())
    return fmt::format("after stride {}: {}", fmt::join(retry.words, " "), difference);
  return "";
}

}  // namespace stride::testing
