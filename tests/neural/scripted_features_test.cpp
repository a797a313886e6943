// Feature networks of other projects.
#include "tests/catch_torch.h"

#include "framework/error.h"
#include "neural/foreign/scripted_features.h"

#include <torch/csrc/jit/api/module.h>

#include <cmath>
#include <sstream>

using namespace stride;

namespace {

std::string program(const std::string& forward) {
  torch::jit::Module module("network");
  module.define(forward);
  std::ostringstream out;
  module.save(out);
  return out.str();
}

Tensor images() {
  auto generator = at::make_generator<at::CPUGeneratorImpl>(3);
  return torch::rand({70, 2, 6, 4}, generator, torch::kFloat) * 2 - 1;
}

}  // namespace

TEST_CASE("scripted features: a network sees the images in its own range, in chunks, and answers in float64") {
  const Tensor x = images();
  const std::string flatten = program("def forward(self, x):\n  return x.flatten(1).float()\n");
  const Tensor plain = ScriptedFeatures(flatten, "net.pt", {}, at::kCPU).features(x);
  CHECK(plain.scalar_type() == torch::kDouble);
  CHECK(torch::equal(plain, x.flatten(1).to(torch::kDouble)));
  const Tensor unit = ScriptedFeatures(flatten, "net.pt", {.range = "unit"}, at::kCPU).features(x);
  CHECK(torch::allclose(unit, (plain + 1) / 2, 0.0, 1e-6));
  const Tensor byte = ScriptedFeatures(flatten, "net.pt", {.range = "byte"}, at::kCPU).features(x);
  CHECK(torch::equal(byte, ((x + 1) * 127.5).round().flatten(1).to(torch::kDouble)));
}

TEST_CASE("scripted features: resizing is bilinear between pixel centres, without antialiasing") {
  // A ramp 0, 1, 2, 3 at half the width: centres at 0.5 and 2.5; at double the width the ends stay.
  const Tensor ramp = torch::arange(4, torch::kFloat).reshape({1, 1, 1, 4}).expand({1, 1, 2, 4});
  const Tensor half = scripted_input(ramp, {.resize = {2, 2}});
  CHECK(torch::allclose(half[0][0][0], torch::tensor({0.5F, 2.5F})));
  const Tensor twice = scripted_input(ramp, {.resize = {2, 8}});
  CHECK(torch::allclose(twice[0][0][0], torch::tensor({0.0F, 0.25F, 0.75F, 1.25F, 1.75F, 2.25F, 2.75F, 3.0F})));
  // 4 to 1 looks at the two pixels about the middle only: antialiasing would take all.
  const Tensor peak = torch::tensor({9.0F, 1.0F, 2.0F, 9.0F}).reshape({1, 1, 1, 4});
  CHECK(scripted_input(peak, {.resize = {1, 1}}).item<float>() == Approx(1.5F));
  CHECK_THROWS_AS(scripted_input(ramp[0], {}), UsageError);
  CHECK_THROWS_AS(scripted_input(ramp, {.range = "signal"}), UsageError);
}

TEST_CASE("scripted features: the shapes that networks answer in are taken, others refused") {
  const Tensor x = images();
  const auto features = [&](const std::string& body, ScriptedInput input = {}) {
    return ScriptedFeatures(program(body), "net.pt", std::move(input), at::kCPU).features(x);
  };
  CHECK(features("def forward(self, x):\n  return x.mean([2, 3], keepdim=True)\n").sizes() == at::IntArrayRef({70, 2}));
  CHECK(features("def forward(self, x):\n  return x.mean([2, 3]), x\n").sizes() == at::IntArrayRef({70, 2}));
  CHECK(features("def forward(self, x):\n  return [x.mean([2, 3])]\n").sizes() == at::IntArrayRef({70, 2}));
  const std::string detector =
      "def forward(self, x, return_features: bool = False):\n"
      "  if return_features:\n    return x.flatten(1)\n  return x.mean([2, 3])\n";
  CHECK(features(detector).size(1) == 2);
  CHECK(features(detector, {.return_features = true}).size(1) == 48);
  CHECK_THROWS_WITH(features("def forward(self, x):\n  return x\n"), contains("does not return features"));
  CHECK_THROWS_WITH(features("def forward(self, x):\n  return 3\n"), contains("does not return features"));
  CHECK_THROWS_WITH(features("def forward(self, x):\n  return x.reshape(7, -1)\n"), contains("net.pt"));
  CHECK_THROWS_AS(features("def forward(self, x):\n  assert x.size(0) == 0, 'no'\n  return x\n"), c10::Error);
  CHECK_THROWS_AS(ScriptedFeatures("no program", "net.pt", {}, at::kCPU), InputError);
}
