// stride metrics, stride stats and the metrics of stride evaluate, through the real executable.
#include "datasets/files/npz.h"
#include "datasets/files/samples_file.h"
#include "datasets/metrics/frechet.h"
#include "datasets/metrics/kernel_distance.h"
#include "datasets/metrics/manifold.h"
#include "datasets/metrics/reference_statistics.h"
#include "datasets/metrics/sliced_wasserstein.h"
#include "evaluation/evaluation_result.h"
#include "framework/files/file.h"
#include "tests/apps/process.h"
#include "tests/catch_torch.h"
#include "tests/pipeline/mixture_card.h"
#include "tests/temporary_folder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

namespace stride {
namespace {

using nlohmann::json;
using testing::Outcome;
using testing::TemporaryFolder;

Tensor images(int64_t n, uint64_t seed) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  return torch::rand({n, 1, 8, 8}, generator, torch::kFloat) * 2 - 1;
}

void write(const std::string& path, const Tensor& x, int64_t first_seed = 0) {
  const int64_t n = x.size(0);
  write_samples(path, {x,
                       torch::arange(n) + first_seed,
                       torch::full({n}, 5, torch::kInt),
                       torch::full({n}, 5, torch::kInt),
                       torch::zeros({n}, torch::kChar),
                       {},
                       {}});
}

// Two sets of samples, as h5; the first as npz too.
class Place final {
 public:
  Place() : mine_(images(24, 1)), theirs_(images(30, 2) * 0.8) {
    write(folder_ / "mine.h5", mine_);
    write(folder_ / "theirs.h5", theirs_);
    const Tensor pixels = ((mine_ + 1) * 127.5).round().to(torch::kByte).permute({0, 2, 3, 1}).contiguous();
    write_file_atomic(folder_ / "mine.npz", npz_bytes({{"arr_0", pixels}}));
  }
  [[nodiscard]] Outcome operator()(const std::vector<std::string>& words) const {
    return testing::run_stride(folder_.path(), words);
  }
  [[nodiscard]] json metrics(std::vector<std::string> words) const {
    words.insert(words.begin(), "metrics");
    words.insert(words.end(), {"--json", "--device", "cpu"});
    const Outcome got = (*this)(words);
    INFO(got.err);
    REQUIRE(got.code == 0);
    return json::parse(got.out);
  }
  [[nodiscard]] std::string path(const std::string& name) const { return folder_ / name; }
  [[nodiscard]] const Tensor& mine() const { return mine_; }
  [[nodiscard]] const Tensor& theirs() const { return theirs_; }

 private:
  TemporaryFolder folder_;
  Tensor mine_, theirs_;
};

double value(const json& out, const std::string& metric) { return out.at("metrics").at(metric).at("value"); }

}  // namespace

TEST_CASE("metrics cli: values are the library's, and every one says how it was made") {
  const Place place;
  const json out = place.metrics({"--samples", "mine.h5", "--ref", "theirs.h5", "--features", "features-digits",
                                  "--metric", "fd,kid,prdc,swd,fd-inf", "--blocks", "4", "--quantise", "uint8"});
  CHECK(value(out, "swd") == Approx(sliced_wasserstein(place.mine(), place.theirs())).epsilon(1e-12));
  for (const char* metric : {"fd", "fd-inf", "kid", "precision", "recall", "density", "coverage"}) {
    INFO(metric);
    const json& one = out.at("metrics").at(metric);
    CHECK(one.at("n") == 24);
    CHECK(one.at("quantisation") == "uint8");
    CHECK(one.at("features_sha256") == out.at("features").at("sha256"));
    CHECK(one.at("blocks").size() == (std::string(metric) == "fd-inf" ? 0 : 4));
  }
  CHECK(out.at("metrics").at("swd").at("features_sha256") == "");
  CHECK(out.at("metrics").at("swd").at("quantisation") == "none");
  CHECK(out.at("block_rows").at(3) == json({18, 24}));
  CHECK(out.at("features").at("sha256").get<std::string>().size() == 64);
  // 8-bit pixels are what an .npz holds: rounding them once more changes nothing.
  const json npz = place.metrics({"--samples", "mine.npz", "--ref", "theirs.h5", "--features", "features-digits",
                                  "--metric", "fd,kid", "--blocks", "4", "--quantise", "uint8"});
  CHECK(value(npz, "fd") == Approx(value(out, "fd")).epsilon(1e-5));
  const json plain = place.metrics({"--samples", "mine.h5", "--ref", "theirs.h5", "--features", "features-digits",
                                    "--metric", "fd", "--blocks", "4"});
  CHECK(plain.at("metrics").at("fd").at("quantisation") == "none");
  CHECK(value(plain, "fd") != value(out, "fd"));
}

