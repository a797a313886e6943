// Foreign networks: TorchScript, conditions, fixed batch sizes, probes.
#include "framework/error.h"
#include "framework/out_of_memory.h"
#include "neural/foreign/batched_network.h"
#include "neural/foreign/conditioned_network.h"
#include "neural/foreign/foreign_call.h"
#include "neural/foreign/image_map.h"
#include "neural/foreign/memory_watch.h"
#include "neural/foreign/probe.h"
#include "neural/foreign/scripted_network.h"
#include "tests/catch_torch.h"
#include "tests/neural/scripted_module.h"

#include <ATen/ATen.h>

namespace stride {
namespace {

using testing::scripted;

Tensor answer(const std::string& source, const Tensor& x, const BatchState& condition = {}) {
  return ScriptedNetwork(scripted(source), "net.pt", at::kCPU)
      .forward(x, at::arange(x.size(0)).to(at::kFloat), condition);
}

// Says how many rows it was given, and where; keeps count.
class Counting final : public Network {
 public:
  explicit Counting(std::vector<int64_t>& calls) : calls_(calls) {}
  [[nodiscard]] Tensor forward(const Tensor& input, const Tensor& time, const BatchState& condition) const override {
    calls_.push_back(input.size(0));
    const Tensor label = condition.empty() ? at::zeros_like(time) : condition[0].to(time.scalar_type());
    return input + (time + 10.0 * label).view({-1, 1, 1, 1});
  }

