#include "framework/error.h"
#include "framework/evaluator.h"
#include "framework/models/gaussian_mixture.h"
#include "framework/models/masked_denoiser.h"
#include "framework/models/network_denoiser.h"
#include "framework/models/preconditioning.h"

#include "tests/catch_torch.h"

#include <cmath>

namespace stride {
namespace {

ModelInfo info(std::vector<int64_t> shape) {
  ModelInfo out;
  out.name = "test";
  out.shape = std::move(shape);
  out.conditions = {{"class", 2, {}}};
  return out;
}

GaussianMixture mixture() {
  return GaussianMixture(info({2}), {{0.3, 0.7}, {{-1.0, 0.5}, {2.0, 0.0}}, {0.2, 0.4}, {0, 1}});
}

// The network whose ideal output makes D exact for N(0, σ_d²) data, in any parameterisation.
class IdealNetwork final : public Network {
 public:
  IdealNetwork(const Parameterisation& parameterisation, double std) : parameterisation_(parameterisation), std_(std) {}
  [[nodiscard]] Tensor forward(const Tensor& input, const Tensor& time,
                               const BatchState& /*condition*/) const override {
    const Times sigma = time.to(at::kDouble);
    const Scalings s = parameterisation_.at(sigma);
    const Tensor x = input / per_sample(s.in, input);
    const Tensor denoised = per_sample(std_ * std_ / (std_ * std_ + sigma * sigma), x) * x;
    return (denoised - per_sample(s.skip, x) * x) / per_sample(s.out, x);
  }

