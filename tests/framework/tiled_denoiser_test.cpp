#include "framework/models/tiled_denoiser.h"
#include "framework/error.h"
#include "framework/models/gaussian_mixture.h"
#include "framework/models/lambda_denoiser.h"
#include "tests/catch_torch.h"
#include "tests/framework/local_network.h"

#include <fmt/format.h>

#include <algorithm>

namespace stride {
namespace {

using test::image_info;
using test::local_denoiser;

Tensor images(int64_t n, int64_t height, int64_t width) {
  return (at::arange(n * 2 * height * width, at::kDouble) * 0.7).sin().view({n, 2, height, width}) * 3.0;
}

const Times& levels() {
  static const Times two = at::tensor({0.4, 3.0}, at::kDouble);
  return two;
}

double apart(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

std::string text(const Tiling& t) {
  return fmt::format("{}x{}:overlap={},context={},at_once={}", t.rows, t.columns, t.overlap, t.context, t.at_once);
}

// Says of every pixel what number its pass has, and notes the largest pass.
class Counting final : public Denoiser {
 public:
  explicit Counting(ModelInfo info) : info_(std::move(info)) {}
  [[nodiscard]] const ModelInfo& info() const noexcept override { return info_; }
  [[nodiscard]] Evaluation evaluate(const Tensor& x, const Times& /*sigma*/, const BatchState& /*c*/) const override {
    largest = std::max(largest, x.numel());
    return {at::full_like(x, static_cast<double>(passes++)), {}, {}};
  }
  mutable int64_t passes = 0, largest = 0;

 private:
  ModelInfo info_;
};

// Knows one size.
class Fixed final : public Denoiser {
 public:
  [[nodiscard]] const ModelInfo& info() const noexcept override { return info_; }
  [[nodiscard]] Evaluation evaluate(const Tensor& x, const Times& /*sigma*/, const BatchState& /*c*/) const override {
    return {at::zeros({x.size(0), 2, 8, 8}, x.options()), {}, {}};
  }

 private:
  ModelInfo info_ = image_info(8, 8);
};

}  // namespace

TEST_CASE("tiles: equal to the whole where a pixel depends on its neighbours alone", "[tiles]") {
  for (const bool pooled : {false, true}) {
    const int64_t reach = test::LocalNetwork(2, 2, pooled).radius();
    for (const auto& [height, width] : {std::pair<int64_t, int64_t>{16, 16}, {14, 22}, {13, 9}}) {
      if (pooled && height % 2 != 0) continue;
      const NetworkDenoiser whole = local_denoiser(image_info(height, width), pooled);
      const Tensor x = images(2, height, width);
      const Tensor expected = whole.evaluate(x, levels(), {}).denoised;
      for (const auto& [rows, columns] : {std::pair<int64_t, int64_t>{1, 1}, {2, 2}, {3, 4}, {1, 3}}) {
        for (const int64_t overlap : {0, 1}) {
          for (const int64_t at_once : {1, 3}) {
            Tiling tiling{.rows = rows, .columns = columns, .overlap = overlap, .context = reach, .at_once = at_once};
            INFO(fmt::format("{} x {}, {}{}", height, width, text(tiling), pooled ? ", pooled" : ""));
            const TiledDenoiser tiled(whole, tiling);
            CHECK(apart(tiled.evaluate(x, levels(), {}).denoised, expected) < 1e-12);
            if (rows * columns == 1) CHECK(tiled.evaluate(x, levels(), {}).denoised.equal(expected));
          }
        }
      }
      // A pixel less, and the seams show: the test above can fail.
      for (const int64_t overlap : {0, 1}) {
        const TiledDenoiser tiled(whole, {.rows = 2, .columns = 2, .overlap = overlap, .context = reach - 3});
        CHECK(apart(tiled.evaluate(x, levels(), {}).denoised, expected) > 1e-6);
      }
      if (pooled) continue;
      const TiledDenoiser short_of_one(whole, {.rows = 2, .columns = 2, .context = reach - 1});
      CHECK(apart(short_of_one.evaluate(x, levels(), {}).denoised, expected) > 1e-6);
    }
  }
}

TEST_CASE("tiles: conditions, guidance and variances go through every tile", "[tiles]") {
  const NetworkDenoiser whole = local_denoiser(image_info(12, 10, true), false, 4);
  const Tensor x = images(2, 12, 10);
  const BatchState labels({at::tensor({0, 2}, at::kLong)});
  const Evaluation expected = whole.evaluate_both(x, levels(), labels);
  REQUIRE(expected.log_variance);
  REQUIRE(apart(expected.denoised, *expected.unconditional) > 1e-3);
  for (const int64_t at_once : {1, 2, 5, 100}) {
    const TiledDenoiser tiled(whole, {.rows = 2, .columns = 3, .overlap = 1, .context = 3, .at_once = at_once});
    const Evaluation said = tiled.evaluate_both(x, levels(), labels);
    CHECK(apart(said.denoised, expected.denoised) < 1e-12);
    REQUIRE(said.unconditional);
    CHECK(apart(*said.unconditional, *expected.unconditional) < 1e-12);
    REQUIRE(said.log_variance);
    CHECK(apart(*said.log_variance, *expected.log_variance) < 1e-12);
    const Evaluation one = tiled.evaluate(x, levels(), labels);
    CHECK(apart(one.denoised, expected.denoised) < 1e-12);
    CHECK_FALSE(one.unconditional);
    CHECK(tiled.null_condition(labels)[0].eq(-1).all().item<bool>());
  }
}

TEST_CASE("tiles: weights sum to one, and go over along a line", "[tiles]") {
  const LambdaDenoiser ones(image_info(17, 23), [](const Tensor& x, const Times&) { return at::ones_like(x); });
  for (const int64_t overlap : {0, 1, 2}) {
    const TiledDenoiser tiled(ones, {.rows = 3, .columns = 4, .overlap = overlap, .context = 1});
    CHECK(apart(tiled.evaluate(images(2, 17, 23), levels(), {}).denoised, at::ones({1}, at::kDouble)) < 1e-15);
  }
  const Counting counting(image_info(2, 8));
  const Tensor said = TiledDenoiser(counting, {.rows = 1, .columns = 2, .overlap = 2})
                          .evaluate(images(1, 2, 8), levels().narrow(0, 0, 1), {})
                          .denoised;
  const Tensor line = at::tensor({0.0, 0.0, 0.125, 0.375, 0.625, 0.875, 1.0, 1.0}, at::kDouble);
  CHECK(apart(said, line) < 1e-15);
}

TEST_CASE("tiles: no pass is larger than was said, and all are of one size", "[tiles]") {
  for (const int64_t multiple : {1, 4}) {
    const Counting counting(image_info(64, 48));
    const TiledDenoiser tiled(counting, {.rows = 4, .columns = 3, .overlap = 2, .context = 1, .multiple = multiple});
    (void)tiled.evaluate(images(2, 64, 48), levels(), {});
    CHECK(counting.passes == 12);
    CHECK(counting.largest == 2 * 2 * tiled.pass_height() * tiled.pass_width());
    CHECK(tiled.pass_height() == (multiple == 1 ? 16 + 6 : 24));
    CHECK(tiled.pass_width() == (multiple == 1 ? 16 + 6 : 24));
  }
  // The network's own multiple, where nobody gives another: 22 pixels are cut at 8 and 14.
  const NetworkDenoiser pooled = local_denoiser(image_info(22, 22), true);
  CHECK(TiledDenoiser(pooled, {.rows = 3}).pass_height() == 8);
}

TEST_CASE("tiles: gradients are those of the whole", "[tiles]") {
  const NetworkDenoiser whole = local_denoiser(image_info(11, 12));
  const TiledDenoiser tiled(whole, {.rows = 2, .columns = 3, .overlap = 1, .context = 3});
  const TiledDenoiser cropped(whole, {.rows = 2, .columns = 3, .context = 3});
  const auto gradient = [&](const Denoiser& denoiser) {
    const Tensor x = images(2, 11, 12).requires_grad_(true);
    (denoiser.evaluate(x, levels(), {}).denoised * images(2, 11, 12).cos()).sum().backward();
    return x.grad();
  };
  CHECK(apart(gradient(tiled), gradient(whole)) < 1e-12);
  CHECK(apart(gradient(cropped), gradient(whole)) < 1e-12);
}

TEST_CASE("tiles: what cannot be cut is refused, with what would do", "[tiles]") {
  const auto refusal = [](const auto& work) -> std::string {
    try {
      work();
    } catch (const UsageError& error) {
      return error.what();
    }
    return "nothing was refused";
  };
  const NetworkDenoiser whole = local_denoiser(image_info(8, 8)), pooled = local_denoiser(image_info(8, 8), true);
  const auto cut = [&](const Denoiser& denoiser, const Tiling& tiling) {
    return refusal([&] { (void)TiledDenoiser(denoiser, tiling); });
  };
  CHECK_THAT(cut(whole, {.rows = 9}), contains("at most 8"));
  CHECK_THAT(cut(pooled, {.columns = 5}), contains("width 8 cannot be cut into 5 parts at multiples of 2: at most 4"));
  CHECK_THAT(cut(whole, {.rows = 2, .multiple = 3}), contains("no multiple of 3"));
  CHECK_THAT(cut(whole, {.rows = 4, .overlap = 2}), contains("at most 1"));
  CHECK_THAT(cut(whole, {.rows = 2, .overlap = 5}), contains("at most 4"));
  CHECK(cut(whole, {.rows = 2, .overlap = 4, .context = 100}) == "nothing was refused");
  CHECK_THAT(cut(whole, {.at_once = 0}), contains("at_once"));
  ModelInfo line;
  line.shape = {6};
  const LambdaDenoiser vectors(line, [](const Tensor& x, const Times&) { return x; });
  CHECK_THAT(cut(vectors, {.rows = 2}), contains("images [C, H, W]"));
  ModelInfo closed = image_info(1, 2);
  closed.shape = {1, 1, 2};
  closed.kind = "gaussian_mixture";
  const GaussianMixture mixture(closed, {.weights = {1}, .means = {{0, 0}}, .std = {1}, .classes = {}});
  CHECK_THAT(cut(mixture, {.columns = 2}), contains("closed form"));
  const Fixed fixed;
  const TiledDenoiser tiled(fixed, {.rows = 2});
  CHECK_THAT(refusal([&] { (void)tiled.evaluate(images(2, 8, 8), levels(), {}); }), contains("other sizes"));
  CHECK_THAT(refusal([&] { (void)tiled.evaluate(images(2, 8, 9), levels(), {}); }), contains("[B, C, 8, 8]"));
  CHECK_THAT(refusal([&] { (void)tiled.evaluate(at::zeros({2, 8}), levels(), {}); }), contains("[2, 8]"));
}

TEST_CASE("tiles: what the text says", "[tiles]") {
  const Tiling read = parse_tiling("4x3:overlap=8,context=16,multiple=2,at_once=6");
  CHECK(text(read) == "4x3:overlap=8,context=16,at_once=6");
  CHECK(read.multiple == 2);
  CHECK(text(parse_tiling("2x1")) == "2x1:overlap=0,context=0,at_once=1");
  for (const char* bad :
       {"", "4", "x", "4x", "x4", "0x2", "2x0", "-1x2", "2x2x2", "ax2", "2.5x2", "2x2:overlap=-1", "2x2:overlap=1.5",
        "2x2:context=x", "2x2:at_once=0", "2x2:overlap=1,overlap=2", "2x2:8", "99999999999999999999x2"}) {
    INFO(bad);
    CHECK_THROWS_AS(parse_tiling(bad), UsageError);
  }
  CHECK_THROWS_WITH(parse_tiling("2x2:overlp=2"), contains("overlap"));
  CHECK_THROWS_WITH(parse_tiling("2"), contains("2x2"));
}

}  // namespace stride