TEST_CASE("metrics cli: statistics are embedded under the name of their images") {
  const Place place;
  auto generator = at::make_generator<at::CPUGeneratorImpl>(3);
  write(place.path("photographs.h5"), torch::rand({6, 3, 32, 32}, generator, torch::kFloat) * 2 - 1);
  const std::vector<std::string> words = {"--samples",  "photographs.h5",   "--ref",    "cifar10",
                                          "--features", "features-cifar10", "--metric", "fd"};
  std::vector<std::string> quantised = words;
  quantised.insert(quantised.end(), {"--quantise", "uint8", "--blocks", "2"});
  const json out = place.metrics(quantised);
  CHECK(value(out, "fd") > 0.0);
  CHECK(out.at("reference").at("name").get<std::string>().find("cifar10") == 0);
  // The rule of the pixels is checked as with a file, and so is the network.
  std::vector<std::string> plain = words;
  plain.insert(plain.begin(), "metrics");
  const Outcome refused = place(plain);
  CHECK(refused.code == 2);
  CHECK(refused.err.find("give --quantise uint8") != std::string::npos);
  const Outcome other = place({"metrics", "--samples", "mine.h5", "--ref", "cifar10", "--features", "features-digits"});
  CHECK(other.code == 2);
  CHECK(other.err.find("of the network 'features-cifar10'") != std::string::npos);
}

TEST_CASE("metrics cli: statistics stand in for the images that they are of") {
  const Place place;
  const Outcome made = place({"stats", "--data", "theirs.h5", "--out", "ref.npz", "--keep-features", "--json"});
  INFO(made.err);
  REQUIRE(made.code == 0);
  const json said = json::parse(made.out);
  CHECK(said.at("n") == 30);
  CHECK(said.at("features") == 64);
  const ReferenceStatistics found = read_reference_statistics(place.path("ref.npz"));
  CHECK(found.network_sha256 == said.at("network_sha256"));
  CHECK(found.quantisation == "none");
  CHECK(found.data_sha256 == said.at("data_sha256"));
  const std::vector<std::string> common = {"--samples",       "mine.h5",  "--features",
                                           "features-digits", "--metric", "fd,kid,prdc"};
  const auto against = [&](const std::string& reference) {
    std::vector<std::string> words = common;
    words.insert(words.end(), {"--ref", reference});
    return place.metrics(words);
  };
  const json direct = against("theirs.h5");
  const json stored = against("ref.npz");
  for (const char* metric : {"fd", "kid", "precision", "coverage"})
    CHECK(value(stored, metric) == Approx(value(direct, metric)).epsilon(1e-5));

  // As pytorch-fid has it: mean and covariance alone.
  write_file_atomic(place.path("foreign.npz"),
                    npz_bytes({{"mu", found.statistics.mean}, {"sigma", found.statistics.covariance}}));
  const json foreign = place.metrics(
      {"--samples", "mine.h5", "--ref", "foreign.npz", "--features", "features-digits", "--metric", "fd"});
  CHECK(value(foreign, "fd") == Approx(value(direct, "fd")).epsilon(1e-9));
  const Outcome rounded = place(
      {"metrics", "--samples", "mine.h5", "--ref", "ref.npz", "--features", "features-digits", "--quantise", "uint8"});
  CHECK(rounded.code == 2);
  CHECK(rounded.err.find("--quantise none") != std::string::npos);
}

