#include "framework/error.h"
#include "framework/time_grid.h"

#include "tests/catch_torch.h"

#include <cmath>
#include <filesystem>
#include <fstream>

namespace stride {
namespace {

std::vector<std::string> built_in() {
  std::vector<std::string> names;
  for (const GridTraits& traits : grid_traits())
    if (traits.name != "custom") names.push_back(traits.name);
  return names;
}

}  // namespace

TEST_CASE("grid: every schedule gives a strictly decreasing grid at 1, 2, 5 and 1,000 steps, or says why not",
          "[grid]") {
  const NoiseSchedule linear = make_noise_schedule(Spec::parse("linear"));
  const NoiseSchedule cosine = make_noise_schedule(Spec::parse("cosine"));
  for (const std::string& name : built_in())
    for (const NoiseSchedule* schedule : {&linear, &cosine})
      for (const Final final : {Final::zero, Final::sigma_min})
        for (const int64_t steps : {1, 2, 5, 18, 999}) {
          CAPTURE(name, steps, to_string(final));
          const TimeGrid grid = make_grid(Spec::parse(name), {steps, 0.002, 80.0, final, schedule});
          CHECK(grid.steps() == steps);
          CHECK(grid.final_zero() == (final == Final::zero));
          CHECK(grid.end() > 0.0);
        }
  CHECK_THROWS_WITH(make_grid(Spec::parse("leading"), {1001, 0.002, 80.0, Final::zero, &linear}),
                    contains("use fewer steps"));
  CHECK_THROWS_WITH(make_grid(Spec::parse("leading"), {5, 0.002, 80.0, Final::zero, nullptr}),
                    contains("--noise-schedule"));
  CHECK_THROWS_WITH(make_grid(Spec::parse("karas"), {5, 0.002, 80.0, Final::zero, nullptr}),
                    contains("did you mean 'karras'"));
  CHECK_THROWS_WITH(make_grid(Spec::parse("karras:roh=5"), {5, 0.002, 80.0, Final::zero, nullptr}),
                    contains("did you mean 'rho'"));
  CHECK_THROWS_AS(make_grid(Spec::parse("karras"), {0, 0.002, 80.0, Final::zero, nullptr}), UsageError);
  CHECK_THROWS_AS(make_grid(Spec::parse("karras"), {5, 80.0, 0.002, Final::zero, nullptr}), UsageError);
}

TEST_CASE("grid: karras and exponential are the formulas", "[grid]") {
  const TimeGrid karras = make_grid(Spec::parse("karras:rho=5"), {6, 0.01, 20.0, Final::zero, nullptr});
  for (std::size_t i = 0; i < 6; ++i) {
    const double u = static_cast<double>(i) / 5.0;
    CHECK(karras.sigmas()[i] ==
          Approx(std::pow(std::pow(20.0, 0.2) + u * (std::pow(0.01, 0.2) - std::pow(20.0, 0.2)), 5.0)).epsilon(1e-13));
  }
  const TimeGrid logsnr = make_grid(Spec::parse("logsnr"), {4, 0.01, 20.0, Final::sigma_min, nullptr});
  for (std::size_t i = 0; i + 1 < 5; ++i)
    CHECK(logsnr.sigmas()[i + 1] / logsnr.sigmas()[i] == Approx(std::pow(0.01 / 20.0, 0.25)).epsilon(1e-13));
}

TEST_CASE("grid: the three spacings take the timesteps of Lin et al. 2023, table 2", "[grid]") {
  const NoiseSchedule linear = make_noise_schedule(Spec::parse("linear"));
  const auto steps = [&](const std::string& name) {
    std::vector<double> out;
    const TimeGrid grid = make_grid(Spec::parse(name), {10, 0.002, 80.0, Final::zero, &linear});
    for (const double sigma : grid.sigmas())
      if (sigma > 0.0) out.push_back(linear.timestep(sigma));
    return out;
  };
  const auto check = [](const std::vector<double>& got, const std::vector<double>& want) {
    REQUIRE(got.size() == want.size());
    for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i] == Approx(want[i]).margin(1e-9));
  };
  check(steps("leading"), {900, 800, 700, 600, 500, 400, 300, 200, 100, 0});
  check(steps("leading:offset=1"), {901, 801, 701, 601, 501, 401, 301, 201, 101, 1});
  check(steps("linspace"), {999, 888, 777, 666, 555, 444, 333, 222, 111, 0});
  check(steps("trailing"), {999, 899, 799, 699, 599, 499, 399, 299, 199, 99});
}

