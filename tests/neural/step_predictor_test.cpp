#include "tests/catch_torch.h"

#include "framework/error.h"
#include "neural/predictor/jump_source.h"
#include "neural/predictor/step_examples.h"
#include "neural/predictor/step_features.h"
#include "neural/predictor/step_predictor.h"
#include "solvers/registry.h"
#include "tests/temporary_folder.h"

#include <ATen/CPUGeneratorImpl.h>

#include <cmath>

using namespace stride;

namespace {

at::Generator generator(uint64_t seed) { return at::detail::createCPUGenerator(seed); }

StepKnowledge knowledge(int64_t known, at::IntArrayRef shape = {6, 2, 8, 8}) {
  auto g = generator(11);
  const auto random = [&] { return at::randn(shape, g, at::kDouble); };
  const auto batch = at::kDouble;
  StepKnowledge k;
  k.sigma = at::linspace(0.5, 1.0, 6, batch);
  k.x = random();
  k.last_sigma = k.sigma * 2.0;
  k.denoised = random();
  k.slope = random();
  k.previous_sigma = k.sigma * 6.0;
  k.previous_denoised = random();
  k.previous_slope = random();
  k.known = at::full({6}, known, at::kLong);
  k.start = start_statistics(random(), k.sigma);
  return k;
}

std::size_t column(const std::string& name) {
  const auto& names = step_feature_names();
  const auto found = std::find(names.begin(), names.end(), name);
  REQUIRE(found != names.end());
  return static_cast<std::size_t>(found - names.begin());
}

StepPredictor random_predictor() {
  PredictorInfo info;
  info.sample_shape = {2, 8, 8};
  info.sigma_min = 0.01;
  info.sigma_max = 10.0;
  info.tolerance_min = 0.001;
  info.tolerance_max = 1.0;
  info.hidden = {16, 16};
  info.made_with = {.recorded = true, .label = "3", .guidance = "2", .dtype = "float32", .seeds = "0-63"};
  const Layout layout = predictor_layout(info);
  const auto inputs = static_cast<int64_t>(step_feature_names().size()) + 1;
  auto g = generator(2);
  return {info, unpack(layout, at::randn({count(layout)}, g, at::kDouble) * 0.2), at::randn({inputs}, g, at::kDouble),
          at::rand({inputs}, g, at::kDouble) + 0.5, "test"};
}

}  // namespace

TEST_CASE("step features: each says what its name says") {
  const StepKnowledge k = knowledge(2);
  const Tensor f = step_features(k);
  REQUIRE(f.sizes() == at::IntArrayRef({6, static_cast<int64_t>(step_feature_names().size())}));
  CHECK(f.scalar_type() == at::kDouble);
  const auto value = [&](const std::string& name) { return f[3][static_cast<int64_t>(column(name))].item<double>(); };
  const Tensor d = k.denoised[3], s = k.slope[3], p = k.previous_slope[3];
  const auto rms = [](const Tensor& t) { return t.square().mean().sqrt().item<double>(); };
  CHECK(value("ln sigma") == Approx(std::log(0.8)));
  CHECK(value("ln last ratio") == Approx(std::log(2.0)));
  CHECK(value("ln ratio before") == Approx(std::log(3.0)));
  CHECK(value("ln |direction|") == Approx(std::log(rms(s))));
  CHECK(value("ln |change|") == Approx(std::log(rms(s - p))));
  CHECK(value("cosine of directions") == Approx((s * p).mean().item<double>() / (rms(s) * rms(p))));
  CHECK(value("ln |change of D|") == Approx(std::log(rms(d - k.previous_denoised[3]))));
  CHECK(value("ln |x| scaled") == Approx(std::log(rms(k.x[3]) / std::sqrt(1.64))));
  CHECK(value("mean of D") == Approx(d.mean().item<double>()));
  CHECK(value("std of D") == Approx(d.std(false).item<double>()));
  CHECK(value("D quarter 1") == Approx(d.narrow(1, 0, 4).narrow(2, 0, 4).mean().item<double>()));
  CHECK(value("D quarter 2") == Approx(d.narrow(1, 0, 4).narrow(2, 4, 4).mean().item<double>()));
  CHECK(value("D quarter 3") == Approx(d.narrow(1, 4, 4).narrow(2, 0, 4).mean().item<double>()));
  const double horizontal = d.diff(1, 2).square().mean().item<double>(),
               vertical = d.diff(1, 1).square().mean().item<double>();
  CHECK(value("D gradient energy") == Approx(std::sqrt(horizontal + vertical)));
}

