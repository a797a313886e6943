// Models that Stride did not make: from a card to a denoiser.
#include "framework/error.h"
#include "framework/models/network_denoiser.h"
#include "pipeline/model_card.h"
#include "pipeline/sample.h"
#include "tests/catch_torch.h"
#include "tests/pipeline/foreign_folder.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace stride {
namespace {

using testing::ForeignFolder;
using testing::scripted;

// What F answers, by hand.
Tensor plain_network(const Tensor& x, const Tensor& t) { return 0.3 * x + 0.1 * t.view({-1, 1, 1, 1}); }

struct Row {
  const char* name;
  // Of σ: input scale, and D from x and F.
  double (*in)(double);
  double (*skip)(double);
  double (*out)(double);
};

// The table of the model cards, σ_data = 0.5.
const Row kPredictions[] = {
    {"denoised", [](double) { return 1.0; }, [](double) { return 0.0; }, [](double) { return 1.0; }},
    {"edm", [](double s) { return 1.0 / std::sqrt(s * s + 0.25); }, [](double s) { return 0.25 / (s * s + 0.25); },
     [](double s) { return s * 0.5 / std::sqrt(s * s + 0.25); }},
    {"epsilon", [](double s) { return 1.0 / std::sqrt(1 + s * s); }, [](double) { return 1.0; },
     [](double s) { return -s; }},
    {"sample", [](double s) { return 1.0 / std::sqrt(1 + s * s); }, [](double) { return 0.0; },
     [](double) { return 1.0; }},
    {"v_prediction", [](double s) { return 1.0 / std::sqrt(1 + s * s); }, [](double s) { return 1.0 / (1 + s * s); },
     [](double s) { return -s / std::sqrt(1 + s * s); }},
    {"flow", [](double s) { return 1.0 / (1 + s); }, [](double s) { return 1.0 / (1 + s); },
     [](double s) { return -s / (1 + s); }}};

// σ of a linear schedule of diffusers' betas.
std::vector<double> table() {
  std::vector<double> sigmas;
  double product = 1.0;
  for (int i = 0; i < 1000; ++i) {
    product *= 1.0 - (1e-4 + (0.02 - 1e-4) * i / 999.0);
    sigmas.push_back(std::sqrt((1.0 - product) / product));
  }
  return sigmas;
}

double timestep(double sigma, bool logarithmic) {
  const std::vector<double> sigmas = table();
  const auto above = std::lower_bound(sigmas.begin(), sigmas.end(), sigma);
  const auto i = static_cast<double>(above - sigmas.begin() - 1);
  const double a = *(above - 1), b = *above;
  return i + (logarithmic ? std::log(sigma / a) / std::log(b / a) : (sigma - a) / (b - a));
}

std::string refusal(const ForeignFolder& model, bool trust = true, at::ScalarType dtype = at::kFloat) {
  try {
    (void)load_model(model.card(), at::kCPU, dtype, trust);
  } catch (const Error& error) {
    return fmt::format("{}: {}", error.kind() == ErrorKind::usage ? "usage" : "input", error.what());
  }
  return "nothing was thrown";
}

std::map<std::string, at::Tensor> honest_probe() {
  const Tensor x = at::randn({3, 2, 4, 4}), t = at::linspace(0.1, 0.9, 3, at::kFloat);
  return {{"input", x}, {"time", t}, {"output", plain_network(x, t)}};
}

}  // namespace

TEST_CASE("foreign model: every prediction and every time are those of the table", "[foreign]") {
  const std::vector<double> levels = {0.05, 0.7, 3.0, 15.0};
  const Tensor sigma = at::tensor(levels, at::kDouble);
  const Tensor x = at::randn({4, 2, 4, 4}, at::kDouble) * (1.0 + sigma.view({4, 1, 1, 1}));
  const struct {
    const char* card;
    double (*of)(double);
  } times[] = {
      {"time = \"sigma\"", [](double s) { return s; }},
      {"time = \"c_noise\"", [](double s) { return 0.25 * std::log(s); }},
      {"time = \"flow_t\"", [](double s) { return s / (1 + s); }},
      {"time = \"timestep\"\nnoise_schedule = { kind = \"linear\" }", [](double s) { return timestep(s, true); }},
      {"time = \"timestep\"\ninterpolation = \"linear\"\nnoise_schedule = { kind = \"linear\" }",
       [](double s) { return timestep(s, false); }}};
  ForeignFolder model;
  model.code(scripted(testing::kPlainNetwork));
  for (const Row& row : kPredictions)
    for (const auto& time : times) {
      INFO(row.name << ", " << time.card);
      model.more = fmt::format("prediction = \"{}\"\n{}\n", row.name, time.card);
      model.write();
      const LoadedModel loaded = load_model(model.card(), at::kCPU, at::kDouble, true);
      const Tensor denoised = loaded.denoiser->evaluate(x, sigma, {}).denoised;
      std::vector<double> t, in, skip, out;
      for (const double s : levels) {
        t.push_back(time.of(s));
        in.push_back(row.in(s));
        skip.push_back(row.skip(s));
        out.push_back(row.out(s));
      }
      const auto rows = [](const std::vector<double>& values) {
        return at::tensor(values, at::kDouble).view({4, 1, 1, 1});
      };
      const Tensor wanted = rows(skip) * x + rows(out) * plain_network(rows(in) * x, at::tensor(t, at::kDouble));
      CHECK((denoised - wanted).abs().max().item<double>() < 1e-10 * wanted.abs().max().item<double>());
    }
}

