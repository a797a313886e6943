#include "tests/catch_torch.h"

#include "framework/error.h"
#include "neural/networks/parameters.h"
#include "neural/training/adam.h"
#include "neural/training/batch_order.h"

#include <cmath>
#include <set>

using namespace stride;

namespace {

const Layout kLayout = {{"a", {2, 3}, Init::fan_in}, {"b", {3}, Init::one}, {"c", {1}, Init::zero}};

}  // namespace

TEST_CASE("parameters: a flat vector and its named views are the same numbers") {
  const Tensor flat = initial_parameters(kLayout, 7);
  REQUIRE(flat.size(0) == 10);
  const Weights weights = unpack(kLayout, flat);
  CHECK(weights.at("a").sizes() == at::IntArrayRef({2, 3}));
  CHECK(at::equal(weights.at("b"), at::ones({3})));
  CHECK(at::equal(weights.at("c"), at::zeros({1})));
  CHECK(at::equal(pack(kLayout, weights), flat));
  CHECK(at::equal(initial_parameters(kLayout, 7), flat));
  CHECK_FALSE(at::equal(initial_parameters(kLayout, 8), flat));
  CHECK_THROWS_AS(unpack(kLayout, flat.narrow(0, 0, 9)), UsageError);
}

TEST_CASE("parameters: weights that do not fit are refused by name") {
  const Weights good = unpack(kLayout, initial_parameters(kLayout, 7));
  CHECK_NOTHROW(check_weights(kLayout, good, "file"));
  const auto message = [&](const Weights& weights) -> std::string {
    try {
      check_weights(kLayout, weights, "file");
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  };
  Weights missing = good;
  missing.erase("b");
  Weights extra = good;
  extra.emplace("zz", at::zeros({1}));
  Weights shape = good;
  shape["a"] = at::zeros({3, 2});
  Weights integer = good;
  integer["c"] = at::zeros({1}, at::kLong);
  Weights infinite = good;
  infinite["b"] = at::full({3}, INFINITY);
  for (const auto& [weights, name] : std::vector<std::pair<Weights, std::string>>{
           {missing, "'b'"}, {extra, "'zz'"}, {shape, "'a'"}, {integer, "'c'"}, {infinite, "'b'"}}) {
    INFO(name);
    const std::string text = message(weights);
    CHECK(text.find(name) != std::string::npos);
    CHECK(text.find("file") == 0);
  }
}

TEST_CASE("parameters: AdamW agrees with the published algorithm, number by number") {
  const AdamOptions options{.beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-6, .weight_decay = 0.1};
  const double rate = 0.01;
  Tensor mine = torch::tensor({1.0, -2.0, 0.5}, at::kDouble);
  std::vector<double> x = {1.0, -2.0, 0.5}, m(3, 0.0), v(3, 0.0);
  AdamState state = AdamState::zero(mine);
  for (int t = 1; t <= 20; ++t) {
    const auto slope = [&](std::size_t i) {
      return std::sin(3.0 * t + static_cast<double>(i)) * (1.0 + static_cast<double>(i));
    };
    AdamUpdate update =
        adam_update(mine, torch::tensor({slope(0), slope(1), slope(2)}, at::kDouble), state, rate, options);
    mine = update.parameters;
    state = update.state;
    for (std::size_t i = 0; i < 3; ++i) {
      m[i] = 0.8 * m[i] + 0.2 * slope(i);
      v[i] = 0.95 * v[i] + 0.05 * slope(i) * slope(i);
      x[i] -= rate * 0.1 * x[i] +
              rate * (m[i] / (1.0 - std::pow(0.8, t))) / (std::sqrt(v[i] / (1.0 - std::pow(0.95, t))) + 1e-6);
    }
  }
  CHECK(at::allclose(mine, torch::tensor(x, at::kDouble), 1e-12, 1e-12));
}

TEST_CASE("parameters: a gradient above the limit is scaled, one below is not") {
  const Tensor zero = at::zeros({4}, at::kDouble);
  const AdamOptions options{.clip = 1.0};
  const auto mean = [&](double size) {
    return adam_update(zero, at::full({4}, size, at::kDouble), AdamState::zero(zero), 0.1, options).state.mean;
  };
  CHECK(mean(10.0).norm().item<double>() == Approx(0.1).epsilon(1e-9));
  CHECK(mean(0.1).norm().item<double>() == Approx(0.02).epsilon(1e-9));
}

TEST_CASE("parameters: the learning rate warms up and ends at zero") {
  CHECK(warmup_cosine(0, 10, 100) == Approx(0.1));
  CHECK(warmup_cosine(9, 10, 100) == Approx(1.0));
  CHECK(warmup_cosine(55, 10, 100) == Approx(0.5));
  CHECK(warmup_cosine(100, 10, 100) == Approx(0.0).margin(1e-12));
}

TEST_CASE("parameters: every pass of the batch order sees every item once") {
  const BatchOrder order(3, 10, 4);
  std::vector<int64_t> seen;
  for (int64_t step = 0; step < 5; ++step) {
    const Tensor rows = order.indices(step);
    for (int64_t i = 0; i < 4; ++i) seen.push_back(rows[i].item<int64_t>());
  }
  REQUIRE(seen.size() == 20);
  const std::set<int64_t> first(seen.begin(), seen.begin() + 10), second(seen.begin() + 10, seen.end());
  CHECK(first.size() == 10);
  CHECK(second.size() == 10);
  CHECK_FALSE(std::equal(seen.begin(), seen.begin() + 10, seen.begin() + 10));
  CHECK(at::equal(order.indices(2), BatchOrder(3, 10, 4).indices(2)));
  CHECK_THROWS_AS(BatchOrder(3, 0, 4), UsageError);
}