TEST_CASE("step features: what is not known is not looked at, and rows do not mix") {
  for (const int64_t known : {0, 1}) {
    StepKnowledge k = knowledge(known);
    const Tensor base = step_features(k);
    k.previous_denoised = at::full_like(k.previous_denoised, std::nan(""));
    k.previous_slope = at::full_like(k.previous_slope, std::nan(""));
    if (known == 0) {
      k.denoised = at::full_like(k.denoised, std::nan(""));
      k.slope = at::full_like(k.slope, std::nan(""));
    }
    CHECK(at::equal(step_features(k), base));
  }
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{6, 2, 8, 8}, {6, 2}, {6, 1}, {6, 33}}) {
    const StepKnowledge k = knowledge(2, shape);
    const Tensor all = step_features(k);
    CHECK(all.isfinite().all().item<bool>());
    const auto row = [](const Tensor& t) { return t.narrow(0, 4, 1); };
    const StepKnowledge one{row(k.sigma),
                            row(k.x),
                            row(k.last_sigma),
                            row(k.denoised),
                            row(k.slope),
                            row(k.previous_sigma),
                            row(k.previous_denoised),
                            row(k.previous_slope),
                            row(k.known),
                            row(k.start)};
    CHECK(at::equal(step_features(one), row(all)));
  }
}

TEST_CASE("step predictor: a row's bits do not depend on its neighbours, and the fast form agrees") {
  const StepPredictor predictor = random_predictor();
  const Tensor features = at::randn({37, static_cast<int64_t>(step_feature_names().size())}, generator(4), at::kDouble);
  const Tensor all = predictor.step(features, 0.05);
  CHECK(all.gt(0.0).all().item<bool>());
  for (const int64_t row : {0, 5, 36})
    CHECK(at::equal(predictor.step(features.narrow(0, row, 1), 0.05), all.narrow(0, row, 1)));
  CHECK_FALSE(at::equal(predictor.step(features, 0.1), all));
}

TEST_CASE("step predictor: a file gives it back bit for bit, and a wrong one is refused") {
  const testing::TemporaryFolder folder;
  const std::string path = folder / "predictor.safetensors";
  const StepPredictor predictor = random_predictor();
  predictor.save(path, {{"trained", "never"}});
  const StepPredictor back = StepPredictor::load(path);
  CHECK(back.info() == predictor.info());
  const Tensor features = at::randn({3, static_cast<int64_t>(step_feature_names().size())}, generator(4), at::kDouble);
  CHECK(at::equal(back.step(features, 0.05), predictor.step(features, 0.05)));

  const Safetensors file = read_safetensors_file(path);
  CHECK(is_step_predictor(file.metadata));
  const auto refused = [&](const std::function<void(Safetensors&)>& change) {
    Safetensors other = file;
    change(other);
    try {
      (void)StepPredictor::from_file(other, "f");
    } catch (const InputError&) {
      return true;
    }
    return false;
  };
  const auto edit = [](Safetensors& f, const std::string& from, const std::string& to) {
    std::string& text = f.metadata.at("predictor");
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
  };
  CHECK_FALSE(refused([](auto&) {}));
  CHECK(refused([](auto& f) { f.metadata.clear(); }));
  CHECK(refused([](auto& f) { f.tensors.erase("feature_mean"); }));
  CHECK(refused([](auto& f) { f.tensors["feature_scale"].fill_(0.0); }));
  CHECK(refused([](auto& f) { f.tensors["feature_scale"] = at::ones({2}, at::kDouble); }));
  CHECK(refused([](auto& f) { f.tensors["layer0.weight"] = at::ones({2}, at::kDouble); }));
  CHECK(refused([](auto& f) { f.tensors["more"] = at::ones({2}, at::kDouble); }));
  CHECK(refused([&](auto& f) { edit(f, "ln sigma", "sigma"); }));
  CHECK(refused([&](auto& f) { edit(f, "[16,16]", "[0,16]"); }));
  CHECK(refused([&](auto& f) { edit(f, "\"class\":3", "\"class\":true"); }));
  CHECK(refused([&](auto& f) { edit(f, "\"version\":1", "\"version\":9"); }));
  CHECK(refused([&](auto& f) { edit(f, "stride-predictor", "x"); }));
  CHECK(refused([&](auto& f) { edit(f, "0.001", "-1"); }));
}

