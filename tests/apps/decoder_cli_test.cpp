// --decoder and --post through the real command.
#include "datasets/files/hdf5.h"
#include "datasets/files/npz_reader.h"
#include "datasets/files/samples_file.h"
#include "framework/files/file.h"
#include "framework/files/hash.h"
#include "pipeline/sample_source.h"
#include "tests/apps/place.h"
#include "tests/catch_torch.h"

#include <ATen/ATen.h>
#include <torch/csrc/jit/api/module.h>
#include <nlohmann/json.hpp>

#include <sstream>

namespace stride {
namespace {

using nlohmann::json;
using testing::Outcome;

void write_network(const testing::Place& place, const std::string& name, const std::string& table,
                   const std::string& forward, const std::string& more) {
  torch::jit::Module module("network");
  module.define(forward);
  std::ostringstream out;
  module.save(out);
  write_file_atomic(place.path(name + ".pt"), out.str());
  place.write(name + ".toml",
              "[" + table + "]\nfile = \"" + name + ".pt\"\nsha256 = \"" + sha256(out.str()) + "\"\n" + more);
}

// Latents of 1 × 2 × 3, pictures of 3 × 4 × 6.
void write_files(const testing::Place& place) {
  place.write("latent.toml",
              "[model]\nkind = \"gaussian_mixture\"\nshape = [1, 2, 3]\nweights = [1.0]\nstd = [0.5]\n"
              "means = [[0.1, -0.2, 0.3, -0.4, 0.5, -0.6]]\n");
  write_network(place, "decode", "decoder",
                "def forward(self, x):\n  y = torch.upsample_nearest2d(x, [2 * x.size(2), 2 * x.size(3)])\n"
                "  return torch.cat([y, -y, 0.5 * y], 1)\n",
                "in_shape = [1, 2, 3]\nout_shape = [3, 4, 6]\nscale = 2.0\n");
  write_network(place, "invert", "post", "def forward(self, x):\n  return -x\n",
                "in_shape = [3, 4, 6]\nout_shape = [3, 4, 6]\n");
}

Tensor decoded(const Tensor& x) {
  const Tensor y = at::upsample_nearest2d(x.to(at::kFloat) / 2.0, {4, 6});
  return at::cat({y, -y, 0.5 * y}, 1);
}

}  // namespace

TEST_CASE("decoder cli: pictures beside the samples, which stay what the model made") {
  const testing::Place place;
  write_files(place);
  const std::vector<std::string> words = {"sample",  "--model", "latent.toml", "--seeds", "0-4",
                                          "--steps", "4",       "--save",      "npz,png"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), words.begin(), words.end());
    return place(more);
  };
  CHECK(with({"--outdir", "run"}).code == 0);  // 1 × 2 × 3 are pictures themselves
  const Tensor plain = read_samples(place.path("run/samples.h5")).x.clone();
  const Outcome run =
      with({"--decoder", "decode.toml", "--post", "invert.toml", "--trust-model", "--outdir", "pictures"});
  INFO(run.err);
  REQUIRE(run.code == 0);
  const Tensor x = read_samples(place.path("pictures/samples.h5")).x.clone();
  CHECK(at::equal(x, plain));
  const Tensor pixels = NpzReader::open(place.path("pictures/samples.npz")).read("arr_0");
  CHECK(pixels.sizes() == at::IntArrayRef({5, 4, 6, 3}));
  const Tensor wanted = ((1.0 - decoded(x).clamp(-1, 1)) * 127.5).round().permute({0, 2, 3, 1});
  CHECK((pixels.to(at::kFloat) - wanted).abs().max().item<double>() <= 1.0);
  CHECK(place.has("pictures/images/000004.png"));
  const json manifest = json::parse(place.text("pictures/manifest.json"));
  CHECK(manifest.dump().find("decode.toml") != std::string::npos);

  const auto refused = [&](const std::vector<std::string>& more, int code, const std::string& says) {
    const Outcome bad = with(more);
    INFO(bad.err);
    CHECK(bad.code == code);
    CHECK(bad.err.find(says) != std::string::npos);
  };
  refused({"--decoder", "decode.toml", "--outdir", "x"}, 2, "--trust-model");
  const Outcome nothing = place({"sample", "--model", "latent.toml", "--decoder", "decode.toml", "--trust-model"});
  CHECK(nothing.code == 2);
  CHECK(nothing.err.find("--save") != std::string::npos);
  refused({"--decoder", "invert.toml", "--trust-model", "--outdir", "x"}, 3, "[decoder]");
  refused({"--post", "invert.toml", "--trust-model", "--outdir", "x"}, 2, "takes samples of [3, 4, 6]");
  refused({"--decoder", "none.toml", "--trust-model", "--outdir", "x"}, 3, "none.toml");
  CHECK_FALSE(place.has("x"));
}