 private:
  std::vector<int64_t>& calls_;
};

}  // namespace

TEST_CASE("scripted network: input, time and conditions go in, the first tensor comes out", "[foreign]") {
  const Tensor x = at::randn({3, 2, 4, 4});
  const Tensor t = at::arange(3).to(at::kFloat).view({3, 1, 1, 1});
  CHECK(answer(testing::kPlainNetwork, x).equal(0.3 * x + 0.1 * t));
  CHECK(answer("def forward(self, x, t):\n  return x * 2, t\n", x).equal(x * 2));
  CHECK(answer("def forward(self, x, t):\n  return [x, t]\n", x).equal(x));
  CHECK(answer("def forward(self, x, t):\n  return (x, t), t\n", x).equal(x));
  CHECK(answer("def forward(self, x, t):\n  return x.repeat(1, 2, 1, 1)\n", x).size(1) == 4);
  const BatchState two({at::arange(3), at::ones({3, 5})});
  const Tensor both = answer("def forward(self, x, t, y, e):\n  return x + (y + e.sum(1)).view(-1, 1, 1, 1)\n", x, two);
  CHECK(at::allclose(both, x + t + 5.0));
}

TEST_CASE("scripted network: what is no output, no module or no success is an error that names it", "[foreign]") {
  const Tensor x = at::randn({3, 2, 4, 4});
  for (const char* wrong : {"x.flatten(1)", "x[:2]", "x.repeat(1, 3, 1, 1)", "x.long()", "3"})
    CHECK_THROWS_AS(answer("def forward(self, x, t):\n  return " + std::string(wrong) + "\n", x), InputError);
  CHECK_THROWS_WITH(answer("def forward(self, x, t):\n  return x[:2]\n", x),
                    contains("net.pt: the network returns [2"));
  CHECK_THROWS_AS(ScriptedNetwork("no program", "net.pt", at::kCPU), InputError);
  const std::string whole = scripted(testing::kPlainNetwork);
  CHECK_THROWS_AS(ScriptedNetwork(whole.substr(0, whole.size() / 2), "net.pt", at::kCPU), InputError);
  try {
    (void)answer("def forward(self, x, t):\n  assert x.size(0) == 0, 'not today'\n  return x\n", x);
    FAIL("nothing was thrown");
  } catch (const c10::Error& error) {  // a run that was being captured goes step by step
    CHECK(std::string(error.what_without_backtrace()).find("net.pt: the network failed: ") == 0);
    CHECK(std::string(error.what_without_backtrace()).find("not today") != std::string::npos);
    CHECK(std::string(error.what_without_backtrace()).find("Traceback") == std::string::npos);
  }
  CHECK_THROWS_AS(answer("def forward(self, x, t):\n  return x.reshape(7, -1)\n", x), c10::Error);
  CHECK_THROWS_AS(answer("def forward(self, x, t, y):\n  return x\n", x), c10::Error);
}

TEST_CASE("foreign networks: memory that ran out is told from any other failure", "[foreign]") {
  const Tensor x = at::randn({3, 2, 4, 4});
  const auto thrown = [](const auto& call) {
    try {
      call();
    } catch (const std::exception& error) {
      return std::pair(is_out_of_memory(error), std::string(error.what()));
    }
    return std::pair(false, std::string("nothing was thrown"));
  };
  const std::string too_large = "  return x + torch.empty([288230376151711744])[0]\n";
#ifndef __SANITIZE_ADDRESS__  // whose own allocator ends the process
  CHECK(thrown([&] { (void)answer("def forward(self, x, t):\n" + too_large, x); }).first);
  CHECK(thrown([&] {
          (void)scripted_images(scripted("def forward(self, x):\n" + too_large), "n.pt", at::kFloat, at::kCPU)(x);
        }).first);
#endif
  // What a package says, whatever was wrong in it.
  const auto failed = [&](bool ran_out) {
    return thrown([&] {
      try {
        throw std::runtime_error(
            "run_func_( container_handle_, …) API call failed at model_container_runner.cpp, line 145");
      } catch (const std::exception& error) {
        rethrow_foreign(error, "net.pt2", ran_out);
      }
    });
  };
  CHECK_FALSE(failed(false).first);
  CHECK(failed(true).first);
  CHECK_THAT(failed(true).second, contains("net.pt2: the network found no memory"));
  const MemoryWatch memory(at::kCPU);
  CHECK_FALSE(memory.ran_out());
}

TEST_CASE("scripted network: parameters are converted, whole numbers are not", "[foreign]") {
  const std::string bytes = scripted("def forward(self, x, t):\n  return x * self.w + self.n.to(x.dtype)\n",
                                     {{"w", at::full({1}, 1.001F)}, {"n", at::full({1}, 3, at::kLong)}});
  const Tensor x = at::ones({2, 1, 1, 1}), t = at::zeros({2});
  const ScriptedNetwork plain(bytes, "net.pt", at::kCPU), half(bytes, "net.pt", at::kCPU, at::kBFloat16);
  CHECK(plain.forward(x, t, {}).flatten()[0].item<float>() == 4.001F);
  const Tensor narrow = half.forward(x.to(at::kBFloat16), t, {});
  CHECK(narrow.scalar_type() == at::kBFloat16);
  CHECK(narrow.flatten()[0].item<float>() == 4.0F);
  // The same bits whatever ran before.
  const Tensor first = plain.forward(x, t, {});
  for (int i = 0; i < 4; ++i) CHECK(plain.forward(x, t, {}).equal(first));
  CHECK_FALSE(plain.forward(x, t, {}).requires_grad());
  CHECK(plain.forward(x.clone().requires_grad_(true), t, {}).requires_grad());
}

TEST_CASE("batched network: any number of rows on fixed sizes", "[foreign]") {
  std::vector<int64_t> calls;
  const auto inner = std::make_shared<Counting>(calls);
  const BatchedNetwork network({{2, inner}, {8, inner}});
  const auto check = [&](int64_t rows, const std::vector<int64_t>& wanted) {
    calls.clear();
    const Tensor x = at::randn({rows, 1, 2, 2}), t = at::arange(rows).to(at::kFloat);
    const BatchState labels({at::arange(rows)});
    std::vector<int64_t> unused;
    CHECK(network.forward(x, t, labels).equal(Counting(unused).forward(x, t, labels)));
    CHECK(calls == wanted);
  };
  check(1, {2});
  check(2, {2});
  check(3, {8});
  check(8, {8});
  check(9, {8, 2});
  check(20, {8, 8, 8});
  CHECK_THROWS_AS(BatchedNetwork({}), UsageError);
  CHECK_THROWS_AS(BatchedNetwork({{0, inner}}), UsageError);
}

TEST_CASE("conditioned network: dtypes, and what stands for none", "[foreign]") {
  std::vector<int64_t> calls;
  const auto inner = std::make_shared<Counting>(calls);
  const ConditionSpec label{.name = "class", .classes = 3, .shape = {}, .null = 3};
  const ConditionSpec text{.name = "text", .classes = 0, .shape = {2}, .zeros = true};
  const ConditionSpec scale{.name = "scale", .classes = 0, .shape = {}, .guidance = true};
  const BatchState given({at::arange(2), at::ones({2, 2}), at::full({2}, 3.5F)});
  const ConditionedNetwork network(inner, {label, text, scale}, at::kFloat, "model 'x'");
  const BatchState none = network.null_condition(given);
  REQUIRE(none.size() == 3);
  CHECK(none[0].equal(at::full({2}, 3, at::kLong)));
  CHECK(none[1].equal(at::zeros({2, 2})));
  CHECK(none[2].equal(given[2]));
  // With rows of its own for "none", they are taken, and stay beside the others.
  const BatchState both({given[0], given[1], given[2], at::zeros({2}, at::kLong), at::full({2, 2}, -1.0F), given[2]});
  const BatchState own = network.null_condition(both);
  REQUIRE(own.size() == 6);
  CHECK(own[1].equal(at::full({2, 2}, -1.0F)));
  CHECK(own[4].equal(own[1]));
  const Tensor x = at::zeros({2, 1, 1, 1}), t = at::zeros({2});
  CHECK(network.forward(x, t, both).flatten()[1].item<float>() == 10.0F);
  CHECK_THROWS_AS(network.forward(x, t, {}), UsageError);
  const ConditionSpec strict{.name = "class", .classes = 3, .shape = {}, .null = {}};
  CHECK_THROWS_WITH(
      ConditionedNetwork(inner, {strict}, at::kFloat, "model 'x'").null_condition(BatchState({at::arange(2)})),
      contains("no 'class'"));
  CHECK_THROWS_AS(ConditionedNetwork(inner, {}, at::kFloat, "model 'x'").null_condition({}), UsageError);

  const auto doubled = std::make_shared<ScriptedNetwork>(
      scripted("def forward(self, x, t, e):\n  return x + e.view(-1, 1, 1, 1)\n"), "net.pt", at::kCPU);
  const ConditionedNetwork narrow(doubled, {{.name = "e", .classes = 0, .shape = {}}}, at::kBFloat16, "model 'x'");
  CHECK(narrow.forward(x.to(at::kBFloat16), t, BatchState({at::ones({2})})).scalar_type() == at::kBFloat16);
}

TEST_CASE("probe: a network is measured by what it answered before", "[foreign]") {
  ModelInfo info;
  info.shape = {1, 2, 2};
  info.conditions = {{.name = "class", .classes = 3, .shape = {}, .null = 3}};
  Safetensors file;
  const Tensor x = at::randn({4, 1, 2, 2}), t = at::linspace(0.1, 0.9, 4, at::kFloat);
  std::vector<int64_t> calls;
  const Counting network(calls);
  file.tensors = {{"input", x},
                  {"time", t},
                  {"condition.class", at::arange(4)},
                  {"output", network.forward(x, t, BatchState({at::arange(4)}))}};
  const Probe probe = make_probe(file, "probe.safetensors", info);
  CHECK(probe_error(probe, network, at::kCPU, at::kFloat) == 0.0);
  Safetensors off = file;
  off.tensors["output"] = file.tensors["output"] * 1.01;
  CHECK(probe_error(make_probe(off, "p", info), network, at::kCPU, at::kFloat) == Approx(0.01 / 1.01).epsilon(1e-4));
  CHECK(probe_bound(at::kFloat) == 1e-4);
  CHECK(probe_bound(at::kBFloat16) == 2e-2);

  const auto refused = [&](const std::string& name, const Tensor& value) {
    Safetensors damaged = file;
    damaged.tensors[name] = value;
    CHECK_THROWS_AS(make_probe(damaged, "probe.safetensors", info), InputError);
  };
  refused("input", at::randn({4, 2, 2, 2}));
  refused("input", at::randn({1, 1, 2, 2}));
  refused("input", at::scalar_tensor(1.0));
  refused("time", at::rand({3}));
  refused("time", at::full({4}, std::numeric_limits<double>::quiet_NaN()));
  refused("condition.class", at::full({4}, 4, at::kLong));
  refused("condition.class", at::rand({4}));
  refused("output", at::randn({4, 1, 2, 3}));
  Safetensors lacking = file;
  lacking.tensors.erase("condition.class");
  CHECK_THROWS_WITH(make_probe(lacking, "probe.safetensors", info), contains("condition.class"));
}

}  // namespace stride