TEST_CASE("step examples: the error of a jump is that of the formula, and of the right order") {
  // Probability flow of N(0, s²): x(σ) = x_T·√((s² + σ²)/(s² + σ_T²)), D = s²/(s² + σ²)·x.
  const double s2 = 0.25;
  const auto state = [&](double sigma) {
    return std::sqrt(s2 + sigma * sigma) * torch::tensor({{1.0, -0.5, 2.0}}, at::kDouble);
  };
  const auto said = [&](double sigma) { return state(sigma) * (s2 / (s2 + sigma * sigma)); };
  const auto base = make_solver("dpmpp_2m");
  const auto error = [&](double from, double to, bool second, double last) {
    const std::vector<double> levels = second ? std::vector<double>{last, from, to} : std::vector<double>{from, to};
    std::vector<Tensor> states, said_there;
    for (const double level : levels) {
      states.push_back(state(level));
      said_there.push_back(said(level));
    }
    TrajectoryBatch batch;
    batch.x = at::stack(states, 1);
    batch.denoised = at::stack(said_there, 1);
    batch.sigma = at::tensor(levels, at::kDouble).unsqueeze(0);
    batch.seed = at::zeros({1}, at::kLong);
    const auto points = static_cast<int64_t>(levels.size());
    const JumpPlaces places = second ? JumpPlaces{1, {0}} : JumpPlaces{0, {}};
    return make_jump_source(batch, points, *base)->errors(places).item<double>();
  };
  // By hand: 2M from 1 to 0.5 after 2.
  const double h = std::log(2.0), last_h = std::log(2.0);
  const Tensor d = said(1.0) + h / (2.0 * last_h) * (said(1.0) - said(2.0));
  const Tensor by_hand = (0.5 * state(1.0) + 0.5 * d - state(0.5)).square().mean().sqrt();
  CHECK(error(1.0, 0.5, true, 2.0) == Approx(by_hand.item<double>()).epsilon(1e-12));
  CHECK(error(1.0, 0.5, false, 0.0) ==
        Approx((0.5 * state(1.0) + 0.5 * said(1.0) - state(0.5)).square().mean().sqrt().item<double>()));
  // Halving the step (and the one before) divides the error by 4 to first order, by 8 to second.
  const auto at_step = [&](double step, bool second) { return error(1.0, std::exp(-step), second, std::exp(step)); };
  CHECK(std::log2(at_step(0.02, false) / at_step(0.01, false)) == Approx(2.0).margin(0.05));
  CHECK(std::log2(at_step(0.02, true) / at_step(0.01, true)) == Approx(3.0).margin(0.1));
}

TEST_CASE("step examples: the largest step is where the error first meets the tolerance") {
  const Tensor steps = torch::tensor({{1.0, 2.0, 4.0, 8.0}}, at::kDouble);
  const Tensor errors = torch::tensor({{0.01, 0.08, 0.64, 5.12}}, at::kDouble);  // step³/100
  const auto largest = [&](const Tensor& e, double tolerance) {
    return std::exp(largest_step(e, steps, at::full({1}, tolerance, at::kDouble), 3.0).item<double>());
  };
  CHECK(largest(errors, 0.08) == Approx(2.0));
  CHECK(largest(errors, 0.27) == Approx(3.0));     // between: a power of the step
  CHECK(largest(errors, 0.00125) == Approx(0.5));  // below the first: the order
  CHECK(largest(errors, 40.96) == Approx(16.0));   // beyond the last: the order again,
  CHECK(largest(errors, 1e6) == Approx(32.0));     // up to four times the last step
  const Tensor dip = torch::tensor({{0.01, 0.5, 0.02, 5.0}}, at::kDouble);
  CHECK(largest(dip, 0.1) < 2.0);  // what comes after a failure does not count
}