 private:
  const Parameterisation& parameterisation_;
  double std_;
};

}  // namespace

TEST_CASE("denoiser: the mixture's D is the score of its own density (Tweedie)", "[denoiser]") {
  const GaussianMixture model = mixture();
  const Tensor x = at::randn({64, 2}, at::kDouble).requires_grad_(true);
  const Tensor sigma = at::linspace(0.05, 4.0, 64, at::kDouble);
  const auto component = [&](double weight, std::vector<double> mean, double std) {
    const Tensor variance = std * std + sigma.square();
    return std::log(weight) - 0.5 * (x - at::tensor(mean, at::kDouble)).square().sum(1) / variance - variance.log();
  };
  const Tensor log_density = at::logaddexp(component(0.3, {-1.0, 0.5}, 0.2), component(0.7, {2.0, 0.0}, 0.4));
  log_density.sum().backward();
  const Tensor tweedie = x.detach() + sigma.square().unsqueeze(1) * x.grad();
  const Tensor none = at::full({64}, -1, at::kLong);
  CHECK(at::allclose(model.evaluate(x.detach(), sigma, BatchState({none})).denoised, tweedie, 1e-10, 1e-10));
  CHECK(at::allclose(model.evaluate(x.detach(), sigma, {}).denoised, tweedie, 1e-10, 1e-10));
}

TEST_CASE("denoiser: a class leaves only its components", "[denoiser]") {
  const GaussianMixture model = mixture();
  const Tensor x = at::randn({8, 2}, at::kDouble);
  const Tensor sigma = at::full({8}, 1.5, at::kDouble);
  const GaussianMixture alone(info({2}), {{1.0}, {{2.0, 0.0}}, {0.4}, {}});
  const BatchState one({at::ones({8}, at::kLong)});
  CHECK(at::allclose(model.evaluate(x, sigma, one).denoised, alone.evaluate(x, sigma, {}).denoised));
  CHECK(model.null_condition(one)[0].eq(-1).all().item<bool>());
  CHECK_THROWS_AS(alone.null_condition(one), UsageError);
}

TEST_CASE("denoiser: guidance mixes two passes inside its interval and counts them", "[denoiser]") {
  const GaussianMixture model = mixture();
  const Tensor x = at::randn({4, 2}, at::kDouble);
  const Tensor sigma = at::tensor({0.1, 0.5, 1.0, 3.0}, at::kDouble);
  const BatchState label({at::zeros({4}, at::kLong)});
  const Tensor conditional = model.evaluate(x, sigma, label).denoised;
  const Tensor without = model.evaluate(x, sigma, model.null_condition(label)).denoised;
  const Guidance guidance{.scale = 3.0, .rescale = 0.0, .interval_low = 0.4, .interval_high = 2.0};
  Evaluator evaluator(model, guidance, label);
  const Evaluation got = evaluator(x, sigma);
  const Tensor want = without + 3.0 * (conditional - without);
  CHECK(got.denoised.slice(0, 1, 3).equal(want.slice(0, 1, 3)));
  CHECK(got.denoised[0].equal(conditional[0]));
  CHECK(got.denoised[3].equal(conditional[3]));
  CHECK(got.unconditional->slice(0, 1, 3).equal(without.slice(0, 1, 3)));
  CHECK((*got.unconditional)[0].equal(conditional[0]));  // no guidance, nothing to push away from
  CHECK(evaluator.cost().nfe == 1);
  CHECK(evaluator.cost().model_evals == 2);
  const Guidance none;
  Evaluator plain(model, none, label);
  CHECK(plain(x, sigma).denoised.equal(conditional));
  CHECK(plain.cost().model_evals == 1);
  const Guidance rescaled{.scale = 3.0, .rescale = 1.0, .interval_low = 0.0, .interval_high = 100.0};
  const Tensor out = Evaluator(model, rescaled, label)(x, sigma).denoised;
  CHECK(at::allclose(out.std(1), conditional.std(1)));
}

TEST_CASE("denoiser: guidance makes one pass of 2B rows through a network", "[denoiser]") {
  // Says its rows' labels plus their inputs, and its variance in a second channel; counts passes and rows.
  class Labelled final : public Network {
   public:
    explicit Labelled(std::vector<int64_t>& rows) : rows_(rows) {}
    [[nodiscard]] Tensor forward(const Tensor& input, const Tensor& time, const BatchState& condition) const override {
      rows_.push_back(input.size(0));
      const Tensor said = input + per_sample(condition[0] + time, input);
      return at::cat({said, 10.0 * said}, 1);
    }
    [[nodiscard]] BatchState null_condition(const BatchState& condition) const override {
      return BatchState({at::full_like(condition[0], -1)});
    }

   private:
    std::vector<int64_t>& rows_;
  };
  std::vector<int64_t> rows;
  const std::shared_ptr<const Parameterisation> edm = make_parameterisation("edm", 0.5);
  const NetworkDenoiser model(info({2}), std::make_shared<Labelled>(rows), edm, TimeInput::c_noise);
  const Tensor x = at::randn({3, 2}, at::kDouble);
  const Tensor sigma = at::tensor({0.1, 1.0, 3.0}, at::kDouble);
  const BatchState label({at::tensor({0, 1, 1}, at::kLong)});
  const Evaluation with = model.evaluate(x, sigma, label);
  const Evaluation without = model.evaluate(x, sigma, model.null_condition(label));
  rows.clear();
  Evaluator evaluator(model, {.scale = 3.0}, label);
  const Evaluation got = evaluator(x, sigma);
  CHECK(rows == std::vector<int64_t>{6});
  CHECK(evaluator.cost().nfe == 1);
  CHECK(evaluator.cost().model_evals == 2);
  CHECK(got.denoised.equal(without.denoised + 3.0 * (with.denoised - without.denoised)));
  CHECK(got.unconditional->equal(without.denoised));
  CHECK(got.log_variance->equal(*with.log_variance));
  rows.clear();
  const MaskedDenoiser masked(model);
  const Tensor mask = at::ones_like(x);
  const Evaluation inpainted =
      Evaluator(masked, {.scale = 3.0}, MaskedDenoiser::condition(label, x, mask, x))(x, sigma);
  CHECK(rows == std::vector<int64_t>{6});
  CHECK(inpainted.denoised.equal(got.denoised));
}

TEST_CASE("denoiser: every parameterisation of one ideal network gives the same D", "[denoiser]") {
  const double std = 0.7;
  const Tensor x = at::randn({6, 3}, at::kDouble);
  const Tensor sigma = at::tensor({0.01, 0.1, 0.7, 2.0, 10.0, 80.0}, at::kDouble);
  const Tensor exact = x * (std * std / (std * std + sigma.square())).unsqueeze(1);
  for (const std::string& name : parameterisation_names()) {
    const std::shared_ptr<const Parameterisation> parameterisation = make_parameterisation(name, 0.5);
    const NetworkDenoiser model(info({3}), std::make_shared<IdealNetwork>(*parameterisation, std), parameterisation,
                                TimeInput::sigma);
    CAPTURE(name);
    CHECK(at::allclose(model.evaluate(x, sigma, {}).denoised, exact, 1e-12, 1e-12));
  }
  CHECK(parameterisation_names().size() == 6);
  CHECK_THROWS_WITH(make_parameterisation("epsilom", 0.5), contains("did you mean 'epsilon'"));
  CHECK_THROWS_AS(make_parameterisation("edm", 0.0), UsageError);
}

TEST_CASE("denoiser: the scalings are the table of the model cards", "[denoiser]") {
  const Tensor sigma = at::tensor({3.0}, at::kDouble);
  const auto row = [&](const std::string& name) {
    const Scalings s = make_parameterisation(name, 0.5)->at(sigma);
    return std::vector<double>{s.skip.item<double>(), s.out.item<double>(), s.in.item<double>()};
  };
  const auto check = [&](const std::string& name, double skip, double out, double in) {
    CAPTURE(name);
    const auto got = row(name);
    CHECK(got[0] == Approx(skip).margin(1e-15));
    CHECK(got[1] == Approx(out));
    CHECK(got[2] == Approx(in));
  };
  check("denoised", 0.0, 1.0, 1.0);
  check("edm", 0.25 / 9.25, 1.5 / std::sqrt(9.25), 1.0 / std::sqrt(9.25));
  check("epsilon", 1.0, -3.0, 1.0 / std::sqrt(10.0));
  check("sample", 0.0, 1.0, 1.0 / std::sqrt(10.0));
  check("v_prediction", 0.1, -3.0 / std::sqrt(10.0), 1.0 / std::sqrt(10.0));
  check("flow", 0.25, -0.75, 0.25);
}

TEST_CASE("denoiser: a network gets its time in the unit it asks for", "[denoiser]") {
  class TimeEcho final : public Network {
   public:
    [[nodiscard]] Tensor forward(const Tensor& input, const Tensor& time,
                                 const BatchState& /*condition*/) const override {
      return at::zeros_like(input) + time.unsqueeze(1);
    }
  };
  const NoiseSchedule schedule = make_noise_schedule(Spec::parse("linear"));
  const Tensor x = at::zeros({1, 1}, at::kDouble);
  const auto time = [&](TimeInput input, double sigma) {
    const NetworkDenoiser model(info({1}), std::make_shared<TimeEcho>(), make_parameterisation("denoised", 0.5), input,
                                TimestepTable(schedule, at::kCPU));
    return model.evaluate(x, at::tensor({sigma}, at::kDouble), {}).denoised.item<double>();
  };
  CHECK(time(TimeInput::sigma, 3.0) == 3.0);
  CHECK(time(TimeInput::c_noise, 3.0) == Approx(std::log(3.0) / 4.0));
  CHECK(time(TimeInput::flow_t, 3.0) == 0.75);
  CHECK(time(TimeInput::timestep, schedule.sigma(321.0)) == Approx(321.0));
  CHECK_THROWS_AS(NetworkDenoiser(info({1}), std::make_shared<TimeEcho>(), make_parameterisation("denoised", 0.5),
                                  TimeInput::timestep),
                  UsageError);
}

TEST_CASE("denoiser: what a mixture refuses", "[denoiser]") {
  const auto reason = [](GaussianMixtureOptions options) { return options.invalid_reason({2}); };
  CHECK(reason({{1.0}, {{0.0, 0.0}}, {1.0}, {}}).empty());
  CHECK_THAT(reason({{}, {}, {}, {}}), contains("empty"));
  CHECK_THAT(reason({{1.0}, {{0.0}}, {1.0}, {}}), contains("1 numbers"));
  CHECK_THAT(reason({{-1.0}, {{0.0, 0.0}}, {1.0}, {}}), contains("positive"));
  CHECK_THAT(reason({{1.0}, {{0.0, 0.0}}, {-1.0}, {}}), contains("std 0"));
  CHECK_THAT(reason({{1.0}, {{0.0, 0.0}}, {1.0}, {0, 1}}), contains("classes"));
}

TEST_CASE("denoiser: input, scalings and result by kernels are those of the formulas, to the bit", "[denoiser][cuda]") {
  const auto double_here = at::TensorOptions().dtype(at::kDouble).device(at::kCUDA);
  const Tensor sigma = at::tensor({0.002, 0.3, 1.0, 80.0, 12000.0}, at::kDouble).cuda();
  for (const std::string& name : parameterisation_names()) {
    CAPTURE(name);
    const auto row = make_parameterisation(name, 0.5);
    const Scalings fast = row->at(sigma);
    Times with_gradient = sigma.clone().requires_grad_(true);  // has no kernel
    const Scalings plain = row->at(with_gradient);
    CHECK(plain.in.requires_grad() != (name == "denoised"));
    CHECK(fast.skip.equal(plain.skip.detach()));
    CHECK(fast.out.equal(plain.out.detach()));
    CHECK(fast.in.equal(plain.in.detach()));
  }
  const Scalings scale = make_parameterisation("edm", 0.5)->at(sigma);
  for (const auto& shape : {std::vector<int64_t>{5, 3, 7}, {5, 1}, {5, 3, 32, 32}}) {
    for (const auto wide : {at::kFloat, at::kDouble}) {
      for (const auto narrow : {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16}) {
        CAPTURE(shape, wide, narrow);
        const Tensor x = (at::randn(shape, double_here) * 3.0).to(wide),
                     said = at::randn(shape, double_here).to(narrow);
        CHECK(network_input(x, scale.in, narrow).equal(network_input_plain(x, scale.in, narrow)));
        CHECK(denoised_from(x, said, scale).equal(denoised_from_plain(x, said, scale)));
        // Not laid out row by row.
        const Tensor turned = said.transpose(0, 1).contiguous().transpose(0, 1);
        CHECK(denoised_from(x, turned, scale).equal(denoised_from_plain(x, said, scale)));
        // Gradients pass.
        const Tensor leaf = x.clone().requires_grad_(true);
        CHECK(denoised_from(leaf, said, scale).requires_grad());
      }
    }
  }
}

}  // namespace stride
