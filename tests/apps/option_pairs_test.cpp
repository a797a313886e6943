// No sampling option is ignored in silence: every pair of them is tried through the whole command.
#include "apps/program.h"
#include "datasets/files/hdf5.h"
#include "datasets/files/samples_file.h"
#include "framework/files/file.h"
#include "solvers/plan.h"
#include "tests/apps/process.h"
#include "tests/catch_torch.h"
#include "tests/pipeline/mixture_card.h"
#include "tests/temporary_folder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

namespace stride {
namespace {

using Words = std::vector<std::string>;

// Standard output and error go to a file while this lives.
class Quiet final {
 public:
  explicit Quiet(const std::string& path) : out_(dup(1)), err_(dup(2)) {
    std::fflush(nullptr);
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
    dup2(file, 1);
    dup2(file, 2);
    close(file);
  }
  ~Quiet() {
    std::fflush(nullptr);
    dup2(out_, 1);
    dup2(err_, 2);
    close(out_);
    close(err_);
  }
  Quiet(const Quiet&) = delete;
  Quiet& operator=(const Quiet&) = delete;

 private:
  int out_, err_;
};

struct Result {
  int code = 0;
  bool warned = false;
  std::string said;
  Tensor x, nfe;
  [[nodiscard]] bool same(const Result& other) const {
    return code == 0 && other.code == 0 && at::equal(nfe, other.nfe) && at::allclose(x, other.x, 0.0, 0.0, true);
  }
};

class Place final {
 public:
  Place() {
    write_file_atomic(folder_ / "gm.toml", std::string(testing::kMixtureCard) + "classes = [0, 1]\n");
    Plan plan;
    plan.sigmas = {80.0, 3.0, 0.5, 0.002};
    plan.weights = {{1.0}, {1.5, -0.5}, {1.5, -0.5}};
    plan.scale_time = {1.0, 1.0, 1.0};
    plan.made_with.recorded = true;
    write_file_atomic(folder_ / "plan.json", plan.to_json());
    write("start.h5", "x", at::linspace(-1.0, 1.0, 8, at::kDouble).view({4, 2}));
    write("init.h5", "x", at::linspace(-1.5, 1.2, 8, at::kDouble).view({4, 2}));
    write("mask.h5", "mask", at::tensor({1.0, 0.0}, at::kDouble).expand({4, 2}));
    write("noise.h5", "eps", at::linspace(-2.0, 2.0, 60 * 8, at::kDouble).view({60, 4, 2}));
  }

  [[nodiscard]] Result operator()(const Words& options) const {
    const std::string out = folder_ / fmt::format("run{}", runs_++);
    Words words = {"sample",  "--model", folder_ / "gm.toml", "--seeds",  "0-3",
                   "--dtype", "float64", "--quiet",           "--outdir", out};
    for (const std::string& option : options)
      words.push_back(option.ends_with(".h5") ? folder_ / option
                      : option == "plan:"     ? "plan:" + (folder_ / "plan.json")
                                              : option);
    Result result;
    {
      const Quiet quiet(folder_ / "said.txt");
      result.code = run_program(words);
    }
    result.said = testing::slurp(folder_ / "said.txt");
    if (result.code != 0) return result;
    const Samples samples = read_samples(out + "/samples.h5");
    result.x = samples.x;
    result.nfe = samples.nfe;
    result.warned = nlohmann::json::parse(read_file(out + "/manifest.json")).contains("warnings");
    return result;
  }

 private:
  void write(const std::string& name, const std::string& dataset, const Tensor& values) const {
    hdf5::ImageWriter image;
    image.dataset(dataset, values.contiguous());
    write_file_atomic(folder_ / name, image.finish());
  }