TEST_CASE("grid: noise schedules have diffusers' end points and an exact inverse", "[grid]") {
  // √((1 − ᾱ)/ᾱ) at both ends, from the betas' definition: σ₀ = √(β₀/(1 − β₀)).
  const NoiseSchedule linear = make_noise_schedule(Spec::parse("linear"));
  CHECK(linear.sigmas().front() == Approx(std::sqrt(1e-4 / (1.0 - 1e-4))).epsilon(1e-12));
  CHECK(make_noise_schedule(Spec::parse("scaled_linear")).sigmas().back() ==
        Approx(14.6146).epsilon(1e-4));  // the latent models' known σ_max
  for (const char* text : {"linear", "scaled_linear", "cosine", "linear:interpolation=linear", "cosine:steps=50"}) {
    const NoiseSchedule schedule = make_noise_schedule(Spec::parse(text));
    const auto last = static_cast<double>(schedule.size() - 1);
    CAPTURE(text);
    for (int i = 0; i <= 100; ++i) {
      const double t = last * i / 100.0;
      CHECK(schedule.timestep(schedule.sigma(t)) == Approx(t).margin(1e-8));
      const Tensor batch = at::tensor({schedule.sigma(t)}, at::kDouble);
      CHECK(schedule.timestep(batch).item<double>() == Approx(t).margin(1e-8));
    }
    CHECK(schedule.timestep(1e-9) == 0.0);
    CHECK(schedule.timestep(1e9) == last);
  }
  CHECK_THROWS_WITH(make_noise_schedule(Spec::parse("liner")), contains("did you mean 'linear'"));
  CHECK_THROWS_AS(NoiseSchedule({0.1, 1.0}), UsageError);
  CHECK_THROWS_AS(NoiseSchedule({0.1}), UsageError);
}

TEST_CASE("grid: what a grid refuses, and where it says the fault lies", "[grid]") {
  CHECK_THROWS_WITH(TimeGrid({1.0}), contains("at least two"));
  CHECK_THROWS_WITH(TimeGrid({1.0, 2.0}), contains("level 1"));
  CHECK_THROWS_WITH(TimeGrid({2.0, 1.0, 1.0}), contains("level 2"));
  CHECK_THROWS_WITH(TimeGrid({2.0, -1.0}), contains("at least 0"));
  CHECK_THROWS_WITH(TimeGrid({2.0, std::nan("")}), contains("finite"));
  CHECK_THROWS_WITH(TimeGrid({2.0, 0.0, 0.0}), contains("strictly decrease"));
  const auto path = (std::filesystem::temp_directory_path() / ("stride-grid-" + std::to_string(::getpid()))).string();
  std::ofstream(path) << "[14.6, 6.3\n1.5, 0]";
  CHECK(make_grid(Spec::parse("custom:" + path), {3, 0.002, 80.0, Final::zero, nullptr}).sigmas() ==
        std::vector<double>{14.6, 6.3, 1.5, 0.0});
  std::ofstream(path) << "14.6 six";
  CHECK_THROWS_WITH(make_grid(Spec::parse("custom:" + path), {3, 0.002, 80.0, Final::zero, nullptr}),
                    contains("entry 2"));
  std::filesystem::remove(path);
  CHECK_THROWS_AS(make_grid(Spec::parse("custom:" + path), {3, 0.002, 80.0, Final::zero, nullptr}), InputError);
}

}  // namespace stride