TEST_CASE("foreign model: twice the channels are F and the log variance", "[foreign]") {
  ForeignFolder model;
  model.code(scripted("def forward(self, x, t):\n  return torch.cat([0.3 * x, 0.7 * x], 1)\n"));
  model.more = "prediction = \"sample\"\ntime = \"sigma\"\n";
  model.write();
  const LoadedModel loaded = load_model(model.card(), at::kCPU, at::kDouble, true);
  const Tensor x = at::randn({2, 2, 4, 4}, at::kDouble);
  const Evaluation said = loaded.denoiser->evaluate(x, at::ones({2}, at::kDouble), {});
  CHECK(at::allclose(said.denoised, 0.3 * x / std::sqrt(2.0)));
  REQUIRE(said.log_variance);
  CHECK(at::allclose(*said.log_variance, 0.7 * x / std::sqrt(2.0)));
}

TEST_CASE("foreign model: code is opened only when it is trusted, and is what the card says", "[foreign]") {
  ForeignFolder model;
  model.code(scripted("def forward(self, x, t):\n  assert False, 'it ran'\n  return x\n"));
  model.write();
  CHECK_THAT(refusal(model, false),
             contains("usage: `model`") && contains("network.pt is a program") && contains("`trust_model`"));
  CHECK_THROWS_WITH(load_model(model.card(), at::kCPU, at::kFloat, true), contains("it ran"));
  // Another file: not opened, whoever trusts it.
  model.write(std::string(64, 'a'));
  CHECK_THAT(refusal(model),
             contains("input: ") && contains("network.pt: its SHA-256 is ") && contains("promises aaaa"));
  model.code("no program");
  model.write();
  CHECK_THAT(refusal(model), contains("input: ") && contains("no TorchScript module"));
  std::filesystem::remove(model / "network.pt");
  CHECK_THAT(refusal(model), contains("input: ") && contains("network.pt"));
}

TEST_CASE("foreign model: what is no card is told from one, with what to do", "[foreign]") {
  ForeignFolder model;
  model.code(scripted(testing::kPlainNetwork));
  model.write();
  CHECK(find_model(model / "network.pt").where == model.card());  // the card beside it names it
  CHECK(find_model(model.folder->path()).where == model.card());
  write_file_atomic(model / "model.onnx", "weights");
  CHECK_THROWS_WITH(find_model(model / "model.onnx"),
                    contains("`model` ") && contains("weights and code do not say") && contains("export-onnx"));
  std::filesystem::create_directory(model / "pipeline");
  CHECK_THROWS_WITH(find_model(model / "pipeline"), contains("a folder without card.toml") && !contains("diffusers"));
  write_file_atomic(model / "pipeline/model_index.json", "{}");
  CHECK_THROWS_WITH(find_model(model / "pipeline"), contains("scripts/export-diffusers"));
  write_file_atomic(model / "pipeline/card.toml", "[decoder]\nfile = \"d.pt\"\n");
  CHECK_THROWS_WITH(find_model(model / "pipeline"), contains("the card of a [decoder], which `decoder` takes"));
}

TEST_CASE("foreign model: a probe that is answered otherwise is refused with the size of the difference", "[foreign]") {
  ForeignFolder model;
  model.code(scripted(testing::kPlainNetwork));
  model.more = "probe = \"probe.safetensors\"\n";
  auto tensors = honest_probe();
  model.probe(tensors);
  model.write();
  CHECK(load_model(model.card(), at::kCPU, at::kFloat, true).info().kind == "torchscript");
  // The bound is that of the narrower data type.
  const auto off_by = [&](double relative) {
    auto off = tensors;
    off["output"] = tensors["output"] * (1.0 + relative);
    model.probe(off);
  };
  off_by(5e-5);
  CHECK(refusal(model) == "nothing was thrown");
  off_by(1e-3);
  CHECK_THAT(refusal(model), contains("input: ") && contains("0.000999") && contains("more than 0.0001"));
  CHECK(refusal(model, true, at::kBFloat16) == "nothing was thrown");
  off_by(0.05);
  CHECK_THAT(refusal(model, true, at::kBFloat16), contains("0.04") && contains("more than 0.02"));
  auto nan = tensors;
  nan["output"] = at::full({3, 2, 4, 4}, std::numeric_limits<double>::quiet_NaN());
  model.probe(nan);
  CHECK_THAT(refusal(model), contains("'output' must hold finite"));
  model.probe(tensors);
  model.more += fmt::format("probe_sha256 = \"{}\"\n", std::string(64, 'b'));
  model.write();
  CHECK_THAT(refusal(model), contains("probe.safetensors: its SHA-256"));
  // A network that says NaN, against any probe.
  model.more = "probe = \"probe.safetensors\"\n";
  model.code(scripted("def forward(self, x, t):\n  return x / 0.0 * 0.0\n"));
  model.write();
  CHECK_THAT(refusal(model), contains("numbers that are not finite"));
}