  testing::TemporaryFolder folder_;
  mutable int runs_ = 0;
};

// An option with what it cannot be without.
struct Setting {
  std::string name;
  std::vector<std::pair<std::string, std::string>> options;  // a flag has no value
};

const std::vector<Setting>& settings() {
  static const std::vector<Setting> all = {
      {"class", {{"--class", "1"}}},
      {"guidance", {{"--class", "1"}, {"--guidance", "2"}}},
      {"clip", {{"--clip", ""}}},
      {"threshold", {{"--threshold", "0.5"}}},
      {"solver", {{"--solver", "dpmpp_2m"}}},
      {"plan", {{"--solver", "plan:"}}},
      {"hybrid", {{"--hybrid", "ddim@3,heun@2"}}},
      {"hybrid with ranges", {{"--hybrid", "ddim@3:50-1,heun@2:1-0.01"}}},
      {"term", {{"--solver", "euler"}, {"--term", "sde:eta=1"}}},
      {"steps", {{"--steps", "6"}}},
      {"nfe", {{"--nfe", "13"}}},
      {"schedule", {{"--schedule", "exponential"}}},
      {"timesteps", {{"--schedule", "leading"}}},
      {"noise schedule", {{"--schedule", "leading"}, {"--noise-schedule", "cosine"}}},
      {"noise schedule alone", {{"--noise-schedule", "cosine"}}},
      {"sigmas", {{"--sigmas", "20,3,1,0.1,0"}}},
      {"final", {{"--final", "sigma_min"}}},
      {"sigma min", {{"--sigma-min", "0.05"}}},
      {"sigma max", {{"--sigma-max", "30"}}},
      {"policy", {{"--policy", "pi:atol=0.05"}}},
      {"init", {{"--init", "init.h5"}}},
      {"init scale", {{"--init-scale", "vp"}}},
      {"noise", {{"--solver", "euler_ancestral"}, {"--noise", "noise.h5"}}},
      {"noise alone", {{"--noise", "noise.h5"}}},
      {"start", {{"--start", "start.h5"}}},
      {"strength", {{"--start", "start.h5"}, {"--strength", "0.5"}}},
      {"mask", {{"--start", "start.h5"}, {"--mask", "mask.h5"}}},
      {"invert", {{"--start", "start.h5"}, {"--invert", ""}}},
      {"invert iterations", {{"--start", "start.h5"}, {"--invert", ""}, {"--invert-iterations", "3"}}}};
  return all;
}

// Both, none when they want different values of one option.
std::optional<Words> together(const Setting& a, const Setting& b) {
  std::map<std::string, std::string> all(a.options.begin(), a.options.end());
  for (const auto& [option, value] : b.options)
    if (!all.emplace(option, value).second && all.at(option) != value) return std::nullopt;
  Words words;
  for (const auto& [option, value] : all) {
    words.push_back(option);
    if (!value.empty()) words.push_back(value);
  }
  return words;
}

// What one says anyway of the other's subject, so that it adds nothing.
bool says_the_same(const std::string& a, const std::string& b) {
  const std::set<std::set<std::string>> known = {{"plan", "final"},
                                                 {"class", "guidance"},
                                                 {"timesteps", "noise schedule"},
                                                 {"noise", "noise alone"},
                                                 {"noise schedule", "noise schedule alone"},
                                                 {"start", "strength"},
                                                 {"start", "mask"},
                                                 {"start", "invert"},
                                                 {"start", "invert iterations"},
                                                 {"invert", "invert iterations"}};
  return known.contains({a, b});
}

}  // namespace

TEST_CASE("option pairs: each option changes the samples, is refused, or is said to have no effect") {
  const Place place;
  const Result plain = place({});
  REQUIRE(plain.code == 0);
  std::map<std::string, Result> alone;
  for (const Setting& setting : settings()) {
    const Result result = place(*together(setting, setting));
    INFO(setting.name << ": " << result.said);
    CHECK(((result.code == 0) || (result.code == 2)));
    CHECK((!result.same(plain) || result.warned));
    CHECK(result.warned == (setting.name == "noise schedule alone" || setting.name == "noise alone"));
    alone[setting.name] = result;
  }
  for (std::size_t i = 0; i < settings().size(); ++i) {
    for (std::size_t j = i + 1; j < settings().size(); ++j) {
      const Setting &a = settings()[i], &b = settings()[j];
      const auto words = together(a, b);
      if (!words || says_the_same(a.name, b.name)) continue;
      const Result both = place(*words);
      INFO(fmt::format("{} and {} ({}): {}", a.name, b.name, fmt::join(*words, " "), both.said));
      CHECK(((both.code == 0) || (both.code == 2)));
      if (both.code != 0 || both.warned) continue;
      CHECK_FALSE(both.same(alone[a.name]));
      CHECK_FALSE(both.same(alone[b.name]));
    }
  }
}

TEST_CASE("option pairs: what is overruled is refused by name, and what agrees is not") {
  const Place place;
  struct Row {
    Words words;
    std::string says;  // empty: it runs, and nothing is said
  };
  const std::vector<Row> rows = {
      {{"--solver", "plan:", "--schedule", "karras"}, "--schedule karras: the plan gives the levels"},
      {{"--solver", "plan:", "--sigma-max", "5"}, "--sigma-max 5"},
      {{"--solver", "plan:", "--sigma-min", "1"}, "--sigma-min 1"},
      {{"--solver", "plan:", "--final", "zero"}, "--final zero: the plan ends at sigma_min"},
      {{"--solver", "plan:", "--noise-schedule", "cosine"}, "--noise-schedule cosine"},
      {{"--solver", "plan:", "--final", "sigma_min", "--sigma-max", "80", "--sigma-min", "0.002"}, ""},
      {{"--sigmas", "20,3,1", "--final", "zero"}, "--final zero: --sigmas ends at sigma_min"},
      {{"--sigmas", "20,3,1", "--final", "sigma_min"}, ""},
      {{"--sigmas", "20,3,1", "--sigma-max", "10"}, "--sigma-max 10: --sigmas brings its own levels"},
      {{"--sigmas", "20,3,1", "--sigma-min", "0.1"}, "--sigma-min 0.1"},
      {{"--sigmas", "20,3,1", "--schedule", "karras"}, "--schedule karras: --sigmas gives the levels"},
      {{"--schedule", "kl_optimal:variant=a1111", "--final", "zero"}, "--final zero"},
      {{"--invert-iterations", "3"}, "add --invert"},
      {{"--start", "start.h5", "--invert", "--init-scale", "vp"}, "leave --init-scale out"}};
  for (const Row& row : rows) {
    const Result result = place(row.words);
    INFO(fmt::format("{}: {}", fmt::join(row.words, " "), result.said));
    CHECK(result.code == (row.says.empty() ? 0 : 2));
    CHECK(result.said.find(row.says) != std::string::npos);
    CHECK_FALSE(result.warned);
  }
  for (const char* option : {"--steps", "--nfe"}) {
    const Result result = place({"--policy", "pi:atol=0.05", option, "9"});
    CHECK(result.code == 0);
    CHECK(result.said.find(fmt::format("{} 9 has no effect: the policy pi", option)) != std::string::npos);
  }
  const Result timesteps = place({"--schedule", "leading", "--sigma-max", "5"});
  CHECK(timesteps.said.find("--sigma-max 5 has no effect") != std::string::npos);
}

TEST_CASE("option pairs: a configuration that lists every default asks for none of them") {
  testing::TemporaryFolder folder;
  write_file_atomic(folder / "gm.toml", std::string(testing::kMixtureCard));
  const auto run = [&](const Words& words) { return testing::run_stride(folder.path(), words); };
  const auto all = run({"sample", "--model", "gm.toml", "--sigmas", "20,3,1", "--seeds", "0-1", "--print-config"});
  REQUIRE(all.code == 0);
  CHECK(all.out.find("final = \"zero\"") != std::string::npos);
  write_file_atomic(folder / "all.toml", all.out);
  CHECK(run({"sample", "--config", "all.toml", "--dry-run"}).code == 0);
  CHECK(run({"sample", "--config", "all.toml", "--final", "zero", "--dry-run"}).code == 2);
}

}  // namespace stride
