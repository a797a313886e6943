#include "framework/noise/noise.h"

#include "framework/batch_state.h"
#include "framework/error.h"
#include "framework/noise/philox.h"
#include "framework/noise/philox_core.h"

#include "tests/catch_torch.h"

#include <cmath>
#include <limits>

namespace stride {
namespace {

Tensor range(int64_t first, int64_t count) { return at::arange(first, first + count, at::kLong); }

NoiseDraw draw_at(const Tensor& ids, int64_t step, int64_t draw, double from, double to) {
  const auto f64 = at::TensorOptions().dtype(at::kDouble);
  return {ids,  at::full_like(ids, step),           at::full_like(ids, step),
          draw, at::full({ids.size(0)}, from, f64), at::full({ids.size(0)}, to, f64)};
}

// Kolmogorov–Smirnov distance to the standard normal.
double ks_distance(const Tensor& sample) {
  const Tensor sorted = std::get<0>(sample.flatten().to(at::kDouble).sort());
  const Tensor cdf = 0.5 * (1.0 + at::erf(sorted / std::sqrt(2.0)));
  const int64_t n = sorted.numel();
  const Tensor upper = at::arange(1, n + 1, at::kDouble) / n;
  return at::maximum((upper - cdf).abs(), (upper - 1.0 / static_cast<double>(n) - cdf).abs()).max().item<double>();
}

}  // namespace

TEST_CASE("noise: Philox4x32-10 gives the published known answers", "[noise]") {
  using Philox = r123::Philox4x32;
  const auto run = [](Philox::ctr_type counter, Philox::key_type key) {
    const auto out = Philox()(counter, key);
    return std::vector<uint32_t>{out[0], out[1], out[2], out[3]};
  };
  CHECK(run({{0, 0, 0, 0}}, {{0, 0}}) == std::vector<uint32_t>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(run({{~0U, ~0U, ~0U, ~0U}}, {{~0U, ~0U}}) ==
        std::vector<uint32_t>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(run({{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}}, {{0xa4093822, 0x299f31d0}}) ==
        std::vector<uint32_t>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("noise: the portable logarithm and sine are good to the last places", "[noise]") {
  for (int i = 1; i <= 4000; ++i) {
    const double u = std::pow(i / 4000.0, 5.0);
    CHECK(std::abs(philox::log_unit(u) - std::log(u)) <= 4e-16 * (1.0 + std::abs(std::log(u))));
    double sine = 0.0;
    double cosine = 0.0;
    const double turn = (i - 1) / 4000.0;
    philox::sincos_turn(turn, &sine, &cosine);
    CHECK(std::abs(sine - std::sin(2.0 * M_PI * turn)) < 1e-15);
    CHECK(std::abs(cosine - std::cos(2.0 * M_PI * turn)) < 1e-15);
  }
}

TEST_CASE("noise: normals are normal, and independent across samples, steps, draws, seeds and streams", "[noise]") {
  const PhiloxNoise noise(3);
  const Tensor like = at::empty({64, 1024}, at::kFloat);
  const Tensor ids = range(0, 64);
  const Tensor a = noise.normal(draw_at(ids, 0, 0, 2.0, 1.0), like);
  // 1.95/√n is the 0.1 % point of the Kolmogorov–Smirnov statistic.
  CHECK(ks_distance(a) < 1.95 / std::sqrt(65536.0));
  const auto correlation = [&](const Tensor& b) { return (a * b).mean().item<double>() * std::sqrt(65536.0); };
  CHECK(std::abs(correlation(noise.normal(draw_at(ids, 1, 0, 2.0, 1.0), like))) < 4.0);
  CHECK(std::abs(correlation(noise.normal(draw_at(ids, 0, 1, 2.0, 1.0), like))) < 4.0);
  CHECK(std::abs(correlation(noise.normal(draw_at(range(64, 64), 0, 0, 2.0, 1.0), like))) < 4.0);
  CHECK(std::abs(correlation(PhiloxNoise(4).normal(draw_at(ids, 0, 0, 2.0, 1.0), like))) < 4.0);
  CHECK(std::abs(correlation(noise.initial(ids, {1024}, at::kFloat))) < 4.0);
}

TEST_CASE("noise: what is drawn for one purpose is never drawn for another", "[noise]") {
  const PhiloxNoise noise;
  const BrownianTree tree(0, 0.1, 10.0, 8);
  const Tensor ids = range(0, 64);
  const Tensor like = at::empty({64, 1024}, at::kDouble);
  // The keys of the later streams are the ids here: the streams alone tell them apart.
  NoiseDraw step = draw_at(ids, 0, 0, 2.0, 1.0);
  NoiseDraw later = step;
  later.keys = ids;
  const std::vector<Tensor> streams{
      noise.normal(step, like),
      noise.normal(later, like),
      noise.initial(ids, {1024}, at::kDouble),
      noise.later_start(ids, {1024}, at::kDouble),
      tree.normal(step, like),
      tree.normal(later, like),
      philox_normals(ids, at::zeros_like(ids), at::zeros_like(ids), NoiseStream::training, 0, 1024).to(at::kDouble)};
  for (std::size_t a = 0; a < streams.size(); ++a)
    for (std::size_t b = 0; b < a; ++b) {
      CAPTURE(a, b);
      CHECK(std::abs((streams[a] * streams[b]).mean().item<double>()) * std::sqrt(65536.0) < 4.5);
    }
}

TEST_CASE("noise: keys are of the id and of all data, and of nothing else", "[noise]") {
  const Tensor ids = at::tensor({3, 3, 5}, at::kLong);
  const Tensor data = at::tensor({1.0, 1.0, 1.0, 2.0, 1.0, 1.0}, at::kDouble).view({3, 2});
  const Tensor keys = noise_keys(ids, {data, {}});
  const auto differ = [&](const Tensor& other) { return keys.ne(other).all().item<bool>(); };
  CHECK(keys[0].item<int64_t>() != keys[1].item<int64_t>());  // other data
  CHECK(keys[0].item<int64_t>() != keys[2].item<int64_t>());  // another id
  CHECK(differ(noise_keys(ids, {{}, data})));                 // given as something else
  CHECK(differ(noise_keys(ids, {data, data})));
  CHECK(keys.equal(noise_keys(ids, {data.to(at::kFloat), {}})));
  CHECK(keys.equal(noise_keys(ids, {data.view({3, 1, 2}), {}})));
  CHECK(keys.narrow(0, 1, 1).equal(noise_keys(ids.narrow(0, 1, 1), {data.narrow(0, 1, 1), {}})));
  // The numbers are for ever: refined runs repeat across versions.
  CHECK(keys[0].item<int64_t>() == -4217141160540259851);
}

TEST_CASE("noise: a plain run's numbers are for ever", "[noise]") {
  const Tensor ids = at::tensor({int64_t{0}, std::numeric_limits<int64_t>::max()}, at::kLong);
  const PhiloxNoise noise;
  const Tensor first = noise.initial(ids, {2}, at::kDouble);
  const Tensor step = noise.normal(draw_at(ids, 3, 1, 2.0, 1.0), at::empty({2, 2}, at::kDouble));
  // Philox4x32-10 and Box–Muller written out in Python.
  const auto near = [](const Tensor& got, std::vector<double> want) {
    return at::allclose(got.flatten(), at::tensor(want, at::kDouble), 0.0, 1e-6);
  };
  CAPTURE(first, step);
  CHECK(near(first, {-2.2565191541785947, 2.4845034887520248, -1.1485965496275365, 2.3236738579905594}));
  CHECK(near(step, {-0.009988130385918614, -1.1826505842024422, -0.09834913215925303, 0.01019007503721901}));
}

TEST_CASE("noise: a sample's normals depend on its id alone, whatever the batch, the shape or the dtype", "[noise]") {
  const PhiloxNoise noise;
  const Tensor whole = noise.initial(range(0, 9), {3, 5, 7}, at::kDouble);
  CHECK(noise.initial(at::tensor({7, 2}, at::kLong), {3, 5, 7}, at::kDouble)
            .equal(whole.index_select(0, at::tensor({7, 2}, at::kLong))));
  // A longer sample starts with the same numbers; torch's own randn does not (17 against 16).
  for (const int64_t n : {1, 2, 3, 15, 16, 17, 104})
    CHECK(noise.initial(range(4, 1), {n}, at::kDouble).equal(whole[4].flatten().slice(0, 0, n).unsqueeze(0)));
  CHECK(noise.initial(range(0, 9), {3, 5, 7}, at::kFloat).equal(whole.to(at::kFloat)));
  CHECK(noise.initial(range(0, 9), {3, 5, 7}, at::kHalf).equal(whole.to(at::kHalf)));
  const Tensor far = at::tensor({(int64_t{1} << 62) + 5, int64_t{5}}, at::kLong);
  const Tensor apart = noise.initial(far, {8}, at::kFloat);
  CHECK_FALSE(apart[0].equal(apart[1]));
}

TEST_CASE("noise: Brownian increments add up and have the right variance and independence", "[noise]") {
  const BrownianTree tree(11, 0.01, 50.0, 20);
  const Tensor ids = range(0, 4096);
  const Tensor like = at::empty({4096, 2}, at::kDouble);
  const auto at_level = [&](double sigma) { return tree.path(ids, at::full({4096}, sigma, at::kDouble), like); };
  const auto increment = [&](double from, double to) { return at_level(from) - at_level(to); };
  CHECK(at_level(0.01).abs().max().item<double>() == 0.0);
  for (const auto& [from, to] :
       std::vector<std::pair<double, double>>{{50.0, 0.01}, {20.0, 3.0}, {1.3, 0.2}, {0.05, 0.02}}) {
    CAPTURE(from, to);
    const double variance = increment(from, to).square().mean().item<double>() / (from * from - to * to);
    CHECK(variance == Approx(1.0).margin(5.0 * std::sqrt(2.0 / 8192.0)));
    const double middle = std::sqrt(from * to) * 1.1;
    CHECK(at::allclose(increment(from, middle) + increment(middle, to), increment(from, to), 0.0, 1e-12));
    const double product = (increment(from, middle) * increment(middle, to)).mean().item<double>() /
                           std::sqrt((from * from - middle * middle) * (middle * middle - to * to));
    CHECK(std::abs(product) < 5.0 / std::sqrt(8192.0));
  }
  const Tensor unit = tree.normal(draw_at(ids, 3, 0, 2.0, 1.5), like);
  CHECK(at::allclose(unit * std::sqrt(2.0 * 2.0 - 1.5 * 1.5), increment(2.0, 1.5)));
  CHECK(unit.equal(tree.normal(draw_at(ids, 9, 0, 2.0, 1.5), like)));  // the path does not know about steps
  CHECK(tree.normal(draw_at(range(100, 2), 0, 0, 2.0, 1.5), like.narrow(0, 0, 2)).equal(unit.narrow(0, 100, 2)));
  CHECK_THROWS_AS(BrownianTree(0, 0.0, 1.0), UsageError);
  CHECK_THROWS_AS(BrownianTree(0, 1.0, 1.0), UsageError);
  CHECK_THROWS_AS(BrownianTree(0, 0.1, 1.0, 31), UsageError);
}

TEST_CASE("noise: an area of the Brownian tree is the one of its path, and independent of the increment", "[noise]") {
  const BrownianTree tree(3, 0.2, 5.0, 18);
  const Tensor ids = range(0, 4096);
  const Tensor like = at::empty({4096, 2}, at::kDouble);
  const auto draw = [&](double from, double to, NoiseKind kind) {
    NoiseDraw wanted = draw_at(ids, 0, 0, from, to);
    wanted.kind = kind;
    return tree.normal(wanted, like);
  };
  for (const auto& [from, to] : std::vector<std::pair<double, double>>{{5.0, 0.2}, {2.0, 1.5}, {0.31, 0.3}}) {
    CAPTURE(from, to);
    const Tensor increment = draw(from, to, NoiseKind::increment);
    const Tensor area = draw(from, to, NoiseKind::area);
    CHECK(area.square().mean().item<double>() == Approx(1.0).margin(5.0 * std::sqrt(2.0 / 8192.0)));
    CHECK(std::abs((area * increment).mean().item<double>()) < 5.0 / std::sqrt(8192.0));
    // The trapezoid rule on the path itself: its error falls with the square of the parts.
    constexpr int kParts = 200;
    const double width = (from * from - to * to) / kParts;
    Tensor sum = at::zeros({4096, 2}, at::kDouble);
    const Tensor top = tree.path(ids, at::full({4096}, from, at::kDouble), like);
    const Tensor whole = top - tree.path(ids, at::full({4096}, to, at::kDouble), like);
    for (int k = 1; k < kParts; ++k) {
      const double level = std::sqrt(from * from - k * width);
      const Tensor gone = top - tree.path(ids, at::full({4096}, level, at::kDouble), like);
      sum = sum + (gone - whole * (static_cast<double>(k) / kParts)) / kParts;
    }
    const Tensor rough = sum * std::sqrt(12.0 / (from * from - to * to));
    CHECK((rough - area).square().mean().sqrt().item<double>() < 2.0 / kParts);
  }
  // Below its range the path goes on to 0, where a last jump may ask for noise.
  const Tensor last = draw(0.2, 0.0, NoiseKind::increment);
  CHECK(last.square().mean().item<double>() == Approx(1.0).margin(5.0 * std::sqrt(2.0 / 8192.0)));
  CHECK(std::abs((last * draw(5.0, 0.2, NoiseKind::increment)).mean().item<double>()) < 5.0 / std::sqrt(8192.0));
}

TEST_CASE("noise: normals are the same bits on the GPU as on the CPU", "[noise][cuda]") {
  const PhiloxNoise noise(5);
  const Tensor ids = range(0, 512);
  const Tensor cpu = noise.initial(ids, {3, 32, 33}, at::kFloat);
  const Tensor gpu = noise.initial(ids.cuda(), {3, 32, 33}, at::kFloat);
  CHECK(gpu.is_cuda());
  CHECK(gpu.cpu().equal(cpu));
  // A thread makes two.
  for (const int64_t n : {1, 2, 3, 5, 6, 17}) {
    NoiseDraw draw = draw_at(ids, 7, 3, 2.0, 1.0);
    const Tensor like = at::empty({512, n}, at::kFloat);
    const Tensor there = noise.normal(draw, like);
    for (Tensor* each : {&draw.ids, &draw.step, &draw.drawn, &draw.from, &draw.to}) *each = each->cuda();
    CHECK(noise.normal(draw, like.cuda()).cpu().equal(there));
  }
}

TEST_CASE("noise: one number for all rows is the number in each", "[noise]") {
  const Tensor keys = range(5, 7), high = range(3, 7);
  CHECK(philox_normals(keys, high, 9, NoiseStream::later_step, 2, 11)
            .equal(philox_normals(keys, high, at::full_like(keys, 9), NoiseStream::later_step, 2, 11)));
}

}  // namespace stride
