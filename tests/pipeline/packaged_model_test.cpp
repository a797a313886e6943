// Models compiled by AOTInductor: one package, made here by Python.
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "framework/models/network_denoiser.h"
#include "neural/foreign/packaged_network.h"
#include "pipeline/decoding/image_stage.h"
#include "pipeline/model_card.h"
#include "pipeline/sample.h"
#include "tests/catch_torch.h"
#include "tests/pipeline/foreign_folder.h"

#include <ATen/ATen.h>

#include <torch/version.h>
#include <cstdlib>

namespace stride {
namespace {

using testing::ForeignFolder;

struct Packages {
  std::string network, images;
};

// The bytes of the packages; empty where there is no Python with torch to compile them.
const Packages& packages() {
  static const Packages bytes = [] {
    const char* const python = std::getenv("STRIDE_VENV_PYTHON");
    if (python == nullptr) return Packages();
    const testing::TemporaryFolder folder;
    const std::string path = folder / "network.pt2", images = folder / "images.pt2";
    const std::string command = fmt::format(
        "TORCHINDUCTOR_CACHE_DIR='{}' '{}' -W ignore '{}/tests/pipeline/make_package.py' '{}' '{}' >'{}' 2>&1",
        folder / "cache", python, STRIDE_SOURCE_DIR, path, images, folder / "log");
    const int status = std::system(command.c_str());
    INFO(read_file(folder / "log"));
    REQUIRE(status == 0);
    return Packages{read_file(path), read_file(images)};
  }();
  return bytes;
}

const std::string& package() { return packages().network; }

Tensor network(const Tensor& x, const Tensor& t, const Tensor& label, const Tensor& scale) {
  return 0.3 * x * scale.index_select(0, label).view({-1, 1, 1, 1}) + 0.1 * t.view({-1, 1, 1, 1});
}

std::string refusal(const ForeignFolder& model, at::ScalarType dtype = at::kFloat) {
  try {
    (void)load_model(model.card(), at::kCPU, dtype, true);
  } catch (const Error& error) {
    return fmt::format("{}: {}", error.kind() == ErrorKind::usage ? "usage" : "input", error.what());
  }
  return "nothing was thrown";
}

}  // namespace

TEST_CASE("packaged model: batches, conditions, constants from a file, and what is refused", "[foreign]") {
  if (package().empty()) {
    WARN("skipped: STRIDE_VENV_PYTHON names no Python to compile a package with");
    return;
  }
  ForeignFolder model;
  model.kind = "aoti";
  model.file = "network.pt2";
  const std::string card =
      "device = \"cpu\"\nprediction = \"denoised\"\ntime = \"sigma\"\nconditions = [ { name = \"class\", classes = 3, "
      "null "
      "= 3 } ]\n";
  model.more = card + "probe = \"probe.safetensors\"\n";
  model.code(package());
  const Tensor own = at::tensor({1.0F, 2.0F, 3.0F, 4.0F});
  const auto probe = [&](const Tensor& scale, const std::string& torch) {
    const Tensor x = at::randn({4, 2, 4, 4}), t = at::rand({4}), label = at::arange(4);
    model.probe({{"input", x}, {"time", t}, {"condition.class", label}, {"output", network(x, t, label, scale)}},
                {{"torch", torch}});
  };
  const auto answers = [&](const Tensor& scale) {
    const LoadedModel loaded = load_model(model.card(), at::kCPU, at::kFloat, true);
    for (const int64_t rows : {1, 2, 5, 17}) {
      const Tensor x = at::randn({rows, 2, 4, 4}), label = at::arange(rows).remainder(4);
      const Tensor sigma = at::linspace(0.1, 3.0, rows, at::kDouble);
      const Tensor got = loaded.denoiser->evaluate(x, sigma, BatchState({label})).denoised;
      CHECK(at::allclose(got, network(x, sigma.to(at::kFloat), label, scale), 1e-5, 1e-6));
    }
    return loaded.info().sha256;
  };
  probe(own, TORCH_VERSION);
  model.write();
  const std::string first = answers(own);
  CHECK(first == sha256_file(model / "network.pt2"));
  const LoadedModel loaded = load_model(model.card(), at::kCPU, at::kFloat, true);
  const SampleResult drawn = sample(loaded, "euler", {.steps = 3, .label = "0-2", .guidance = "2", .batch = 3}, "0-7");
  CHECK(drawn.status.eq(0).all().item<bool>());
  CHECK(drawn.model_evals.eq(6).all().item<bool>());
  // A package has no gradients, and says so.
  const Tensor x = at::randn({2, 2, 4, 4}).requires_grad_(true);
  CHECK_THROWS_WITH(loaded.denoiser->evaluate(x, at::ones({2}, at::kDouble), BatchState({at::zeros({2}, at::kLong)})),
                    contains("has no gradients"));

  // Fixed sizes, one package for both.
  model.more = card + "probe = \"probe.safetensors\"\nbatches = [2, 4]\n";
  model.write();
  CHECK(answers(own) == first);
  // Other weights: another model on the same code.
  const Tensor other = at::tensor({0.5F, -1.0F, 2.5F, 0.0F});
  write_safetensors(model / "weights.safetensors", {{"scale", other}});
  model.more = card + "probe = \"probe.safetensors\"\nweights = \"weights.safetensors\"\n";
  model.write();
  CHECK_THAT(refusal(model), contains("input: ") && contains("relative difference"));  // the probe is of the first
  probe(other, TORCH_VERSION);
  CHECK(answers(other) == sha256_file(model / "weights.safetensors"));
  const auto weights = [&](const std::map<std::string, Tensor>& tensors) {
    write_safetensors(model / "weights.safetensors", tensors);
    return refusal(model);
  };
  CHECK_THAT(weights({{"scales", other}}), contains("the weights lack scale"));
  CHECK_THAT(weights({{"scale", other}, {"bias", other}}), contains("no constant bias"));
  CHECK_THAT(weights({{"scale", other.to(at::kHalf)}}), contains("another data type of 'scale'"));
  CHECK_THAT(weights({{"scale", at::ones({3})}}), contains("has 'scale' as [4], the weights as [3]"));
  model.more += fmt::format("weights_sha256 = \"{}\"\n", std::string(64, 'a'));
  model.write();
  CHECK_THAT(refusal(model), contains("weights.safetensors: its SHA-256"));

  // Another torch, another number of inputs, another data type, another device.
  model.more = card + "probe = \"probe.safetensors\"\n";
  model.write();
  probe(own, "2.10.1");
  CHECK_THAT(refusal(model), contains("was compiled with torch 2.10.1, and this program has " TORCH_VERSION));
  model.more = "device = \"cpu\"\nprediction = \"denoised\"\ntime = \"sigma\"\n";
  model.write();
  CHECK_THAT(refusal(model), contains("takes 3 tensors, and the card means 2"));
  model.more = card;
  model.write();
  CHECK_THAT(refusal(model, at::kBFloat16), contains("usage: `dtype` bfloat16"));
  CHECK(refusal(model, at::kDouble) == "nothing was thrown");  // states are wide, the network as compiled
  // A whole file with another hash is not opened; a cut one with its own is no package.
  model.write(std::string(64, 'a'));
  CHECK_THAT(refusal(model), contains("network.pt2: its SHA-256"));
  for (const double part : {0.0, 0.3, 0.9, 0.999}) {
    model.code(package().substr(0, static_cast<std::size_t>(part * static_cast<double>(package().size()))));
    model.write();
    CHECK_THAT(refusal(model), contains("input: ") && contains("network.pt2: is no AOTInductor package"));
  }
}

TEST_CASE("packaged model: a decoder, compiled", "[foreign][decoder]") {
  if (package().empty()) {
    WARN("skipped: STRIDE_VENV_PYTHON names no Python to compile a package with");
    return;
  }
  const testing::TemporaryFolder folder;
  const auto write = [&](const std::string& code, const std::string& device, const std::string& more = "") {
    write_file_atomic(folder / "card.toml", fmt::format("[decoder]\nkind = \"aoti\"\n{}device = \"{}\"\n"
                                                        "in_shape = [2, 4, 4]\nout_shape = [2, 8, 8]\nscale = 2.0\n{}",
                                                        code, device, more));
    return folder / "card.toml";
  };
  const auto one = [](const std::string& bytes) {
    return fmt::format("file = \"decoder.pt2\"\nsha256 = \"{}\"\n", sha256(bytes));
  };
  const auto card = [&](const std::string& bytes, const std::string& device, const std::string& more = "") {
    write_file_atomic(folder / "decoder.pt2", bytes);
    return write(one(bytes), device, more);
  };
  const auto load = [&](const std::string& path) { return ImageStages(path, "", true, at::kCPU); };
  const Tensor z = at::randn({3, 2, 4, 4});
  const Tensor pictures = load(card(packages().images, "cpu"))(z);
  const Tensor large = at::upsample_nearest2d(z, at::IntArrayRef{8, 8});
  CHECK(at::allclose(pictures, large * 0.25, 1e-6, 1e-6));

  // One package a batch size, and other weights, as networks have them.
  const std::string sha = sha256(packages().images);
  const auto of_size = [&](int64_t size) {
    return fmt::format("{{ file = \"decoder.pt2\", sha256 = \"{}\", batch = {} }}", sha, size);
  };
  const std::string both = fmt::format("packages = [ {}, {} ]\n", of_size(1), of_size(2));
  CHECK(at::allclose(load(write(both, "cpu"))(z), large * 0.25, 1e-6, 1e-6));
  CHECK_THROWS_WITH(load(write(both, "cpu", "batches = [1]\n")), contains("follows from `packages`"));
  write_safetensors(folder / "weights.safetensors", {{"gain", at::full({1}, 3.0F)}});
  const std::string weights = "weights = \"weights.safetensors\"\n";
  const ImageStages other = load(write(both, "cpu", weights));
  CHECK(at::allclose(other(z), large * 1.5, 1e-6, 1e-6));
  CHECK(other.made_with().at(0).second == sha256_file(folder / "weights.safetensors"));
  CHECK_THROWS_WITH(load(write(both, "cpu", weights + "weights_sha256 = \"" + std::string(64, 'a') + "\"\n")),
                    contains("weights.safetensors: its SHA-256"));
  write_safetensors(folder / "weights.safetensors", {{"gains", at::full({1}, 3.0F)}});
  CHECK_THROWS_WITH(load(write(both, "cpu", weights)), contains("the weights lack gain"));

  // Another torch, as its probe says; another device.
  const std::string probe = "probe = \"probe.safetensors\"\n";
  for (const std::string torch : {TORCH_VERSION, "2.10.1"}) {
    write_safetensors(folder / "probe.safetensors", {{"input", z}, {"output", large * 0.5}}, {{"torch", torch}});
    const std::string path = card(packages().images, "cpu", probe);
    if (torch == TORCH_VERSION) CHECK_NOTHROW(load(path));
    if (torch != TORCH_VERSION) CHECK_THROWS_WITH(load(path), contains("was compiled with torch 2.10.1"));
  }
  CHECK_THROWS_WITH(load(card(packages().images, "cuda")), contains("was compiled for cuda, and this run is on cpu"));
  CHECK_THROWS_WITH(load(card(package(), "cpu")), contains("takes 3 tensors, and the card means 1"));
  CHECK_THROWS_WITH(load(card(packages().images, "tpu")), contains("device"));
  CHECK_THROWS_WITH(load(card(packages().images.substr(0, 2000), "cpu")), contains("decoder.pt2"));
}

}  // namespace stride