TEST_CASE("foreign model: wrong shapes are seen when it is loaded, with a probe and without", "[foreign]") {
  ForeignFolder model;
  model.code(scripted("def forward(self, x, t):\n  return x.repeat(1, 3, 1, 1)\n"));
  model.write();
  CHECK_THAT(refusal(model), contains("input: ") && contains("network.pt: the network returns [2, 6, 4, 4]"));
  model.code(scripted(testing::kPlainNetwork));
  model.more = "probe = \"probe.safetensors\"\n";
  model.shape = "[2, 8, 8]";
  model.probe(honest_probe());
  model.write();
  CHECK_THAT(refusal(model), contains("'input' has the shape [3, 2, 4, 4], the card says [3, 2, 8, 8]"));
}

TEST_CASE("foreign model: data types", "[foreign]") {
  ForeignFolder model;
  model.code(scripted("def forward(self, x, t):\n  assert x.dtype == 15\n  return 0.3 * x\n"));
  model.more = "dtype = \"bfloat16\"\nprediction = \"denoised\"\ntime = \"sigma\"\n";
  model.write();
  // float32, the default, leaves a narrow network narrow; states stay wide.
  const LoadedModel narrow = load_model(model.card(), at::kCPU, at::kFloat, true);
  const Tensor x = at::full({2, 2, 4, 4}, 1.0F);
  const Tensor said = narrow.denoiser->evaluate(x, at::ones({2}, at::kDouble), {}).denoised;
  CHECK(said.scalar_type() == at::kFloat);
  CHECK(said.flatten()[0].item<float>() == Approx(0.3).epsilon(1e-2));
  model.code(scripted("def forward(self, x, t):\n  assert x.dtype == 5\n  return 0.3 * x\n"));
  model.write();
  CHECK(refusal(model, true, at::kHalf) == "nothing was thrown");  // converted

  model.kind = "aoti";
  model.more = "device = \"cpu\"\n";
  model.write();
  CHECK_THAT(refusal(model, true, at::kHalf), contains("usage: `dtype` float16: ") &&
                                                  contains("was compiled in float32") &&
                                                  contains("export the network in float16"));
  model.more = "device = \"cuda\"\n";
  model.write();
  CHECK_THAT(refusal(model), contains("input: ") && contains("was compiled for cuda, and this run is on cpu"));
}

TEST_CASE("foreign model: batches are padded and split", "[foreign]") {
  ForeignFolder model;
  model.code(scripted("def forward(self, x, t):\n  assert x.size(0) == 2 or x.size(0) == 8\n  return 0.3 * x\n"));
  model.more = "prediction = \"denoised\"\ntime = \"sigma\"\nbatches = [2, 8]\n";
  model.write();
  const LoadedModel loaded = load_model(model.card(), at::kCPU, at::kFloat, true);
  for (const int64_t rows : {1, 2, 5, 8, 13}) {
    const Tensor x = at::randn({rows, 2, 4, 4});
    CHECK(loaded.denoiser->evaluate(x, at::ones({rows}, at::kDouble), {}).denoised.equal(0.3 * x));
  }
}

