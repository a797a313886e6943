// Decoders of latents, and what comes after them.
#include "pipeline/decoding/image_stage.h"
#include "framework/error.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "framework/files/safetensors.h"
#include "tests/catch_torch.h"
#include "tests/temporary_folder.h"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <torch/csrc/jit/api/module.h>

#include <sstream>

namespace stride {
namespace {

std::string program(const std::string& forward) {
  torch::jit::Module module("network");
  module.define(forward);
  std::ostringstream out;
  module.save(out);
  return out.str();
}

// Twice as high and wide: three channels of one, with a mean over 3 × 3 pixels.
constexpr const char* kDecode =
    "def forward(self, x):\n"
    "  y = torch.avg_pool2d(x, [3, 3], [1, 1], [1, 1])\n"
    "  y = torch.upsample_nearest2d(y, [2 * x.size(2), 2 * x.size(3)])\n"
    "  return torch.cat([y, -y, 0.5 * y], 1)\n";

Tensor decoded(const Tensor& x) {
  const Tensor y = at::upsample_nearest2d(at::avg_pool2d(x, {3, 3}, {1, 1}, {1, 1}), {2 * x.size(2), 2 * x.size(3)});
  return at::cat({y, -y, 0.5 * y}, 1);
}

class Card final {
 public:
  explicit Card(const std::string& forward = kDecode) : code_(program(forward)) {
    write_file_atomic(folder_ / "net.pt", code_);
  }
  std::string operator()(const std::string& table, const std::string& more, const std::string& hash = "") const {
    write_file_atomic(folder_ / "card.toml", fmt::format("[{}]\nfile = \"net.pt\"\nsha256 = \"{}\"\n{}", table,
                                                         hash.empty() ? sha256(code_) : hash, more));
    return folder_ / "card.toml";
  }
  std::string path(const std::string& name) const { return folder_ / name; }

