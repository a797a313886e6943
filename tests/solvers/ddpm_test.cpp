// DDPM with variances that the model predicts.
#include "tests/solvers/fixtures.h"

#include "framework/error.h"
#include "framework/models/network_denoiser.h"

namespace stride {
namespace {

using namespace fixtures;

// A mixture that says the same of its variance everywhere.
class Predicting final : public Denoiser {
 public:
  Predicting(const Denoiser& inner, double said) : inner_(inner), said_(said) {}
  [[nodiscard]] const ModelInfo& info() const noexcept override { return inner_.info(); }
  [[nodiscard]] Evaluation evaluate(const Tensor& x, const Times& sigma, const BatchState& condition) const override {
    Evaluation out = inner_.evaluate(x, sigma, condition);
    out.log_variance = at::full_like(x, said_);
    return out;
  }

 private:
  const Denoiser& inner_;
  double said_;
};

}  // namespace

TEST_CASE("ddpm: a learned range reaches from the small variance to the large one", "[ddpm]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  const TimeGrid grid({10.0, 4.0, 1.5, 0.5, 0.1, 0.0});
  const auto result = [&](const Denoiser& denoiser, const std::string& text) {
    return run({denoiser, *make_solver(text), noise, grid}, ids(4)).x;
  };
  CHECK(at::allclose(result(Predicting(*model, -1.0), "ddpm:variance=learned_range"), result(*model, "ddpm"), 1e-12));
  CHECK(at::allclose(result(Predicting(*model, 1.0), "ddpm:variance=learned_range"),
                     result(*model, "ddpm:variance=fixed_large"), 1e-12));
  CHECK(same_bits(result(*model, "ddpm:variance=fixed_small_log"), result(*model, "ddpm")));
  CHECK(same_bits(result(*model, "ddpm:variance=fixed_large_log"), result(*model, "ddpm:variance=fixed_large")));
}

TEST_CASE("ddpm: a learned variance is the logarithm of the variance in VP coordinates", "[ddpm]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  const TimeGrid grid({4.0, 1.5});
  // √(1 + σ²) times the standard deviation in VP coordinates is the one in EDM coordinates.
  const double spread = 0.3;
  const Predicting denoiser(*model, 2.0 * std::log(spread));
  const auto solver = make_solver("ddpm:variance=learned");
  const RunState begin = start({denoiser, *solver, noise, grid}, ids(4));
  const Tensor got = run({denoiser, *solver, noise, grid}, ids(4)).x;
  const Tensor clean = model->evaluate(begin.x, begin.sigma, begin.constant.condition).denoised;
  const Tensor step = at::zeros_like(begin.index);
  const Tensor z = noise.normal({begin.constant.ids, step, step, 0, begin.sigma, begin.sigma}, begin.x);
  const Tensor want = clean + (1.5 * 1.5) / (4.0 * 4.0) * (begin.x - clean) + spread * std::sqrt(1.0 + 1.5 * 1.5) * z;
  CHECK(at::allclose(got, want, 1e-12));
}

TEST_CASE("ddpm: a network with twice the channels says its variance in the second half", "[ddpm]") {
  class Doubled final : public Network {
   public:
    [[nodiscard]] Tensor forward(const Tensor& input, const Tensor& /*time*/, const BatchState&) const override {
      return at::cat({0.5 * input, input.tanh()}, 1);
    }
  };
  ModelInfo info;
  info.shape = {2, 4};
  const NetworkDenoiser denoiser(info, std::make_shared<Doubled>(), make_parameterisation("denoised", 0.5),
                                 TimeInput::sigma);
  const Tensor x = at::arange(16, at::kDouble).view({2, 2, 4});
  const Evaluation said = denoiser.evaluate(x, at::ones({2}, at::kDouble), {});
  CHECK(at::equal(said.denoised, 0.5 * x));
  REQUIRE(said.log_variance);
  CHECK(at::equal(*said.log_variance, x.tanh()));
}

TEST_CASE("ddpm: a model without a variance, or a word that names none, is refused", "[ddpm]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  const TimeGrid grid({4.0, 1.5, 0.0});
  const auto solver = make_solver("ddpm:variance=learned");
  CHECK_THROWS_WITH((run({*model, *solver, noise, grid}, ids(2))), contains("predicts no variance"));
  CHECK_THROWS_WITH(make_solver("ddpm:variance=large"), contains("fixed_large"));
}

TEST_CASE("tcd: without randomness it is DDIM, and it needs the timestep axis for the rest", "[tcd]") {
  const auto model = three_components();
  const PhiloxNoise noise;
  const TimeGrid grid({10.0, 4.0, 1.5, 0.5, 0.1, 0.0});
  const Tensor ddim = run({*model, *make_solver("ddim"), noise, grid}, ids(4)).x;
  CHECK(at::allclose(run({*model, *make_solver("tcd:gamma=0"), noise, grid}, ids(4)).x, ddim, 1e-12));
  CHECK_THROWS_WITH(make_solver("tcd"), contains("`noise_schedule`"));
  CHECK_THROWS_WITH(make_solver("lcm:boundary=true"), contains("`noise_schedule`"));
  CHECK_THROWS_AS(make_solver("tcd:gamma=1.5"), UsageError);
}

}  // namespace stride