TEST_CASE("foreign model: cards are refused with their place", "[foreign]") {
  const std::string head = "[model]\nkind = \"KIND\"\nshape = [2, 4, 4]\n", sha(64, 'a');
  const std::string script =
      "[model]\nkind = \"torchscript\"\nshape = [2, 4, 4]\nfile = \"n.pt\"\nsha256 = \"" + sha + "\"\n";
  const std::string package =
      "[model]\nkind = \"aoti\"\nshape = [2, 4, 4]\nfile = \"n.pt2\"\ndevice = \"cpu\"\nsha256 = \"" + sha + "\"\n";
  const std::string packages = "[model]\nkind = \"aoti\"\nshape = [2, 4, 4]\ndevice = \"cpu\"\n";
  const auto of = [&](const std::string& list) { return packages + "packages = [" + list + "]\n"; };
  const std::string one = "{ file = \"a.pt2\", sha256 = \"" + sha + "\", batch = 1 }";
  const std::vector<std::pair<std::string, std::string>> rows = {
      {"[model]\nkind = \"torchscript\"\nshape = [2]\nfile = \"n.pt\"\n", "model.sha256 is missing"},
      {"[model]\nkind = \"torchscript\"\nshape = [2]\nsha256 = \"" + sha + "\"\n", "model.file is missing"},
      {script + "dtype = \"int8\"\n", "float32, float16 or bfloat16"},
      {script + "device = \"cpu\"\n", "unknown key model.device"},
      {script + "weights = \"w.safetensors\"\n", "unknown key model.weights"},
      {script + "packages = []\n", "unknown key model.packages"},
      {script + "probe_sha256 = \"" + sha + "\"\n", "`probe`, which is missing"},
      {script + "probe = \"p\"\nprobe_sha256 = \"7\"\n", "64 lower-case"},
      {script + "time = \"timestep\"\n", "model.noise_schedule is missing"},
      {script + "conditions = [ { name = \"a\", shape = [2] }, { name = \"a\", classes = 3 } ]\n", "another condition"},
      {script + "conditions = [ { name = \"a\", shape = [2], classes = 3 } ]\n", "one of them"},
      {script + "conditions = [ { name = \"a\", shape = [2], guidance = true } ]\n", "one of them"},
      {script + "conditions = [ { name = \"a\", shape = [-2] } ]\n", "positive sizes"},
      {script + "conditions = [ { name = \"a\", shape = [2], null = \"ones\" } ]\n", "\"zeros\""},
      {script + "conditions = [ { name = \"a\", shape = [2], null = 3 } ]\n", "must be a string"},
      {script + "conditions = [ { name = \"a\", classes = 2, null = \"zeros\" } ]\n", "must be an integer"},
      {script + "conditions = [ { name = \"a\", classes = 2, null = -1 } ]\n", "takes for none"},
      {script + "conditions = [ { name = \"a\", guidance = true, null = \"zeros\" } ]\n", "null"},
      {script + "conditions = [ { name = \"a\", guidance = 1 } ]\n", "true or false"},
      {script + "conditions = [ { name = \"a\", shape = [2], default = 3.5 } ]\n", "guidance = true"},
      {packages + "file = \"n.pt2\"\nsha256 = \"" + sha + "\"\ndevice = \"tpu\"\n", "TOML"},
      {"[model]\nkind = \"aoti\"\nshape = [2]\nfile = \"n.pt2\"\nsha256 = \"" + sha + "\"\n", "model.device"},
      {package + "weights_sha256 = \"" + sha + "\"\n", "`weights`, which is missing"},
      {of(""), "model.packages is empty"},
      {of("{ file = \"a.pt2\", batch = 1 }"), "sha256 is missing"},
      {of("{ file = \"a.pt2\", sha256 = \"" + sha + "\" }"), "batch must be positive"},
      {of(one + ", " + one), "another package"},
      {of(one) + "batches = [1]\n", "follows from `packages`"},
      {of("{ file = \"a.pt2\", sha256 = \"" + sha + "\", batch = 1, size = 3 }"), "unknown key model.packages.size"}};
  for (const auto& [text, says] : rows) {
    INFO(text);
    CHECK_THROWS_WITH(parse_model_card(text, "bad.toml"), contains("bad.toml") && contains(says));
  }
  const ModelCard card = parse_model_card(of(one + ", { file = \"b.pt2\", sha256 = \"" + sha + "\", batch = 16 }") +
                                              "dtype = \"bfloat16\"\nconditions = [ { name = \"e\", shape = [7, 3] }, "
                                              "{ name = \"class\", classes = 10, null = "
                                              "10 }, { name = \"pooled\", shape = [], null = \"zeros\" }, { name = "
                                              "\"g\", guidance = true, default = 3.5 } ]\n",
                                          "good.toml");
  REQUIRE(card.foreign);
  CHECK(card.foreign->code.at(1).batch == 16);
  CHECK(card.foreign->dtype == at::kBFloat16);
  CHECK(card.info.conditions.at(0).shape == std::vector<int64_t>{7, 3});
  CHECK_FALSE(card.info.conditions.at(0).null);
  CHECK(card.info.conditions.at(1).null == 10);
  CHECK(card.info.conditions.at(2).zeros);
  CHECK(card.info.conditions.at(3).standard == 3.5);
  CHECK(card.info.sha256.size() == 64);
  // Stride's own models know the label −1.
  CHECK(parse_model_card(
            "[model]\nkind = \"unet\"\nfile = \"w\"\nshape = [1]\nconditions = [ { name = \"class\", classes = "
            "2 } ]\n",
            "u.toml")
            .info.conditions[0]
            .null == -1);
}

}  // namespace stride
