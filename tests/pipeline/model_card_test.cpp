// Model cards: what is read, and what is refused.
#include "pipeline/model_card.h"
#include "framework/error.h"
#include "framework/files/hash.h"
#include "tests/catch_torch.h"
#include "tests/pipeline/mixture_card.h"
#include "tests/temporary_folder.h"

#include <fmt/format.h>
#include <fstream>

namespace stride {
namespace {

const std::string kMixture = std::string(testing::kMixtureCard) + "sigma_max = 40\n";

std::string network(const std::string& more = "") {
  return "[model]\nkind = \"unet\"\nfile = \"w.safetensors\"\nshape = [1, 8, 8]\n" + more;
}

// `text` without its first occurrence of `what`, which `instead` replaces.
std::string with(std::string text, const std::string& what, const std::string& instead) {
  const auto place = text.find(what);
  if (place == std::string::npos) throw std::logic_error("the card has no " + what);
  return text.replace(place, what.size(), instead);
}

}  // namespace

TEST_CASE("model card: a mixture and a network are read") {
  const ModelCard card = parse_model_card(kMixture, "m.toml");
  CHECK(card.info.kind == "gaussian_mixture");
  CHECK(card.info.shape == std::vector<int64_t>{2});
  CHECK(card.info.sigma_max == 40.0);
  CHECK(card.info.sigma_min == 0.002);
  CHECK(card.mixture.means[1] == std::vector<double>{2.0, 0.0});
  CHECK(card.info.conditions.empty());
  CHECK(card.info.sha256 == sha256(kMixture));

  std::string with_classes = kMixture;
  with_classes += "classes = [1, 0]\n";
  const ModelCard labelled = parse_model_card(with_classes, "m.toml");
  REQUIRE(labelled.info.conditions.size() == 1);
  CHECK(labelled.info.conditions[0].classes == 2);

  const ModelCard net = parse_model_card(
      network("sha256 = \"" + std::string(64, 'a') +
              "\"\nbatches = [1, 8]\ninterpolation = \"linear\"\n"
              "noise_schedule = { kind = \"scaled_linear\", beta_start = 0.00085, beta_end = 0.012, steps = 1000 }\n"
              "conditions = [ { name = \"class\", classes = 10 } ]\n[provenance]\ncommand = \"x\"\n"),
      "n.toml");
  CHECK(net.file == "w.safetensors");
  CHECK(net.batches == std::vector<int64_t>{1, 8});
  REQUIRE(net.noise_schedule);
  CHECK(net.noise_schedule->options.at("interpolation") == "linear");
  CHECK(make_noise_schedule(*net.noise_schedule).size() == 1000);
  CHECK(net.info.conditions[0].name == "class");
}

TEST_CASE("model card: every noise schedule can be named, with its options") {
  const auto read = [](const std::string& table) {
    const ModelCard card = parse_model_card(network("noise_schedule = { " + table + " }\n"), "n.toml");
    return make_noise_schedule(*card.noise_schedule);
  };
  CHECK(read("kind = \"flow\", shift = 3.0").sigmas()[499] == Approx(3.0));
  CHECK(read("kind = \"flow\", mu = 1.0, time_shift = \"linear\", steps = 10").sigmas()[4] == Approx(1.0));
  CHECK(read("kind = \"scaled_linear\", rescale_zero_snr = true").sigmas().back() > 4095.0);
  // A custom schedule's file lies beside the card.
  const testing::TemporaryFolder folder;
  std::ofstream(folder / "betas.txt") << "0.1 0.2 0.3";
  const ModelCard card =
      parse_model_card(network("noise_schedule = { kind = \"custom\", file = \"betas.txt\" }\n"), folder / "card.toml");
  CHECK(make_noise_schedule(*card.noise_schedule).size() == 3);
}

TEST_CASE("model card: malformed cards are refused with their place") {
  struct Row {
    std::string text;
    ErrorKind kind;
    std::string says;
  };
  const std::string m = kMixture;
  const std::vector<Row> rows = {
      {"", ErrorKind::input, "[model]"},
      {"model = 3", ErrorKind::input, "must be a table"},
      {"[model", ErrorKind::input, "line 1"},
      {"\xff\xfe", ErrorKind::input, "not valid TOML"},
      {"[model]\n" + std::string(400, '[') + "\n", ErrorKind::input, "nested more than 64"},
      {"[model]\nshape = [2]", ErrorKind::input, "model.kind is missing"},
      {with(m, "gaussian_mixture", "guassian_mixture"), ErrorKind::input, "guassian_mixture"},
      {with(m, "\"gaussian_mixture\"", "7"), ErrorKind::input, "must be a string"},
      {with(m, "shape = [2]\n", ""), ErrorKind::input, "model.shape is missing"},
      {with(m, "shape = [2]", "shape = 2"), ErrorKind::input, "list of integers"},
      {with(m, "shape = [2]", "shape = [2.0]"), ErrorKind::input, "integers only"},
      {with(m, "shape = [2]", "shape = [0]"), ErrorKind::input, "positive sizes"},
      {with(m, "shape = [2]", "shape = []"), ErrorKind::input, "between 1 and 8"},
      {with(m, "shape = [2]", "shape = [4294967296, 4294967296]"), ErrorKind::input, "2^30"},
      {with(m, "shape = [2]", "shape = [3]"), ErrorKind::input, "the shape has 3"},
      {with(m, "weights = [0.3, 0.7]", "weights = [0.3, -0.7]"), ErrorKind::input, "must be positive"},
      {with(m, "weights = [0.3, 0.7]", "weights = [0.3]"), ErrorKind::input, "1 weights"},
      {with(m, "weights = [0.3, 0.7]", "weights = [0.3, nan]"), ErrorKind::input, "finite numbers only"},
      {with(m, "weights = [0.3, 0.7]", "weights = [0.3, \"a\"]"), ErrorKind::input, "numbers only"},
      {with(m, "weights = [0.3, 0.7]\n", ""), ErrorKind::input, "model.weights is missing"},
      {with(m, "[2, 0]", "[2]"), ErrorKind::input, "mean 1"},
      {with(m, "[2, 0]", "2"), ErrorKind::input, "list of lists"},
      {with(m, "[2, 0]", "[inf, 0]"), ErrorKind::input, "finite numbers only"},
      {with(m, "std = [0.2, 0.4]", "std = [0.2, -1]"), ErrorKind::input, "at least 0"},
      {with(m, "sigma_max = 40", "sigma_max = 0"), ErrorKind::input, "positive number"},
      {with(m, "sigma_max = 40", "sigma_max = inf"), ErrorKind::input, "a finite one"},
      {with(m, "sigma_max = 40", "sigma_max = 0.001"), ErrorKind::input, "below sigma_max"},
      {with(m, "sigma_max = 40", "sigma_max = \"40\""), ErrorKind::input, "must be a number"},
      {m + "classes = [0, 2]\n", ErrorKind::input, "leaves out label 1"},
      {m + "classes = [0]\n", ErrorKind::input, "1 classes"},
      {m + "conditions = [ { name = \"class\", classes = 2 } ]\n", ErrorKind::input, "needs `classes`"},
      {with(m, "sigma_max", "sigma_mux"), ErrorKind::usage, "did you mean 'sigma_max'"},
      {m + "file = \"w.safetensors\"\n", ErrorKind::usage, "unknown key model.file"},
      {m + "[models]\n", ErrorKind::usage, "did you mean 'model'"},
      {with(network(), "file = \"w.safetensors\"\n", ""), ErrorKind::input, "model.file is missing"},
      {network("sha256 = \"abc\"\n"), ErrorKind::input, "64 lower-case"},
      {network("prediction = \"noise\"\n"), ErrorKind::input, "epsilon"},
      {network("time = \"hours\"\n"), ErrorKind::input, "model.time"},
      {network("batches = \"static\"\n"), ErrorKind::input, "dynamic"},
      {network("batches = [0]\n"), ErrorKind::input, "positive sizes"},
      {network("noise_schedule = { kind = \"square\" }\n"), ErrorKind::input, "square"},
      {network("noise_schedule = { kind = \"linear\", beta_stop = 1 }\n"), ErrorKind::usage, "beta_stop"},
      {network("interpolation = \"cubic\"\n"), ErrorKind::input, "log_linear"},
      {network("conditions = [ { name = \"class\" } ]\n"), ErrorKind::input, "one of them"},
      {network("conditions = [ { classes = 3 } ]\n"), ErrorKind::input, "name is missing"},
      {network("conditions = 3\n"), ErrorKind::input, "list of tables"}};
  for (const Row& row : rows) {
    INFO(row.text);
    try {
      (void)parse_model_card(row.text, "bad.toml");
      FAIL_CHECK("nothing was thrown");
    } catch (const Error& error) {
      INFO(error.what());
      CHECK(error.kind() == row.kind);
      CHECK(std::string(error.what()).find("bad.toml") == 0);
      CHECK(std::string(error.what()).find(row.says) != std::string::npos);
    }
  }
}

TEST_CASE("model card: every cut and every changed byte of a card is an error or a card") {
  const std::string text = kMixture;
  int refused = 0;
  for (std::size_t place = 0; place < text.size(); ++place) {
    for (const std::string& damaged :
         {text.substr(0, place), with(text, text.substr(place), "\x01" + text.substr(place + 1))}) {
      try {
        const ModelCard card = parse_model_card(damaged, "damaged.toml");
        CHECK(card.mixture.weights.size() == 2);
      } catch (const Error&) {
        ++refused;
      }
    }
  }
  CHECK(refused > 200);
}

TEST_CASE("model card: the models that come with the program load and match their promises") {
  ::setenv("STRIDE_MODELS", STRIDE_SOURCE_DIR "/models", 1);
  const std::vector<std::string> names = known_models();
  CHECK(std::find(names.begin(), names.end(), "digits") != names.end());
  CHECK(std::find(names.begin(), names.end(), "cifar10") != names.end());
  CHECK(std::find(names.begin(), names.end(), "features-digits") == names.end());
  CHECK(find_model("digits").where == "embedded:digits");
  CHECK(find_model("cifar10").where == STRIDE_SOURCE_DIR "/models/cifar10/card.toml");
  for (const std::string& name : known_models()) {
    INFO(name);
    const LoadedModel model = load_model(name, at::kCPU, at::kFloat);
    CHECK(model.info().name == name);
    CHECK(model.info().sha256.size() == 64);
  }
  CHECK_THROWS_AS(find_model("digitz"), InputError);
  ::setenv("STRIDE_MODELS", "/nowhere", 1);
  CHECK_THROWS_WITH(find_model("cifar10"), contains("comes with the program"));
  ::unsetenv("STRIDE_MODELS");
  CHECK_THROWS_AS(find_model("missing/card.toml"), InputError);
}

}  // namespace stride