TEST_CASE("metrics cli: rows are compared in pairs where they are of the same seeds") {
  const Place place;
  write(place.path("shifted.h5"), place.mine() + 0.1);
  write(place.path("others.h5"), place.mine() + 0.1, 7);
  const json out = place.metrics({"--samples", "shifted.h5", "--ref", "mine.h5", "--metric", "rmse,psnr"});
  CHECK(value(out, "rmse") == Approx(0.1).epsilon(1e-5));
  CHECK(value(out, "psnr") == Approx(20 * std::log10(20.0)).epsilon(1e-5));
  const json same = place.metrics({"--samples", "mine.h5", "--ref", "mine.h5", "--metric", "psnr,feature-distance",
                                   "--features", "features-digits"});
  CHECK(same.at("metrics").at("psnr").at("value") == "inf");
  CHECK(value(same, "feature-distance") == 0.0);
  const Outcome wrong = place({"metrics", "--samples", "others.h5", "--ref", "mine.h5", "--metric", "rmse"});
  CHECK(wrong.code == 2);
  CHECK(wrong.err.find("other seeds") != std::string::npos);
}

TEST_CASE("metrics cli: what cannot be measured is refused in words, before anything is written") {
  const Place place;
  write_file_atomic(place.path("foreign.npz"),
                    npz_bytes({{"mu", torch::zeros({64}, torch::kDouble)}, {"sigma", torch::eye(64, torch::kDouble)}}));
  write_file_atomic(place.path("bad.npz"), "PK not really");
  write_file_atomic(place.path("floats.npz"), npz_bytes({{"arr_0", torch::zeros({2, 8, 8, 1})}}));
  write_file_atomic(place.path("card.toml"), "[features]\nkind = \"torchscript\"\nfile = \"net.pt\"\n");
  write_file_atomic(place.path("odd.toml"), "[features]\nfile = \"net.pt\"\nfill = 3\n");
  write_file_atomic(place.path("net.pt"), "no program");
  struct Row {
    std::vector<std::string> words;
    int code;
    std::string says;
  };
  const std::vector<Row> rows = {
      {{"metrics"}, 2, "--samples"},
      {{"metrics", "--samples", "mine.h5"}, 2, "--ref"},
      {{"metrics", "--samples", "mine.h5", "--ref", "theirs.h5"}, 2, "--features"},
      {{"metrics", "--samples", "mine.h5", "--ref", "theirs.h5", "--metric", "fid"}, 2, "did you mean 'fd'"},
      {{"metrics", "--samples", "mine.h5", "--ref", "theirs.h5", "--metric", "swd,swd"}, 2, "twice"},
      {{"metrics", "--samples", "mine.h5", "--ref", "theirs.h5", "--metric", "kid-teacher"}, 2, "stride evaluate"},
      {{"metrics", "--samples", "mine.h5", "--ref", "theirs.h5", "--metric", "rmse"}, 2, "row by row"},
      {{"metrics", "--samples", "mine.h5", "--ref", "foreign.npz", "--metric", "swd"}, 2, "need --features"},
      {{"metrics", "--samples", "mine.h5", "--ref", "foreign.npz", "--metric", "kid", "--features", "features-digits"},
       2,
       "--keep-features"},
      {{"metrics", "--samples", "none.h5", "--ref", "theirs.h5", "--metric", "swd"}, 3, "none.h5"},
      {{"metrics", "--samples", "bad.npz", "--ref", "theirs.h5", "--metric", "swd"}, 3, "not an .npz"},
      {{"metrics", "--samples", "floats.npz", "--ref", "theirs.h5", "--metric", "swd"}, 3, "uint8 images"},
      {{"metrics", "--samples", "mine.h5", "--ref", "theirs.h5", "--features", "card.toml"}, 2, "--trust-model"},
      {{"metrics", "--samples", "mine.h5", "--ref", "theirs.h5", "--features", "card.toml", "--trust-model"},
       3,
       "TorchScript"},
      {{"metrics", "--samples", "mine.h5", "--ref", "theirs.h5", "--features", "odd.toml"}, 2, "fill"},
      {{"stats", "--out", "ref.npz"}, 2, "--data"},
      {{"stats", "--data", "mine.h5"}, 2, "--out"},
      {{"stats", "--data", "mine.h5", "--out", "ref.txt"}, 2, ".npz"},
      {{"stats", "--data", "nothing", "--out", "ref.npz"}, 3, "embedded are: digits"},
      {{"stats", "--data", "mine.h5", "--out", "ref.npz", "--features", "nothing"}, 3, "features-digits"}};
  for (const Row& row : rows) {
    INFO(fmt::format("stride {}", fmt::join(row.words, " ")));
    const Outcome got = place(row.words);
    INFO(got.err);
    CHECK(got.code == row.code);
    CHECK(got.out.empty());
    CHECK(got.err.find(row.says) != std::string::npos);
  }
  const Outcome dry = place({"stats", "--data", "mine.h5", "--out", "ref.npz", "--dry-run"});
  CHECK(dry.code == 0);
  CHECK(dry.out.find("24 of 1×8×8") != std::string::npos);
  CHECK_FALSE(file_exists(place.path("ref.npz")));
}