 private:
  testing::TemporaryFolder folder_;
  std::string code_;
};

const std::string kShapes = "in_shape = [1, 12, 8]\nout_shape = [3, 24, 16]\n";

Tensor latents(int64_t n) {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(5);
  return at::randn({n, 1, 12, 8}, generator, at::TensorOptions().dtype(at::kFloat));
}

}  // namespace

TEST_CASE("image stages: latents are scaled, shifted and decoded, whole, in batches and in tiles", "[decoder]") {
  const Card card;
  const Tensor z = latents(5);
  const Tensor wanted = decoded(z / 0.5 + 0.25);
  for (const char* more : {"", "batches = [1, 2]\n", "batches = [4]\n", "batches = \"dynamic\"\n",
                           "tile = 6\ncontext = 1\n", "tile = 8\ncontext = 1\noverlap = 1\nbatches = [3]\n"}) {
    INFO(more);
    const ImageStages stages(card("decoder", kShapes + "scale = 0.5\nshift = 0.25\n" + more), "", true, at::kCPU);
    CHECK(stages.out_shape({1, 12, 8}) == std::vector<int64_t>{3, 24, 16});
    const Tensor out = stages(z);
    CHECK(out.scalar_type() == at::kFloat);
    CHECK(at::allclose(out, wanted, 0.0, 1e-6));
    CHECK(stages(z.narrow(0, 0, 0)).size(0) == 0);
  }
  const ImageStages none;
  CHECK(none.empty());
  CHECK(none(z).is_same(z));
}

TEST_CASE("image stages: a decoder and what comes after it", "[decoder]") {
  const Card decode, post("def forward(self, x):\n  return (torch.clamp(2.0 * x, -1.0, 1.0), x)\n");
  const std::string first = decode("decoder", kShapes);
  const ImageStages both(first, post("post", "in_shape = [3, 24, 16]\nout_shape = [3, 24, 16]\n"), true, at::kCPU);
  const Tensor z = latents(2);
  CHECK(at::allclose(both(z), (2.0 * decoded(z)).clamp(-1.0, 1.0), 0.0, 1e-6));
  CHECK(both.made_with().size() == 2);
  CHECK_THROWS_WITH(ImageStages(first, post("post", "in_shape = [3, 8, 8]\nout_shape = [3, 8, 8]\n"), true, at::kCPU),
                    contains("`post`"));
  CHECK_THROWS_WITH(both.out_shape({4, 8, 8}), contains("takes samples of [1, 12, 8]"));
  CHECK_THROWS_WITH(load_image_stage("`post`", "post", post("post", kShapes + "scale = 2\n"), true, at::kCPU),
                    contains("scale"));
}

TEST_CASE("image stages: code is opened with trust and the right hash alone, and what is wrong is named", "[decoder]") {
  const Card card;
  const auto load = [&](const std::string& more, bool trust = true, const std::string& hash = "") {
    return load_image_stage("`decoder`", "decoder", card("decoder", more, hash), trust, at::kCPU);
  };
  CHECK_THROWS_AS(load(kShapes, false), UsageError);
  CHECK_THROWS_WITH(load(kShapes, false), contains("`trust_model`"));
  CHECK_THROWS_AS(load(kShapes, true, std::string(64, '0')), InputError);
  CHECK_THROWS_WITH(load(kShapes, true, std::string(64, '0')), contains("its SHA-256 is"));
  CHECK_THROWS_WITH(load("in_shape = [1, 12]\n"), contains("in_shape"));
  CHECK_THROWS_WITH(load(kShapes + "kind = \"aoti\"\n"), contains("compiled for"));
  CHECK_THROWS_WITH(load(kShapes + "dtype = \"int8\"\n"), contains("dtype"));
  CHECK_THROWS_WITH(load(kShapes + "scale = 0\n"), contains("scale"));
  CHECK_THROWS_WITH(load(kShapes + "batches = [0]\n"), contains("batches"));
  CHECK_THROWS_WITH(load(kShapes + "tiel = 8\n"), contains("tiel"));
  CHECK_THROWS_WITH(load_image_stage("`decoder`", "decoder", card.path("net.pt"), true, at::kCPU),
                    contains("`decoder` ") && contains("weights and code do not say"));
  write_file_atomic(card.path("other.toml"),
                    "[decoder]\nfile = \"net.pt\"\nin_shape = [1, 2, 2]\nout_shape = [1, 2, 2]\n");
  CHECK_THROWS_WITH(load_image_stage("`decoder`", "decoder", card.path("other.toml"), true, at::kCPU),
                    contains("opened only where the card says which one it is"));
  // Without a probe the network is run once: what cannot work is seen before samples are drawn for it.
  CHECK_THROWS_WITH(load("in_shape = [1, 12, 8]\nout_shape = [3, 12, 8]\n"), contains("its card promises [3, 12, 8]"));
  CHECK_THROWS_WITH(load("in_shape = [1, 12, 8]\nout_shape = [1, 24, 16]\ntile = 8\ncontext = 1\n"),
                    contains("its card promises [1, 24, 16]"));
  const Card fails("def forward(self, x):\n  assert x.size(1) == 7, 'seven'\n  return x\n");
  CHECK_THROWS_AS(ImageStages(fails("decoder", kShapes), "", true, at::kCPU), InputError);
  CHECK_THROWS_WITH(ImageStages(fails("decoder", kShapes), "", true, at::kCPU),
                    contains("cannot be run as the card says") && contains("seven"));
  // What fails later is no fault of the card.
  const Card later("def forward(self, x):\n  assert x.size(0) == 1, 'alone'\n" + std::string(kDecode).substr(22));
  const ImageStages stages(later("decoder", kShapes), "", true, at::kCPU);
  CHECK_THROWS_AS(stages(latents(2)), c10::Error);
  CHECK_THROWS_WITH(stages(latents(2)), contains("net.pt: the network failed") && contains("alone"));
  write_file_atomic(card.path("net.pt"), "no archive");
  CHECK_THROWS_AS(load(kShapes, true, sha256("no archive")), InputError);
}

TEST_CASE("image stages: a probe says whether the network is the one that was exported", "[decoder]") {
  const Card card;
  const Tensor z = latents(2);
  const std::string path = card("decoder", kShapes + "probe = \"probe.safetensors\"\n");
  write_safetensors(card.path("probe.safetensors"), {{"input", z}, {"output", decoded(z)}}, {});
  CHECK_NOTHROW(ImageStages(path, "", true, at::kCPU));
  const std::string hash = sha256(read_file(card.path("probe.safetensors")));
  for (const std::string& said : {hash, std::string(64, '0')}) {
    const std::string with =
        card("decoder", kShapes + "probe = \"probe.safetensors\"\nprobe_sha256 = \"" + said + "\"\n");
    if (said == hash) CHECK_NOTHROW(ImageStages(with, "", true, at::kCPU));
    if (said != hash) CHECK_THROWS_WITH(ImageStages(with, "", true, at::kCPU), contains("promises 0000"));
  }
  CHECK_NOTHROW(card("decoder", kShapes + "probe = \"probe.safetensors\"\n"));
  write_safetensors(card.path("probe.safetensors"), {{"input", z}, {"output", decoded(z) * 1.001}}, {});
  CHECK_THROWS_AS(ImageStages(path, "", true, at::kCPU), InputError);
  CHECK_THROWS_WITH(ImageStages(path, "", true, at::kCPU), contains("answers its probe with a relative difference of"));
  write_safetensors(card.path("probe.safetensors"), {{"input", z}}, {});
  CHECK_THROWS_WITH(ImageStages(path, "", true, at::kCPU), contains("input and output"));
}

}  // namespace stride