TEST_CASE("decoder cli: inspect shows cards of decoders and of what comes after, and verify checks them") {
  const testing::Place place;
  write_files(place);
  const json seen = json::parse(place({"inspect", "decode.toml", "--json"}).out);
  CHECK(seen.at("what") == "decoder card");
  CHECK(seen.at("kind") == "torchscript");
  CHECK(seen.at("in_shape") == json({1, 2, 3}));
  CHECK(seen.at("out_shape") == json({3, 4, 6}));
  CHECK(seen.at("scale") == 2.0);
  CHECK(seen.at("sha256") == sha256(place.text("decode.pt")));
  CHECK(json::parse(place({"inspect", "invert.toml", "--json"}).out).at("what") == "post card");
  place.write("judge.toml", "[features]\nkind = \"torchscript\"\nfile = \"invert.pt\"\ninput = \"unit\"\nsize = 3\n");
  CHECK(json::parse(place({"inspect", "judge.toml", "--json"}).out).at("size") == 3);
  place.write("none.toml", "[decode]\nfile = \"decode.pt\"\n");
  const Outcome none = place({"inspect", "none.toml"});
  CHECK(none.code == 3);
  CHECK_THAT(none.err, contains("[decoder]"));

  const auto verified = [&](const std::string& card, int code, const std::string& says) {
    const Outcome got = place({"verify", card});
    INFO(got.out << got.err);
    CHECK(got.code == code);
    CHECK_THAT(got.out + got.err, contains(says));
  };
  for (const char* card : {"decode.toml", "invert.toml", "judge.toml", "latent.toml"}) verified(card, 0, card);
  const std::string text = place.text("decode.toml");
  place.write("decode.toml", text + "scales = 2.0\n");
  verified("decode.toml", 3, "scales");
  place.write("decode.toml", text + "probe = \"probe.safetensors\"\n");
  verified("decode.toml", 3, "probe.safetensors");
  place.write("decode.toml", text);
  place.write("decode.pt", "another file");
  verified("decode.toml", 3, "its SHA-256");

  // A pipeline's folder has its decoder in it.
  std::filesystem::create_directories(place.path("pipeline/decoder"));
  place.write("pipeline/card.toml", place.text("latent.toml"));
  place.write("pipeline/decoder/card.toml", text);
  verified("pipeline", 3, "decode.pt");
}

TEST_CASE("decoder cli: evaluate and metrics compare pictures") {
  const testing::Place place;
  write_files(place);
  REQUIRE(place({"sample", "--model", "latent.toml", "--seeds", "0-15", "--steps", "4", "--outdir", "run"}).code == 0);
  const Tensor x = read_samples(place.path("run/samples.h5")).x.clone();
  hdf5::ImageWriter reference;
  reference.dataset("x", decoded(x).contiguous());
  write_file_atomic(place.path("pictures.h5"), reference.finish());
  const std::vector<std::string> decoder = {"--decoder", "decode.toml", "--trust-model"};
  const auto with = [&](std::vector<std::string> words) {
    words.insert(words.end(), decoder.begin(), decoder.end());
    return place(words);
  };
  const Outcome measured = with({"metrics", "--samples", "run", "--ref", "pictures.h5", "--metric", "rmse", "--json"});
  INFO(measured.err);
  REQUIRE(measured.code == 0);
  CHECK(json::parse(measured.out).at("metrics").at("rmse").at("value").get<double>() < 1e-6);
  CHECK(place({"metrics", "--samples", "run", "--ref", "pictures.h5", "--metric", "rmse"}).code != 0);
  const std::vector<std::string> evaluate = {"evaluate",     "--model",     "latent.toml", "--solver",  "euler",
                                             "--nfe",        "4",           "--seeds",     "0-15",      "--teacher",
                                             "heun:steps=8", "--blocks",    "2",           "--metric",  "rmse,swd",
                                             "--ref",        "pictures.h5", "--outdir",    "evaluation"};
  const Outcome evaluated = with(evaluate);
  INFO(evaluated.err);
  REQUIRE(evaluated.code == 0);
  const json results = json::parse(place.text("evaluation/results.json"));
  CHECK(results.dump().find("decode.toml") != std::string::npos);
  CHECK(with({"evaluate", "--model", "latent.toml", "--metric", "exact", "--seeds", "0-15", "--dry-run"}).code == 2);
}

}  // namespace stride