TEST_CASE("metrics cli: statistics without single features serve the default metrics that they can") {
  const Place place;
  REQUIRE(place({"stats", "--data", "theirs.h5", "--out", "made/ref.npz"}).code == 0);
  const std::vector<std::string> words = {"metrics",      "--samples",  "mine.h5",         "--ref",
                                          "made/ref.npz", "--features", "features-digits", "--json"};
  const Outcome got = place(words);
  INFO(got.err);
  REQUIRE(got.code == 0);
  const json metrics = json::parse(got.out).at("metrics");
  CHECK(metrics.size() == 1);
  CHECK(metrics.contains("fd"));
  for (const char* metric : {"left out kid", "left out prdc", "--keep-features"})
    CHECK(got.err.find(metric) != std::string::npos);
  std::vector<std::string> asked = words;
  asked.insert(asked.end(), {"--metric", "fd,kid"});
  CHECK(place(asked).code == 2);
}

TEST_CASE("metrics cli: evaluate takes all metrics, and its table keeps its columns") {
  const TemporaryFolder folder;
  write_file_atomic(folder / "one.toml",
                    "[model]\nkind = \"gaussian_mixture\"\nweights = [1.0]\nmeans = [[0.5, -0.5]]\nstd = [0.3]\n"
                    "shape = [2]\nsigma_min = 0.002\nsigma_max = 80.0\n");
  const Outcome got =
      testing::run_stride(folder.path(), {"evaluate", "--model", "one.toml", "--solver", "euler", "--nfe", "4,12",
                                          "--seeds", "0-99", "--blocks", "5", "--metric", "rmse,psnr,swd-teacher,exact",
                                          "--device", "cpu", "--outdir", "run"});
  INFO(got.err);
  REQUIRE(got.code == 0);
  const std::string csv = read_file(folder / "run/results.csv");
  CHECK(csv.substr(0, csv.find('\n')) == kResultsCsvHeader);
  const json out = json::parse(read_file(folder / "run/results.json"));
  CHECK(out.at("block_seeds") == json({"0-19", "20-39", "40-59", "60-79", "80-99"}));
  const json& coarse = out.at("samplers").at(0).at("metrics");
  const json& fine = out.at("samplers").at(1).at("metrics");
  for (const char* metric : {"rmse", "rmse-p95", "psnr", "swd-teacher", "exact-fd", "exact-w2", "exact-nll"}) {
    INFO(metric);
    REQUIRE(coarse.contains(metric));
    CHECK(coarse.at(metric).at("n") == 100);
    CHECK(coarse.at(metric).at("blocks").size() == 5);
    CHECK(csv.find(std::string(",") + metric + ",") != std::string::npos);
  }
  CHECK(fine.at("psnr").at("value").get<double>() > coarse.at("psnr").at("value").get<double>());
  CHECK(fine.at("swd-teacher").at("value").get<double>() < coarse.at("swd-teacher").at("value").get<double>());
  const double distance = coarse.at("exact-w2").at("value");
  CHECK(distance * distance == Approx(coarse.at("exact-fd").at("value").get<double>()).epsilon(1e-9));
  CHECK(out.at("teacher").at("metrics").contains("exact-fd"));
  // Reading the results back and writing them again changes nothing.
  const std::string text = read_file(folder / "run/results.json");
  CHECK(to_json(load_evaluation(folder / "run")) == text);
  const Outcome refused = testing::run_stride(folder.path(), {"evaluate", "--model", "digits", "--solver", "euler",
                                                              "--nfe", "2", "--metric", "exact", "--dry-run"});
  CHECK(refused.code == 2);
  CHECK(refused.err.find("gaussian_mixture") != std::string::npos);
}

}  // namespace stride
